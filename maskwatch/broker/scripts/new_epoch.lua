#!lua
-- Begins another epoch under the same hold: a file's next round, a changed source.
-- KEYS  1 the holds
-- ARGV  1 camera  2 the epoch so far  3 a random epoch  4 duration in ms
-- Returns 1, also when it has begun already and that answer was lost on the way, or 0 when the hold is lost
local camera = ARGV[1]
local current, holder = get(camera, 'epoch', 'holder')
if current == ARGV[3] and holder then
    redis.call('ZADD', KEYS[1], NOW + ARGV[4], camera)
    return 1
end
if current ~= ARGV[2] or not holder then return 0 end
redis.call('ZADD', KEYS[1], NOW + ARGV[4], camera)
begin_epoch(camera, ARGV[3])
return 1
