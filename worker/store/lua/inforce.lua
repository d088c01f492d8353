#!lua flags=no-writes
-- What is in force: the digest of the book on top of the stack, and the overrides that were put in force with it.
-- KEYS  1 book (a list: the digest in force, then those before it)  2 packed books, and the overrides of each entry
-- Answers both, empty where there is none.

local stack = redis.call('LRANGE', KEYS[1], 0, -1)
return {stack[1] or '', redis.call('HGET', KEYS[2], 'laid:' .. #stack) or ''}
