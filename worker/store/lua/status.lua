#!lua flags=no-writes
-- One snapshot of a partition: every term of the reconciliation at the same instant.
-- KEYS  meta  counters  workers  hold  samples  progress  streams*  outlets*      ARGV  1 group
-- Answers: TIME, HGETALL of the counters, HGETALL of the workers, GET of the hold, the samples, the progress, what producers are told; then of
-- each stream on which entries come in XINFO STREAM, XINFO CONSUMERS, XPENDING and the first that waits; then of each
-- outlet XLEN and XINFO GROUPS; an empty list for what is not there.

local function ask(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then return {} end
  return answer or {}
end

local function incoming(stream)
  local last = '0-0'
  for _, group in ipairs(ask('XINFO', 'GROUPS', stream)) do
    local fields = {}
    for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
    if fields.name == ARGV[1] then last = fields['last-delivered-id'] end
  end
  return {
    ask('XINFO', 'STREAM', stream), ask('XINFO', 'CONSUMERS', stream, ARGV[1]), ask('XPENDING', stream, ARGV[1]),
    ask('XRANGE', stream, '(' .. last, '+', 'COUNT', 1),
  }
end

local streams, outlets = {}, {}
for number, stream in ipairs(key.streams) do streams[number] = incoming(stream) end
for number, outlet in ipairs(key.outlets) do outlets[number] = {ask('XLEN', outlet), ask('XINFO', 'GROUPS', outlet)} end
return {
  redis.call('TIME'), ask('HGETALL', key.counters), ask('HGETALL', key.workers), ask('GET', key.hold),
  ask('LRANGE', key.samples, 0, -1), ask('GET', key.progress), ask('HGET', key.meta, 'full'), streams, outlets,
}
