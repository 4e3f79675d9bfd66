#!lua flags=allow-oom
-- Gives a camera back. Its frames stay: they are still worth analysing.
-- KEYS  1 the holds
-- ARGV  1 camera  2 epoch
local camera = ARGV[1]
if get(camera, 'epoch') == ARGV[2] then
    -- Expired, not gone: if nobody takes it, its tracks are closed as those of any camera without a holder.
    redis.call('ZADD', KEYS[1], NOW - 1, camera)
    unset(camera, 'holder', 'status', 'status_at')
end
