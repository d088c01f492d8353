#!lua flags=no-writes
-- One snapshot of a partition: every term of the books at the same instant.
-- KEYS  1 inbox  2 counters  3.. outlets      ARGV  1 group
-- Answers: XINFO STREAM of the inbox, its XINFO GROUPS, XINFO CONSUMERS, XPENDING, first waiting entry, HGETALL of
-- the counters, then per outlet XLEN and XINFO GROUPS; an empty list for a stream that is not there.

local function ask(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then return {} end
  return answer
end

local stream, groups = ask('XINFO', 'STREAM', KEYS[1]), ask('XINFO', 'GROUPS', KEYS[1])
local last = '0-0'
for _, group in ipairs(groups) do
  local fields = {}
  for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
  if fields.name == ARGV[1] then last = fields['last-delivered-id'] end
end
local answer = {
  stream, groups, ask('XINFO', 'CONSUMERS', KEYS[1], ARGV[1]), ask('XPENDING', KEYS[1], ARGV[1]),
  ask('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1), ask('HGETALL', KEYS[2]),
}
for position = 3, #KEYS do
  table.insert(answer, {ask('XLEN', KEYS[position]), ask('XINFO', 'GROUPS', KEYS[position])})
end
return answer
