#!lua
-- Makes cameras known, again after everything was flushed.
-- KEYS  1 the configured cameras
-- ARGV  camera, info, ...
for i = 1, #ARGV, 2 do
    local camera, info = ARGV[i], ARGV[i + 1]
    know(camera)
    redis.call('HSET', KEYS[1], camera, info)
    set(camera, 'info', info)
end
