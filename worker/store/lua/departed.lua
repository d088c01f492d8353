#!lua flags=allow-oom
-- Claims that were held have left with a later file; where none waits any more, nobody looks for it.
-- It may run when memory is full: what it writes is shorter than what stood there.
-- KEYS  1 exit  2 exit of all that wait
-- ARGV  1 how fields begin  2 the file's name among those that wait  3 when it expires, in ms from now
--       4 number of the later file  5.. fields of claims that left with it

for _, name in ipairs(KEYS) do
  local found = redis.call('TYPE', name).ok
  if found ~= 'hash' and found ~= 'none' then return redis.error_reply('WRONGTYPE ' .. name .. ' is no hash') end
end
if #ARGV > 4 then
  for place = 5, #ARGV do redis.call('HSET', KEYS[1], ARGV[place], '@' .. ARGV[4]) end
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, #ARGV[1]) == ARGV[1] and string.sub(redis.call('HGET', KEYS[1], field), 1, 1) ~= '@' then
    return 0
  end
end
redis.call('HDEL', KEYS[2], ARGV[2])
return 1
