#!lua flags=allow-oom
-- A file that leaves by file goes from one state to the next; who comes second changes nothing.
-- KEYS  1 exit        ARGV  1 expected state  2 new state  3 when it expires, in ms from now
-- Answers the state that it had; an empty string where nothing is known of it.

local found = redis.pcall('HGET', KEYS[1], 'state')
if type(found) == 'table' then return redis.error_reply('WRONGTYPE ' .. KEYS[1] .. ' is no hash') end
if found == ARGV[1] then
  redis.call('HSET', KEYS[1], 'state', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
return found or ''
