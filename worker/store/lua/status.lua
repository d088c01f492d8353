#!lua flags=no-writes
-- One snapshot of a partition: every term of the reconciliation at the same instant.
-- KEYS  1 inbox  2 counters  3 workers  4 hold  5 samples  6 progress  7.. outlets      ARGV  1 group
-- Answers: TIME, XINFO STREAM of the inbox, its XINFO CONSUMERS, XPENDING, first waiting entry, HGETALL of the
-- counters, HGETALL of the workers, GET of the hold, the samples, the progress, then per outlet XLEN and XINFO GROUPS; an empty list
-- for what is not there.

local function ask(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then return {} end
  return answer or {}
end

local stream, groups = ask('XINFO', 'STREAM', KEYS[1]), ask('XINFO', 'GROUPS', KEYS[1])
local last = '0-0'
for _, group in ipairs(groups) do
  local fields = {}
  for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
  if fields.name == ARGV[1] then last = fields['last-delivered-id'] end
end
local answer = {
  redis.call('TIME'), stream, ask('XINFO', 'CONSUMERS', KEYS[1], ARGV[1]), ask('XPENDING', KEYS[1], ARGV[1]),
  ask('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1), ask('HGETALL', KEYS[2]), ask('HGETALL', KEYS[3]),
  ask('GET', KEYS[4]), ask('LRANGE', KEYS[5], 0, -1), ask('GET', KEYS[6]),
}
for position = 7, #KEYS do
  table.insert(answer, {ask('XLEN', KEYS[position]), ask('XINFO', 'GROUPS', KEYS[position])})
end
return answer
