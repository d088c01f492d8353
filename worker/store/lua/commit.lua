#!lua flags=allow-oom
-- Commits a batch of decided claims: publishes each result and takes its entry off the inbox, in one step.
--
-- Redis does not roll a script back. So everything that can be refused is read and checked first, and only then
-- is written, per claim in an order in which an error half way leaves the entry pending, never acknowledged.
-- It may run when memory is full, since it frees what it takes in.
--
-- KEYS  1 inbox  2 counters  3 chains  4 attempts  5.. outlets
--       then event keys and ledger keys, which the items name by their position in KEYS
-- ARGV  1 group  2 consumer  3 chain  4 seq of the chain's last line  5 its mac  6 event memory in ms
--       7 number of outlets  8.. their names, in the order of KEYS
--       then per item, 10 each:
--       entry, route, payload, event key position (0 none), expected event value ("" absent, "*" not checked),
--       event value to write ("" none), ledger key position (0 none), expected ledger version ("" absent),
--       ledger to write ("" none), when it expires in ms since 1970
-- A ledger begins with its version and a space. The claims of a patient are committed all or none.
--
-- Answers a list, one status an item: done | not_mine | retry. A key of the wrong type: an error, nothing written.

local FIXED_KEYS, FIXED_ARGV, STRIDE = 4, 7, 10
local group, consumer, count = ARGV[1], ARGV[2], tonumber(ARGV[7])
local head = FIXED_ARGV + count
local outlets, allowed = {}, {stream = {1}, hash = {2, 3, 4}}
for number = 1, count do
  outlets[ARGV[FIXED_ARGV + number]] = KEYS[FIXED_KEYS + number]
  table.insert(allowed.stream, FIXED_KEYS + number)
end

for kind, positions in pairs(allowed) do
  for _, position in ipairs(positions) do
    local found = redis.call('TYPE', KEYS[position]).ok
    if found ~= kind and found ~= 'none' then
      return redis.error_reply('WRONGTYPE ' .. KEYS[position] .. ' is a ' .. found .. ', expected a ' .. kind)
    end
  end
end

local stored = {}
for position = FIXED_KEYS + count + 1, #KEYS do
  local found = redis.pcall('GET', KEYS[position])
  if type(found) == 'table' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[position] .. ' is not a string')
  end
  stored[position] = found or ''
end

local function mine(entry)
  local pending = redis.call('XPENDING', KEYS[1], group, entry, entry, 1)
  return #pending == 1 and pending[1][2] == consumer
end

local function version_of(ledger)
  return string.match(ledger, '^[^ ]*')
end

local statuses, items = {}, (#ARGV - head) / STRIDE
local owned, broken, settled = {}, {}, false
for item = 1, items do
  local at = head + (item - 1) * STRIDE
  if not outlets[ARGV[at + 2]] and ARGV[at + 2] ~= 'repeated' and ARGV[at + 2] ~= 'forwarded' then
    return redis.error_reply('ERR there is no outlet ' .. ARGV[at + 2])
  end
  owned[item] = mine(ARGV[at + 1])
end

-- An item that cannot be committed takes its patient's other items along, which may change what still others rest on:
-- so the batch is looked through until nothing changes, nearly always once.
while not settled do
  settled = true
  local now = {} -- what the keys hold once the items so far are committed
  for item = 1, items do
    local at = head + (item - 1) * STRIDE
    local event, expected, written = tonumber(ARGV[at + 4]), ARGV[at + 5], ARGV[at + 6]
    local ledger, version, entered = tonumber(ARGV[at + 7]), ARGV[at + 8], ARGV[at + 9]
    local status = owned[item] and 'done' or 'not_mine'
    if status == 'done' and event > 0 and expected ~= '*' and (now[event] or stored[event]) ~= expected then
      status = 'retry'
    end
    if status == 'done' and ledger > 0 and (broken[ledger] or version_of(now[ledger] or stored[ledger]) ~= version) then
      status = 'retry'
    end
    if status == 'done' then
      if written ~= '' then now[event] = written end
      if entered ~= '' then now[ledger] = entered end
    elseif ledger > 0 and not broken[ledger] then
      broken[ledger], settled = true, false
    end
    statuses[item] = status
  end
end

for item = 1, items do
  if statuses[item] == 'done' then
    local at = head + (item - 1) * STRIDE
    local entry, route, event, written = ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 4]), ARGV[at + 6]
    if outlets[route] then redis.call('XADD', outlets[route], '*', 'event', ARGV[at + 3]) end
    if ARGV[at + 9] ~= '' then redis.call('SET', KEYS[tonumber(ARGV[at + 7])], ARGV[at + 9], 'PXAT', ARGV[at + 10]) end
    if written ~= '' then redis.call('SET', KEYS[event], written, 'PX', ARGV[6]) end
    redis.call('HINCRBY', KEYS[2], route, 1)
    redis.call('HDEL', KEYS[4], entry)
    redis.call('XACK', KEYS[1], group, entry)
    redis.call('XDEL', KEYS[1], entry)
  end
end

if ARGV[3] ~= '' then redis.call('HSET', KEYS[3], ARGV[3], ARGV[4] .. ' ' .. ARGV[5]) end
return statuses
