#!lua flags=allow-oom
-- Deletes from an outlet what every consumer group has acknowledged, and what is older than the retention.
-- An entry that one group has not had yet, or has and did not acknowledge, stays, and so does all that came after it.
-- An outlet without a group is nobody's to trim.
-- KEYS  1 outlet      ARGV  1 retention in ms  2 how many at most, about
-- Answers how many were deleted.

local function parts(id)
  local ms, seq = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(seq)
end

local function less(a, b)
  local ams, aseq = parts(a)
  local bms, bseq = parts(b)
  return ams < bms or (ams == bms and aseq < bseq)
end

local function after(id)
  local ms, seq = parts(id)
  return string.format('%.0f-%.0f', ms, seq + 1)
end

if redis.call('TYPE', KEYS[1]).ok ~= 'stream' then return 0 end
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
if #groups == 0 then return 0 end
local time = redis.call('TIME')
local keep = string.format('%.0f-0', math.max(0, time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]))
for _, group in ipairs(groups) do
  local fields = {}
  for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
  local first = after(fields['last-delivered-id'])
  local pending = redis.call('XPENDING', KEYS[1], fields.name)
  if pending[1] > 0 and less(pending[2], first) then first = pending[2] end
  if less(first, keep) then keep = first end
end
-- `~` deletes whole nodes of the stream alone, never more than is asked for: cheap, and a few stay a little longer.
return redis.call('XTRIM', KEYS[1], 'MINID', '~', keep, 'LIMIT', ARGV[2])
