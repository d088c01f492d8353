#!lua flags=allow-oom
-- A worker says that it is alive, by the clock of Redis.
-- KEYS  1 workers      ARGV  1 worker  2 what it says of itself, as JSON

local time = redis.call('TIME')
return redis.call('HSET', KEYS[1], ARGV[1], time[1] .. string.format('%03d', math.floor(time[2] / 1000)) .. ' ' .. ARGV[2])
