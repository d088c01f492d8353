#!lua flags=allow-oom
-- Commits a batch of decided claims: publishes each result and takes its entry off the inbox, in one step.
--
-- Redis does not roll a script back. So everything that can be refused is read and checked first. Then each claim is
-- published and what it leaves in ledger and event memory is written, claim by claim; only after the last one are
-- entries acknowledged, all of a stream at once. An error half way leaves all of the batch pending: what was published
-- by then is in the event memory, so that it is taken for a repeated event when it is judged again, but for the one
-- claim that it struck between the two writes. It may run when memory is full, since it frees what it takes in.
--
-- KEYS  rings  counters  chains  attempts  receipts  texts  outlets*  streams*
--       memory*: event keys, ledger keys and fronts, which the items name by their number in this list
-- ARGV  1 group  2 consumer  3 chain  4 seq of the chain's last line  5 its head  6 event memory in ms
--       7 the keys that are expected in force  8 how many texts are given by name
--       9.. the outlets' names, then the streams' names ('' the inbox), both in the order of the keys; then name and
--       text of each, which are written before what names them
--       then per item, 15 each:
--       stream's number, entry's id, route, payload, event key's number (0 none), expected event value ("" absent,
--       "*" not checked), event value to write ("" none), ledger key's number (0 none), expected ledger version (""
--       absent), ledger to write ("" none), when it expires in ms since 1970, front's number (0 none), expected front
--       ("" absent), front to write ("" none), for how long in ms
-- A ledger begins with its version and a space. The claims of a patient are committed all or none.
--
-- Answers a list, one status an item: done | not_mine | retry. A key of the wrong type, or other keys in force (they
-- were rotated since it was judged): an error, nothing written.

local FIXED_ARGV, STRIDE = 8, 15
local group, consumer = ARGV[1], ARGV[2]
local outlets, streams = {}, FIXED_ARGV + #key.outlets
local texts = streams + #key.streams
local head = texts + 2 * tonumber(ARGV[8])
for number, outlet in ipairs(key.outlets) do outlets[ARGV[FIXED_ARGV + number]] = outlet end

if (redis.call('GET', key.rings) or '') ~= ARGV[7] then
  return redis.error_reply('STALEKEYS other keys are in force')
end

for kind, names in pairs({
  stream = {key.outlets, key.streams}, hash = {{key.counters, key.chains, key.attempts, key.receipts, key.texts}},
}) do
  for _, list in ipairs(names) do
    for _, name in ipairs(list) do
      local wrong = wants(kind, name)
      if wrong then return wrong end
    end
  end
end

-- A command takes no more than a few thousand arguments from `unpack`.
local function in_pages(list, each)
  for first = 1, #list, 1000 do each(unpack(list, first, math.min(first + 999, #list))) end
end

