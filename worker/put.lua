#!lua flags=allow-oom
-- SET with an expiry that also works when memory is full: what holds the workers back must not fail for that.
-- KEYS  1 key      ARGV  1 value  2 expiry in ms  3.. more options of SET
-- Answers OK, or nothing where NX forbade it.

return redis.call('SET', KEYS[1], ARGV[1], 'PX', unpack(ARGV, 2))
