#!lua flags=allow-oom
-- Takes repeated events off while the workers are held: entries that nobody was handed yet, and whose event is decided.
-- It frees memory and publishes nothing.
-- KEYS  counters  chains  streams*  memory*: the event keys, which the items name by their number in this list
-- ARGV  1 group  2 chain  3 seq of the chain's last line  4 its mac  5.. the streams' names, in the order of the keys
--       then per item, 4 each: stream's number, entry's id, event key's number, the value that it must hold
-- Answers a list, one status an item: done | not_mine (a worker has it, or it is gone) | retry (the event changed).

local function parts(id)
  return string.match(id, '^(%d+)-(%d+)$')
end

-- As numbers of up to 64 bits, which Lua's do not hold.
local function compare(a, b)
  if #a ~= #b then return #a < #b and -1 or 1 end
  return a == b and 0 or (a < b and -1 or 1)
end

local function after(id, last)
  local ams, aseq = parts(id)
  local bms, bseq = parts(last)
  local found = compare(ams, bms)
  return found > 0 or (found == 0 and compare(aseq, bseq) > 0)
end

local handed = {}
for number, stream in ipairs(key.streams) do
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local fields = {}
    for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
    if fields.name == ARGV[1] then handed[number] = fields['last-delivered-id'] end
  end
end

local statuses, head = {}, 4 + #key.streams
for item = 1, (#ARGV - head) / 4 do
  local place = head + (item - 1) * 4
  local number, entry = tonumber(ARGV[place + 1]), ARGV[place + 2]
  local name = ARGV[4 + number]
  if not handed[number] or not after(entry, handed[number]) then
    statuses[item] = 'not_mine'
  elseif redis.call('GET', key.memory[tonumber(ARGV[place + 3])]) ~= ARGV[place + 4] then
    statuses[item] = 'retry'
  elseif redis.call('XDEL', key.streams[number], entry) == 0 then
    statuses[item] = 'not_mine'
  else
    redis.call('HINCRBY', key.counters, 'repeated', 1)
    if name ~= '' and name ~= 'inner' then redis.call('HINCRBY', key.counters, 'taken:' .. name, 1) end
    statuses[item] = 'done'
  end
end
if ARGV[2] ~= '' then redis.call('HSET', key.chains, ARGV[2], ARGV[3] .. ' ' .. ARGV[4]) end
return statuses
