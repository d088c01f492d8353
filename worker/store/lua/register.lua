#!lua flags=allow-oom
-- Registers events on their identity partition, where who comes first with an identity keeps it; and versions of claims
-- on that of their case, where the later one stays. To ask again with the same is safe.
-- KEYS  events*  fronts*    ARGV  1 event memory in ms  2.. for each key, what it is to hold; a front's "" is not written
-- Answers a list, what each key held before; an empty string where it held nothing.

local function digits(number) return (string.gsub(number, '^0+', '')) end

-- A revision is numbers with dashes between them, then maybe a colon and the stream; numbers may have 20 digits.
local function is_later(one, other)
  local left, right = string.match(one, '^[^: ]*'), string.match(other, '^[^: ]*')
  local of_left, of_right = string.gmatch(left, '%d+'), string.gmatch(right, '%d+')
  while true do
    local a, b = of_left(), of_right()
    if not a or not b then return a ~= nil and b == nil end
    a, b = digits(a), digits(b)
    if #a ~= #b then return #a > #b end
    if a ~= b then return a > b end
  end
end

local held, all = {}, {}
for _, list in ipairs({key.events, key.fronts}) do
  for _, name in ipairs(list) do all[#all + 1] = name end
end
for position, name in ipairs(all) do
  local found = redis.pcall('GET', name)
  if type(found) == 'table' then
    return redis.error_reply('WRONGTYPE ' .. name .. ' is not a string')
  end
  held[position] = found or ''
end
for position, name in ipairs(all) do
  local ours, front = ARGV[position + 1], position > #key.events
  if not front and held[position] == '' then redis.call('SET', name, ours, 'PX', ARGV[1]) end
  if front and ours ~= '' and (held[position] == '' or is_later(ours, held[position])) then
    local turn = string.match(ours, ' (%S+)$')
    if string.find(held[position], turn .. ' billed', 1, true) then ours = ours .. ' billed' end
    redis.call('SET', name, ours, 'PX', ARGV[1])
  end
end
return held
