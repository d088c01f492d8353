#!lua flags=allow-oom
-- Puts other keys in force on a partition, if those stand that are expected; it may run when memory is full.
-- KEYS  1 rings      ARGV  1 what is expected there ("" nothing)  2 what is to stand there
-- Answers what stands then.

local found = redis.call('GET', KEYS[1]) or ''
if found == ARGV[1] and ARGV[2] ~= '' then
  redis.call('SET', KEYS[1], ARGV[2])
  return ARGV[2]
end
return found
