#!lua flags=allow-oom
-- Makes a partition one of layout 2. What is on its inbox by now was written under layout 1, and is read so; what comes
-- later has a greater id, and there no field that only workers should write is believed. To do it again changes nothing.
-- KEYS  meta  inbox  inner      ARGV  1 group
-- Answers the id of the last entry of layout 1.

local cut = redis.call('HGET', key.meta, 'cut')
if cut then return cut end
for _, stream in ipairs({key.inbox, key.inner}) do
  local made = redis.pcall('XGROUP', 'CREATE', stream, ARGV[1], '0', 'MKSTREAM')
  if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
end
local fields, about = {}, redis.call('XINFO', 'STREAM', key.inbox)
for i = 1, #about, 2 do fields[about[i]] = about[i + 1] end
cut = fields['last-generated-id']
redis.call('HSET', key.meta, 'layout', 2, 'cut', cut)
return cut
