#!lua flags=allow-oom
-- SET with an expiry that also works when memory is full: what makes the workers wait must not fail for that.
-- KEYS  1 key      ARGV  1 value  2 expiry in ms  3.. more options of SET
-- Answers OK, or nothing where NX forbade it. A key with more time left than it is ever given was set before the clock
-- of Redis was put back: it would forbid for as long as that was, so it is passed over.

if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then redis.call('DEL', KEYS[1]) end
return redis.call('SET', KEYS[1], ARGV[1], 'PX', unpack(ARGV, 2))
