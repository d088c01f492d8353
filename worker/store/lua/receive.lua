#!lua flags=allow-oom
-- Receives entries that came in on another partition, which takes them off its inbox afterwards.
-- It may run when memory is full, since the other partition frees what is taken in here.
--
-- KEYS  1 inbox  2 counters  3.. marks of requeued entries, which the items name by their position in KEYS
-- ARGV  1 event memory in ms
--       then per item: position of its mark (0 none), number of its fields and values together, and these
-- An item with a mark is received once. Any other may come again after a crash: its event is remembered.
-- Answers how many were received.

for position, kind in ipairs({'stream', 'hash'}) do
  local found = redis.call('TYPE', KEYS[position]).ok
  if found ~= kind and found ~= 'none' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[position] .. ' is a ' .. found .. ', expected a ' .. kind)
  end
end

local at, received = 2, 0
while at <= #ARGV do
  local mark, width = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  if mark == 0 or redis.call('SET', KEYS[mark], '1', 'NX', 'PX', ARGV[1]) then
    redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 2, at + 1 + width))
    redis.call('HINCRBY', KEYS[2], 'received', 1)
    received = received + 1
  end
  at = at + 2 + width
end
return received
