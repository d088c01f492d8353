#!lua flags=allow-oom
-- Takes audit chains off the list of those whose files must be there, where they still stand as they were looked at.
-- KEYS  1 chains
-- ARGV  1 chain of the line that says so  2 its seq  3 its mac  4.. per chain: name, head as it was read ("" none)
-- Answers a list of those that have moved on meanwhile: a process writes them.

redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
local moved = {}
for place = 4, #ARGV, 2 do
  local found = redis.call('HGET', KEYS[1], ARGV[place]) or ''
  if found == ARGV[place + 1] then
    redis.call('HDEL', KEYS[1], ARGV[place])
  else
    moved[#moved + 1] = ARGV[place]
  end
end
return moved
