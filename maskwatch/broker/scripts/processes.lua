#!lua flags=allow-oom
-- KEYS  1 the deadlines  2 the infos
-- Returns {KIND/NAME, info, ms since its last sign of life} for each process that is alive, and forgets the others
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', NOW)) do
    redis.call('ZREM', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id)
end
local answers = {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    local at, info = (redis.call('HGET', KEYS[2], id) or ''):match('^(%d+) (.*)$')
    if at then answers[#answers + 1] = {id, info, NOW - at} end
end
return answers
