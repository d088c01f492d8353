#!lua flags=allow-oom
-- Deletes consumers that have been away for long and for whom nothing is pending; deleting one that has
-- something pending would drop it, so both are looked at in the same step. Forgets workers that are long gone, and those
-- that lived in a time that is yet to come, before the clock was put back: who lives says so again in a moment.
-- KEYS  workers  judging  streams*
-- ARGV  1 group  2 least idle time of a consumer in ms  3 the same of a worker
-- Answers how many consumers were deleted.

local deleted, left = 0, {}
for _, stream in ipairs(key.streams) do
  local consumers = redis.pcall('XINFO', 'CONSUMERS', stream, ARGV[1])
  for _, consumer in ipairs(consumers.err and {} or consumers) do
    local fields = {}
    for i = 1, #consumer, 2 do fields[consumer[i]] = consumer[i + 1] end
    if fields.pending == 0 and fields.idle > tonumber(ARGV[2]) then
      redis.call('XGROUP', 'DELCONSUMER', stream, ARGV[1], fields.name)
      left[fields.name] = left[fields.name] or false
      deleted = deleted + 1
    else
      left[fields.name] = true
    end
  end
end
for name, stays in pairs(left) do
  if not stays then redis.call('HDEL', key.judging, name) end
end

local now = redis.call('TIME')[1] * 1000
local workers = redis.call('HGETALL', key.workers)
for i = 1, #workers, 2 do
  local seen = tonumber(string.match(workers[i + 1], '^%d+'))
  if not seen or now - seen > tonumber(ARGV[3]) or seen - now > 60000 then redis.call('HDEL', key.workers, workers[i]) end
end
return deleted
