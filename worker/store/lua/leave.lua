#!lua flags=allow-oom
-- Ends the wait for a verdict on an event whose file is written without one: a worker that comes later finds it
-- decided. What could not be judged has no verdict either.
-- KEYS  1 rings  2 event key
-- ARGV  1 keys that are expected in force  2 what it is to hold  3 event memory in ms  4 how the third word begins
--       where that is so
-- Answers what it holds then: ARGV 2, or the decision on it.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return redis.error_reply('STALEKEYS other keys are in force')
end
local found = redis.pcall('GET', KEYS[2])
if type(found) == 'table' then return redis.error_reply('WRONGTYPE ' .. KEYS[2] .. ' is not a string') end
local held = found and string.match(found, '^[^ ]* [^ ]* (.*)$') or ''
if found and string.sub(held, 1, #ARGV[4]) ~= ARGV[4] then return found end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return ARGV[2]
