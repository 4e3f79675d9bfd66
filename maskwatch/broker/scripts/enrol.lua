#!lua flags=allow-oom
-- Enters a process into the book, or says that it is still alive.
-- KEYS  1 the deadlines  2 the infos
-- ARGV  1 KIND/NAME  2 info  3 duration in ms
redis.call('ZADD', KEYS[1], NOW + ARGV[3], ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], NOW .. ' ' .. ARGV[2])
