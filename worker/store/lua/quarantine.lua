#!lua flags=allow-oom
-- Takes one entry out of quarantine: back onto the inbox, or away for good.
-- Everything that can be refused is looked at before the first write, so that an entry is never in both places,
-- and never in none.
-- KEYS  1 quarantine  2 inbox  3 counters  4 chains
-- ARGV  1 quarantine entry  2 event to put on the inbox ("" drops the entry)
--       3 audit chain  4 seq of the chain's last line  5 its mac
-- Answers 1, or 0 where the entry is there no more.

for position, kind in ipairs({'stream', 'stream', 'hash', 'hash'}) do
  local found = redis.call('TYPE', KEYS[position]).ok
  if found ~= kind and found ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[position] .. ' is a ' .. found .. ', expected a ' .. kind)
  end
end

redis.call('HSET', KEYS[4], ARGV[3], ARGV[4] .. ' ' .. ARGV[5])
if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return 0 end
if ARGV[2] ~= '' then
  redis.call('XADD', KEYS[2], '*', 'event', ARGV[2])
  -- The event was accepted twice now: once as requeued, and once as what will become of it.
  redis.call('HINCRBY', KEYS[3], 'quarantine', -1)
  redis.call('HINCRBY', KEYS[3], 'requeued', 1)
else
  redis.call('HINCRBY', KEYS[3], 'dropped', 1)
end
redis.call('XDEL', KEYS[1], ARGV[1])
return 1
