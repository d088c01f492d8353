#!lua flags=allow-oom
-- Keeps when entries were received that were handed out in the same transaction, before this script: XREADGROUP itself
-- answers the worker, as a script that hands its answer on copies each claim twice.
--
-- An entry of a producer is received when it is handed out: its id is the producer's own choice. So is one whose id is
-- ahead of the clock: somebody chose it, or the clock was put back. That moment is kept until the entry is decided.
-- In layout 1 nothing is kept, as nobody else would know of it.
--
-- KEYS  meta  receipts  streams*
-- ARGV  1 group  2 consumer  then of each stream two: its name (a producer's, 'inner', or '' for the inbox), and the
--       last entry that this consumer was handed before, or '-'
-- Answers the time in ms, layout, cut ('' none).

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
-- No HMGET: in layout 1 users may still have the rights of before, which knew none.
local answer = {now, tonumber(redis.call('HGET', key.meta, 'layout') or 1), redis.call('HGET', key.meta, 'cut') or ''}
if answer[2] < 2 then return answer end

local function keep(names)
  for first = 1, #names, 1000 do
    local last, new = math.min(first + 999, #names), {}
    local known = redis.call('HMGET', key.receipts, unpack(names, first, last))
    for number = first, last do
      if not known[number - first + 1] then
        new[#new + 1] = names[number]
        new[#new + 1] = now
      end
    end
    if #new > 0 then redis.call('HSET', key.receipts, unpack(new)) end
  end
end

-- What this consumer has of a stream, from an id on; a page at a time. Of a stream that could not be read, for want of
-- its group, it was handed nothing; the others were read all the same.
local function each_of(stream, start, with)
  repeat
    local rows = redis.pcall('XPENDING', stream, ARGV[1], start, '+', 1000, ARGV[2])
    if rows.err then return end
    for _, row in ipairs(rows) do with(row[1]) end
    if #rows > 0 then start = '(' .. rows[#rows][1] end
  until #rows < 1000
end

for number, stream in ipairs(key.streams) do
  local name, last, names = ARGV[1 + 2 * number], ARGV[2 + 2 * number], {}
  local function note(entry) names[#names + 1] = name == '' and entry or name .. ':' .. entry end
  if name ~= '' and name ~= 'inner' then
    each_of(stream, last == '-' and last or '(' .. last, note)
  else
    -- Ids rise: where the stream has none behind the clock's, none of those that were handed out is.
    local ahead = '(' .. now .. '-18446744073709551615'
    local found = redis.pcall('XRANGE', stream, ahead, '+', 'COUNT', 1)
    if found[1] then each_of(stream, ahead, note) end
  end
  keep(names)
end
return answer
