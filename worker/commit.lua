#!lua flags=allow-oom
-- Commits a batch of decided claims: publishes each result and takes its entry off the inbox, in one step.
--
-- Redis does not roll a script back. So everything that can be refused is read and checked first, and only then
-- is written, per claim in an order in which an error half way leaves the entry pending, never acknowledged.
-- It may run when memory is full, since it frees what it takes in.
--
-- KEYS  1 inbox  2 counters  3 chains  4 attempts  5 billing  6 rework  7 unchecked  8 quarantine
--       9.. event keys and ledger keys, which the items name by their position in KEYS
-- ARGV  1 group  2 consumer  3 chain  4 seq of the chain's last line  5 its mac  6 event memory in ms
--       then per item, 8 each:
--       entry, route, payload, event key position (0 none), expected event value ("" absent, "*" not checked),
--       event value to write ("" none), ledger key position (0 none), expected ledger version
--
-- Answers a list, one status an item: done | not_mine | retry. A key of the wrong type: an error, nothing written.

local HEAD, STRIDE, FIRST_FREE_KEY = 6, 8, 9
local group, consumer = ARGV[1], ARGV[2]
local outlets = {billing = KEYS[5], rework = KEYS[6], unchecked = KEYS[7], quarantine = KEYS[8]}
local allowed = {stream = {1, 5, 6, 7, 8}, hash = {2, 3, 4}}

for kind, positions in pairs(allowed) do
  for _, position in ipairs(positions) do
    local found = redis.call('TYPE', KEYS[position]).ok
    if found ~= kind and found ~= 'none' then
      return redis.error_reply('WRONGTYPE ' .. KEYS[position] .. ' is a ' .. found .. ', expected a ' .. kind)
    end
  end
end

local events, ledgers = {}, {}

local function event_value(position)
  if events[position] == nil then
    local found = redis.pcall('GET', KEYS[position])
    if type(found) == 'table' then
      return nil, redis.error_reply('WRONGTYPE ' .. KEYS[position] .. ' is not a string')
    end
    events[position] = found or ''
  end
  return events[position]
end

local function ledger_version(position)
  if ledgers[position] == nil then
    local found = redis.pcall('HGET', KEYS[position], 'version')
    if type(found) == 'table' then
      return nil, redis.error_reply('WRONGTYPE ' .. KEYS[position] .. ' is not a hash')
    end
    ledgers[position] = found or ''
  end
  return ledgers[position]
end

local function mine(entry)
  local pending = redis.call('XPENDING', KEYS[1], group, entry, entry, 1)
  return #pending == 1 and pending[1][2] == consumer
end

local statuses, items = {}, (#ARGV - HEAD) / STRIDE
for item = 1, items do
  local at = HEAD + (item - 1) * STRIDE
  local entry, route = ARGV[at + 1], ARGV[at + 2]
  local event, expected, written = tonumber(ARGV[at + 4]), ARGV[at + 5], ARGV[at + 6]
  local ledger, version = tonumber(ARGV[at + 7]), ARGV[at + 8]
  local status = 'done'
  if not outlets[route] and route ~= 'repeated' then
    return redis.error_reply('ERR there is no outlet ' .. route)
  elseif not mine(entry) then
    status = 'not_mine'
  end
  if status == 'done' and event >= FIRST_FREE_KEY then
    local found, refusal = event_value(event)
    if refusal then return refusal end
    if expected ~= '*' and found ~= expected then status = 'retry' end
  end
  if status == 'done' and ledger >= FIRST_FREE_KEY then
    local found, refusal = ledger_version(ledger)
    if refusal then return refusal end
    if found ~= version then status = 'retry' end
  end
  -- A later item of this batch is measured against what an earlier one is about to write.
  if status == 'done' and written ~= '' then events[event] = written end
  statuses[item] = status
end

for item = 1, items do
  if statuses[item] == 'done' then
    local at = HEAD + (item - 1) * STRIDE
    local entry, route, event, written = ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 4]), ARGV[at + 6]
    if outlets[route] then redis.call('XADD', outlets[route], '*', 'event', ARGV[at + 3]) end
    if written ~= '' then redis.call('SET', KEYS[event], written, 'PX', ARGV[6]) end
    redis.call('HINCRBY', KEYS[2], route, 1)
    redis.call('HDEL', KEYS[4], entry)
    redis.call('XACK', KEYS[1], group, entry)
    redis.call('XDEL', KEYS[1], entry)
  end
end

if ARGV[3] ~= '' then redis.call('HSET', KEYS[3], ARGV[3], ARGV[4] .. ' ' .. ARGV[5]) end
return statuses
