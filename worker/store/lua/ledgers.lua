-- Writes ledgers that are still what they were read as. It is refused when memory is full, since it frees nothing.
-- KEYS  1 chains  2 rings  3.. ledgers
-- ARGV  1 audit chain  2 seq of the chain's last line  3 its head  4 keys that are expected in force
--       then per ledger, 3 each: expected version ("" absent), ledger, when it expires in ms since 1970
-- Answers a list, one a ledger: 1 written, 0 it changed meanwhile.

if (redis.call('GET', KEYS[2]) or '') ~= ARGV[4] then
  return redis.error_reply('STALEKEYS other keys are in force')
end
local stored = {}
for place = 3, #KEYS do
  local found = redis.pcall('GET', KEYS[place])
  if type(found) == 'table' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[place] .. ' is not a string')
  end
  stored[place] = string.match(found or '', '^[^ ]*')
end

local statuses = {}
for place = 3, #KEYS do
  local at = 4 + (place - 3) * 3
  statuses[place - 2] = stored[place] == ARGV[at + 1] and 1 or 0
  if statuses[place - 2] == 1 then redis.call('SET', KEYS[place], ARGV[at + 2], 'PXAT', ARGV[at + 3]) end
end
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3]) end
return statuses
