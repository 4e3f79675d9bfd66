#!lua flags=no-writes
-- KEYS  1 the known cameras
-- Returns {latency, wait, removed, confidence, cameras}: four hashes as field, value, ...; a camera is
--         {name, number of frames waiting, number in flight, its counters as field, value, ...}
local cameras = {}
for _, camera in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    local next_id, kind = get(camera, 'next_id', 'taken_kind')
    cameras[#cameras + 1] = {camera, next_id and 1 or 0, kind == 'frame' and 1 or 0,
        redis.call('HGETALL', K.COUNTS .. camera)}
end
return {redis.call('HGETALL', K.LATENCY), redis.call('HGETALL', K.WAIT), redis.call('HGETALL', K.REMOVED),
    redis.call('HGETALL', K.CONFIDENCE), cameras}
