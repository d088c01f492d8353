#!lua flags=allow-oom
-- Gives ledgers that stand under a patient key of before their name under the key in force; none is there twice.
-- Every worker that may commit on this partition looks for both names, since a commit under other keys is refused.
-- KEYS  1 rings  2.. per ledger: its name under the key in force, and one under a key of before
-- ARGV  1 keys that are expected in force
-- Answers a list, what each ledger holds under the key in force; an empty string where there is none.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return redis.error_reply('STALEKEYS other keys are in force')
end
local found = {}
for place = 2, #KEYS, 2 do
  local here = redis.pcall('GET', KEYS[place])
  local before = redis.pcall('GET', KEYS[place + 1])
  if type(here) == 'table' or type(before) == 'table' then
    return redis.error_reply('WRONGTYPE ' .. KEYS[place] .. ' is not a string')
  end
  if not here and before then
    local left = redis.call('PTTL', KEYS[place + 1])
    if left > 0 then
      redis.call('SET', KEYS[place], before, 'PX', left)
    else
      redis.call('SET', KEYS[place], before)
    end
    redis.call('DEL', KEYS[place + 1])
    here = before
  end
  found[#found + 1] = here or ''
end
return found
