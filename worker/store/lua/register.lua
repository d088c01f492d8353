#!lua flags=allow-oom
-- Registers events on their identity partition, where who comes first with an identity keeps it; and versions of claims
-- on that of their case, where the later one stays, and the partitions of all. To ask again with the same is safe.
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

-- The partitions of a front: those it lists, and the one on which its newest version is decided.
local function add_homes(front, homes)
  for number in string.gmatch(string.match(front, ' homes:([%d,]+)') or '', '%d+') do homes[tonumber(number)] = true end
  local registered = string.match(front, '^%S+ @(%d+) ')
  if registered then homes[tonumber(registered)] = true end
end

-- The later of both, with the partitions of the other.
local function joined(known, ours)
  local stays = known ~= '' and not is_later(ours, known)
  local front, homes, list = stays and known or ours, {}, {}
  local turn = string.match(ours, ' (%S+)$')
  if not stays and string.find(known, ' ' .. turn .. ' billed', 1, true) then front = front .. ' billed' end
  add_homes(known, homes)
  add_homes(ours, homes)
  local own = string.match(front, '^%S+ @(%d+) ')
  if own then homes[tonumber(own)] = nil end
  for number in pairs(homes) do list[#list + 1] = number end
  table.sort(list)
  front = string.gsub(front, ' homes:[%d,]+', '')
  return #list > 0 and front .. ' homes:' .. table.concat(list, ',') or front, stays
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
  if front and ours ~= '' then
    local new, stays = joined(held[position], ours)
    if stays and new ~= held[position] then redis.call('SET', name, new, 'KEEPTTL') end
    if not stays then redis.call('SET', name, new, 'PX', ARGV[1]) end
  end
end
return held
