#!lua flags=allow-oom
-- KEYS  1 the ingests
-- ARGV  1 duration in ms  2 an ingest that is alive
-- Returns all that are alive
redis.call('ZADD', KEYS[1], NOW + ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', NOW)
return redis.call('ZRANGE', KEYS[1], 0, -1)
