-- Writes ledgers that are still what they were read as. It is refused when memory is full, since it frees nothing.
-- KEYS  1 chains  2.. ledgers
-- ARGV  1 audit chain  2 seq of the chain's last line  3 its mac
--       then per ledger, 3 each: expected version ("" absent), ledger, when it expires in ms since 1970
-- Answers a list, one a ledger: 1 written, 0 it changed meanwhile.

local stored = {}
for place = 2, #KEYS do
  local found = redis.pcall('GET', KEYS[place])
  if type(found) == 'table' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[place] .. ' is not a string')
  end
  stored[place] = string.match(found or '', '^[^ ]*')
end

local statuses = {}
for place = 2, #KEYS do
  local at = 3 + (place - 2) * 3
  statuses[place - 1] = stored[place] == ARGV[at + 1] and 1 or 0
  if statuses[place - 1] == 1 then redis.call('SET', KEYS[place], ARGV[at + 2], 'PXAT', ARGV[at + 3]) end
end
if ARGV[1] ~= '' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3]) end
return statuses
