-- Deletes consumers that have been away for long and for whom nothing is pending; deleting one that has
-- something pending would drop it, so both are looked at in the same step.
-- KEYS  1 inbox      ARGV  1 group  2 least idle time in ms
-- Answers how many were deleted.

local deleted = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local fields = {}
  for i = 1, #consumer, 2 do fields[consumer[i]] = consumer[i + 1] end
  if fields.pending == 0 and fields.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], fields.name)
    deleted = deleted + 1
  end
end
return deleted
