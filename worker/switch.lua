#!lua flags=allow-oom
-- Puts another book in force, or the one before the newest again, if it is still the expected one that is.
-- KEYS  1 book (a list: the digest in force, then those before it)  2 packed books by digest  3 switches  4 chains
-- ARGV  1 digest that is expected in force ("" the workers' own)  2 digest to put in force ("" the one before)
--       3 its packed book, compressed  4 what is kept of the switch, as JSON
--       5 audit chain  6 seq of the chain's last line  7 its mac  8 how many books are held
-- Answers 1, or 0 where another digest is in force.

-- First of all, since only an operator may: a script that is refused half-way leaves what it wrote.
local present = redis.call('HKEYS', KEYS[2])
redis.call('HSET', KEYS[4], ARGV[5], ARGV[6] .. ' ' .. ARGV[7])
if (redis.call('LINDEX', KEYS[1], 0) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then
  redis.call('LPOP', KEYS[1])
else
  redis.call('HSET', KEYS[2], ARGV[2], ARGV[3])
  redis.call('LPUSH', KEYS[1], ARGV[2])
end
redis.call('LPUSH', KEYS[3], ARGV[4])
redis.call('LTRIM', KEYS[3], 0, 99)

local wanted = {}
for _, digest in ipairs(redis.call('LRANGE', KEYS[1], 0, tonumber(ARGV[8]) - 1)) do wanted[digest] = true end
for _, digest in ipairs(present) do
  if not wanted[digest] then redis.call('HDEL', KEYS[2], digest) end
end
return 1
