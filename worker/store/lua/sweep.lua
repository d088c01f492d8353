#!lua flags=allow-oom
-- Deletes texts that no entry of an outlet names. Who calls has looked through the outlets as far as it says; what came
-- in since is looked through here, in the same step: a commit writes its texts and the entries that name them at once.
-- KEYS  texts  outlets*
-- ARGV  1 how many new entries at most  2.. for each outlet the id of the last entry that was looked at; then the names
-- Answers how many were deleted; -1: more is new than may be looked through in one step, and nothing was done.

local most, new, left = tonumber(ARGV[1]), {}, {}
for number, outlet in ipairs(key.outlets) do
  local page = redis.call('XRANGE', outlet, '(' .. ARGV[1 + number], '+', 'COUNT', most + 1)
  if #page > most then return -1 end
  for _, entry in ipairs(page) do new[#new + 1] = entry end
end
for at = 2 + #key.outlets, #ARGV do left[ARGV[at]] = true end
for _, entry in ipairs(new) do
  for _, field in ipairs(entry[2]) do
    for name in string.gmatch(field, '"(%x+)"') do left[name] = nil end
  end
end
local deleted = 0
for name in pairs(left) do deleted = deleted + redis.call('HDEL', key.texts, name) end
return deleted
