#!lua flags=allow-oom
-- Registers events on their identity partition: who comes first with an identity keeps it. To ask again with the same is safe.
-- KEYS  event keys      ARGV  1 event memory in ms  2.. for each key, what it is to hold
-- Answers a list, what each key held before; an empty string where it held nothing.

local found = {}
for position, key in ipairs(KEYS) do
  local held = redis.pcall('GET', key)
  if type(held) == 'table' then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is not a string')
  end
  if not held then redis.call('SET', key, ARGV[position + 1], 'PX', ARGV[1]) end
  found[position] = held or ''
end
return found
