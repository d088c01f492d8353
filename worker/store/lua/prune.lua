#!lua flags=allow-oom
-- Deletes consumers that have been away for long and for whom nothing is pending; deleting one that has
-- something pending would drop it, so both are looked at in the same step. Forgets workers that are long gone.
-- KEYS  1 inbox  2 workers  3 judging      ARGV  1 group  2 least idle time of a consumer in ms  3 the same of a worker
-- Answers how many consumers were deleted.

local deleted = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local fields = {}
  for i = 1, #consumer, 2 do fields[consumer[i]] = consumer[i + 1] end
  if fields.pending == 0 and fields.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], fields.name)
    redis.call('HDEL', KEYS[3], fields.name)
    deleted = deleted + 1
  end
end

local now = redis.call('TIME')[1] * 1000
local workers = redis.call('HGETALL', KEYS[2])
for i = 1, #workers, 2 do
  local seen = tonumber(string.match(workers[i + 1], '^%d+'))
  if not seen or now - seen > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[2], workers[i]) end
end
return deleted
