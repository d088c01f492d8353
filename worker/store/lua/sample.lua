#!lua flags=allow-oom
-- Keeps what was accepted and decided so far, so that rates can be computed.
-- KEYS  1 samples      ARGV  1 `ms accepted decided`  2 how many are kept

redis.call('LPUSH', KEYS[1], ARGV[1])
return redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
