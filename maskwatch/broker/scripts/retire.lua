#!lua flags=allow-oom
-- Takes a camera out: its frames now, the rest once a worker has closed its tracks.
-- KEYS  1 the configured cameras
-- ARGV  1 camera  2 a random epoch, which nobody holds
local camera = ARGV[1]
redis.call('HDEL', KEYS[1], camera)
if redis.call('SISMEMBER', K.KNOWN, camera) == 0 or get(camera, 'retiring') then return end
drop_next(camera, 'removed')
drop_taken(camera, 'removed')
if not get(camera, 'state') then return forget(camera) end
redis.call('ZREM', K.HOLDS, camera)
unset(camera, 'holder', 'status', 'status_at')
set(camera, 'epoch', ARGV[2], 'retiring', 1, 'finish', 1)
refresh(camera)
