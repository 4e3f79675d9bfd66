#!lua
-- Gives a camera to an ingest, unless another one holds it. Each hold is a new epoch.
-- KEYS  1 the holds
-- ARGV  1 camera  2 ingest  3 a random epoch  4 duration in ms
-- Returns 1, or 0 when it is held
local camera, ingest, epoch = ARGV[1], ARGV[2], ARGV[3]
local until_ms = redis.call('ZSCORE', KEYS[1], camera)
local holder = get(camera, 'holder')
if until_ms and tonumber(until_ms) > NOW and holder ~= ingest then return 0 end
know(camera)
redis.call('ZADD', KEYS[1], NOW + ARGV[4], camera)
set(camera, 'holder', ingest)
unset(camera, 'status', 'status_at')
begin_epoch(camera, epoch)
return 1
