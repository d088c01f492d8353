#!lua flags=allow-oom
-- Takes one entry out of quarantine: back to the workers, or away for good.
-- Everything that can be refused is looked at before the first write, so that an entry is never in both places,
-- and never in none. Back is: in layout 1 on the inbox, from layout 2 on on the stream that no sender can write, with
-- what it is a requeue of and whose it is beside the event, where nobody else can put that.
-- KEYS  meta  quarantine  inbox  inner  counters  chains
-- ARGV  1 quarantine entry  2 event to put back ("" drops the entry)
--       3 name of the entry among all partitions  4 producer that sent it ("" none)
--       5 audit chain  6 seq of the chain's last line  7 its mac
-- Answers 1, or 0 where the entry is there no more.

local layout = tonumber(redis.call('HGET', key.meta, 'layout') or 1)
local stream = layout >= 2 and key.inner or key.inbox
local wrong = wants('stream', key.quarantine) or wants('stream', stream)
  or wants('hash', key.counters) or wants('hash', key.chains)
if wrong then return wrong end

redis.call('HSET', key.chains, ARGV[5], ARGV[6] .. ' ' .. ARGV[7])
if #redis.call('XRANGE', key.quarantine, ARGV[1], ARGV[1]) == 0 then return 0 end
if ARGV[2] ~= '' then
  local fields = {'event', ARGV[2]}
  if layout >= 2 then
    fields[3], fields[4] = 'requeue_of', ARGV[3]
    if ARGV[4] ~= '' then fields[5], fields[6] = 'producer', ARGV[4] end
  end
  redis.call('XADD', stream, '*', unpack(fields))
  -- The event was accepted twice now: once as requeued, and once as what will become of it.
  redis.call('HINCRBY', key.counters, 'quarantine', -1)
  redis.call('HINCRBY', key.counters, 'requeued', 1)
else
  redis.call('HINCRBY', key.counters, 'dropped', 1)
end
redis.call('XDEL', key.quarantine, ARGV[1])
return 1
