#!lua flags=allow-oom
-- Forgets a worker's load; if it decided, another may at once. The level stays for as long as it lasts.
-- KEYS  1 the loads
-- ARGV  1 worker
redis.call('HDEL', KEYS[1], ARGV[1])
if redis.call('HGET', K.SHEDDING, 'decider') == ARGV[1] then redis.call('HDEL', K.SHEDDING, 'decider', 'until') end
