#!lua flags=allow-oom
-- Receives entries that came in on another partition, which takes them off its own stream afterwards.
-- It may run when memory is full, since the other partition frees what is taken in here.
-- The layout of this partition says where: from layout 2 on, on the stream that no sender can write.
--
-- KEYS  meta  inbox  inner  counters  marks*: of requeued entries, which the items name by their number in this list
-- ARGV  1 event memory in ms
--       then per item: number of its mark (0 none), number of its fields and values together, and these
-- An item with a mark is received once. Any other may come again after a crash: its event is remembered.
-- Answers how many were received.

local layout = tonumber(redis.call('HGET', key.meta, 'layout') or 1)
local stream = layout >= 2 and key.inner or key.inbox
local wrong = wants('stream', stream) or wants('hash', key.counters)
if wrong then return wrong end

local place, received = 2, 0
while place <= #ARGV do
  local mark, width = tonumber(ARGV[place]), tonumber(ARGV[place + 1])
  if mark == 0 or redis.call('SET', key.marks[mark], '1', 'NX', 'PX', ARGV[1]) then
    redis.call('XADD', stream, '*', unpack(ARGV, place + 2, place + 1 + width))
    redis.call('HINCRBY', key.counters, 'received', 1)
    received = received + 1
  end
  place = place + 2 + width
end
return received
