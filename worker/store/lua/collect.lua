#!lua flags=allow-oom
-- Keeps what was decided on a claim of a file until that file is written; the first decision on it stands.
-- It may run when memory is full, since what it takes in can then be trimmed off its outlet.
-- KEYS  1 exit        ARGV  1 field  2 decision
-- Answers 1 kept, 0 another one is there, -1 the file is written or being written, -2 nothing is known of it.

local found = redis.pcall('HGET', KEYS[1], 'state')
if type(found) == 'table' then return redis.error_reply('WRONGTYPE ' .. KEYS[1] .. ' is no hash') end
if not found then return -2 end
if found ~= 'open' then return -1 end
return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
