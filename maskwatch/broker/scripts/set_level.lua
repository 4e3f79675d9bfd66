#!lua flags=allow-oom
-- Changes the level of shedding, if the worker still decides and nobody has changed it since.
-- KEYS  1 the shedding
-- ARGV  1 worker  2 the level so far  3 the new level
-- Returns 1, or 0 when nothing was changed
local level, decider, until_ms = unpack(redis.call('HMGET', KEYS[1], 'level', 'decider', 'until'))
if decider ~= ARGV[1] or tonumber(until_ms) <= NOW or (level or '0') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'level', ARGV[3])
return 1
