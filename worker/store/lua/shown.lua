-- Writes the front of a case that is still what it was read as. It is refused when memory is full.
-- KEYS  1 front        ARGV  1 as it was read ("" absent)  2 the new one  3 for how long, in ms ("" as before)
-- Answers 1 written, 0 it changed meanwhile.

local found = redis.pcall('GET', KEYS[1])
if type(found) == 'table' then return redis.error_reply('WRONGTYPE ' .. KEYS[1] .. ' is not a string') end
if (found or '') ~= ARGV[1] then return 0 end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