local stored = {}
in_pages(key.memory, function(...)
  for _, found in ipairs(redis.call('MGET', ...)) do stored[#stored + 1] = found or '' end
end)
local absent = {} -- or of another type: MGET answers both alike
for number, name in ipairs(key.memory) do
  if stored[number] == '' then absent[#absent + 1] = name end
end
local there = 0
in_pages(absent, function(...) there = there + redis.call('EXISTS', ...) end)
if there > 0 then
  for _, name in ipairs(absent) do
    local wrong = wants('string', name)
    if wrong then return wrong end
  end
end

local statuses, items = {}, (#ARGV - head) / STRIDE
local of_stream, owned, broken, settled = {}, {}, {}, false
for item = 1, items do
  local at = head + (item - 1) * STRIDE
  if not outlets[ARGV[at + 3]] and ARGV[at + 3] ~= 'repeated' and ARGV[at + 3] ~= 'forwarded' then
    return redis.error_reply('ERR there is no outlet ' .. ARGV[at + 3])
  end
  local number = tonumber(ARGV[at + 1])
  of_stream[number] = of_stream[number] or {}
  table.insert(of_stream[number], item)
end

-- What is pending with this consumer from the batch's first entry on, as many as the batch has: nearly always the
-- batch. Whatever is not among them is asked for by itself.
for number, list in pairs(of_stream) do
  local stream, with_me = key.streams[number], {}
  local first = ARGV[head + (list[1] - 1) * STRIDE + 2]
  for _, row in ipairs(redis.call('XPENDING', stream, group, first, '+', #list, consumer)) do with_me[row[1]] = true end
  for _, item in ipairs(list) do
    local entry = ARGV[head + (item - 1) * STRIDE + 2]
    owned[item] = with_me[entry] or #redis.call('XPENDING', stream, group, entry, entry, 1, consumer) == 1
  end
end

local function version_of(ledger)
  return string.match(ledger, '^[^ ]*')
end

-- An item that cannot be committed takes its patient's other items along, which may change what still others rest on:
-- so the batch is looked through until nothing changes, nearly always once.
while not settled do
  settled = true
  local now = {} -- what the keys hold once the items so far are committed
  for item = 1, items do
    local at = head + (item - 1) * STRIDE
    local event, expected, written = tonumber(ARGV[at + 5]), ARGV[at + 6], ARGV[at + 7]
    local ledger, version, entered = tonumber(ARGV[at + 8]), ARGV[at + 9], ARGV[at + 10]
    local front, newest, shown = tonumber(ARGV[at + 12]), ARGV[at + 13], ARGV[at + 14]
    local status = owned[item] and 'done' or 'not_mine'
    if status == 'done' and event > 0 and expected ~= '*' and (now[event] or stored[event]) ~= expected then
      status = 'retry'
    end
    if status == 'done' and ledger > 0 and (broken[ledger] or version_of(now[ledger] or stored[ledger]) ~= version) then
      status = 'retry'
    end
    if status == 'done' and front > 0 and (now[front] or stored[front]) ~= newest then status = 'retry' end
    if status == 'done' then
      if written ~= '' then now[event] = written end
      if entered ~= '' then now[ledger] = entered end
      if shown ~= '' then now[front] = shown end
    elseif ledger > 0 and not broken[ledger] then
      broken[ledger], settled = true, false
    end
    statuses[item] = status
  end
end

for at = texts + 1, head, 2 do redis.call('HSETNX', key.texts, ARGV[at], ARGV[at + 1]) end

local routed = {}
for item = 1, items do
  if statuses[item] == 'done' then
    local at = head + (item - 1) * STRIDE
    local route, event, written = ARGV[at + 3], tonumber(ARGV[at + 5]), ARGV[at + 7]
    if outlets[route] then redis.call('XADD', outlets[route], '*', 'event', ARGV[at + 4]) end
    if ARGV[at + 10] ~= '' then
      redis.call('SET', key.memory[tonumber(ARGV[at + 8])], ARGV[at + 10], 'PXAT', ARGV[at + 11])
    end
    if ARGV[at + 14] ~= '' then
      redis.call('SET', key.memory[tonumber(ARGV[at + 12])], ARGV[at + 14], 'PX', ARGV[at + 15])
    end
    if written ~= '' then redis.call('SET', key.memory[event], written, 'PX', ARGV[6]) end
    routed[route] = (routed[route] or 0) + 1
  end
end
for route, count in pairs(routed) do redis.call('HINCRBY', key.counters, route, count) end

local tried, received = redis.call('EXISTS', key.attempts) == 1, redis.call('EXISTS', key.receipts) == 1
for number, list in pairs(of_stream) do
  local stream, name, entries, names = key.streams[number], ARGV[streams + number], {}, {}
  for _, item in ipairs(list) do
    if statuses[item] == 'done' then
      local entry = ARGV[head + (item - 1) * STRIDE + 2]
      entries[#entries + 1] = entry
      names[#names + 1] = name == '' and entry or name .. ':' .. entry
    end
  end
  if tried then in_pages(names, function(...) redis.call('HDEL', key.attempts, ...) end) end
  in_pages(entries, function(...)
    redis.call('XACK', stream, group, ...)
    redis.call('XDEL', stream, ...)
  end)
  -- Of each producer, how many of its entries were taken off: it alone can make that unlike what it has put in.
  if name ~= '' and name ~= 'inner' and #names > 0 then redis.call('HINCRBY', key.counters, 'taken:' .. name, #names) end
  -- After all that they were for. The id of most entries of the inbox says when they came; those have no receipt.
  if received then in_pages(names, function(...) redis.call('HDEL', key.receipts, ...) end) end
end

if ARGV[3] ~= '' then redis.call('HSET', key.chains, ARGV[3], ARGV[4] .. ' ' .. ARGV[5]) end
return statuses
