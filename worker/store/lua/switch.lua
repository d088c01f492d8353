#!lua flags=allow-oom
-- Puts another book and other overrides in force, if what is expected still is.
-- KEYS  1 book (a list: the digest in force, then those before it)  2 packed books by digest, and what belongs to them
--       3 switches  4 chains
-- ARGV  1 digest that is expected in force ("" the workers' own)  2 how many entries the list is expected to have
--       3 what is kept of the switch, as JSON  4 audit chain  5 seq of the chain's last line  6 its mac
--       7 how many books are held  8 how many entries are taken off first  9 how many are put on then
--       then for each of them its digest and its overrides, as JSON; then fields of 2 with their values
-- Answers 1, or 0 where something else is in force.

-- First of all, since only an operator may: a script that is refused half-way leaves what it wrote.
local present = redis.call('HKEYS', KEYS[2])
redis.call('HSET', KEYS[4], ARGV[4], ARGV[5] .. ' ' .. ARGV[6])
local stack = redis.call('LRANGE', KEYS[1], 0, -1)
if (stack[1] or '') ~= ARGV[1] or #stack ~= tonumber(ARGV[2]) then return 0 end

local height, place = #stack - tonumber(ARGV[8]), 10
for _ = 1, tonumber(ARGV[8]) do redis.call('LPOP', KEYS[1]) end
for _ = 1, tonumber(ARGV[9]) do
  height = height + 1
  redis.call('LPUSH', KEYS[1], ARGV[place])
  redis.call('HSET', KEYS[2], 'laid:' .. height, ARGV[place + 1])
  place = place + 2
end
for field = place, #ARGV, 2 do redis.call('HSET', KEYS[2], ARGV[field], ARGV[field + 1]) end
redis.call('LPUSH', KEYS[3], ARGV[3])
redis.call('LTRIM', KEYS[3], 0, 99)

-- What no longer belongs to one of the newest entries, or to what the workers judged by before the first, goes.
local wanted = {switched = true, ground = true}
local function want(basis)
  wanted[basis.book] = true
  wanted['overrides:' .. tostring(basis.overrides)] = true
end
for depth, digest in ipairs(redis.call('LRANGE', KEYS[1], 0, tonumber(ARGV[7]) - 1)) do
  local field = 'laid:' .. (height - depth + 1)
  wanted[digest], wanted[field] = true, true
  local text = redis.call('HGET', KEYS[2], field)
  if text then want(cjson.decode(text)) end
end
local ground = redis.call('HGET', KEYS[2], 'ground')
if ground then
  for _, basis in ipairs(cjson.decode(ground)) do want(basis) end
end
for _, field in ipairs(present) do
  if not wanted[field] then redis.call('HDEL', KEYS[2], field) end
end
return 1
