#!lua flags=allow-oom
-- Takes the stream of a producer away, where nothing of it waits or is in hand. What workers took off stays in the
-- books; what went another way, by the producer's own hand, is in no outlet, and no longer counts as accepted.
-- KEYS  counters  stream      ARGV  1 name of the producer
-- Answers how many went another way; -1: the stream was not there; -2: something is still on it.

if redis.call('EXISTS', key.stream) == 0 then return -1 end
local fields, about = {}, redis.call('XINFO', 'STREAM', key.stream)
for i = 1, #about, 2 do fields[about[i]] = about[i + 1] end
if fields.length > 0 then return -2 end
local taken = tonumber(redis.call('HGET', key.counters, 'taken:' .. ARGV[1]) or 0)
redis.call('HINCRBY', key.counters, 'retired', taken)
redis.call('HDEL', key.counters, 'taken:' .. ARGV[1])
redis.call('DEL', key.stream)
return math.max(0, fields['entries-added'] - taken)
