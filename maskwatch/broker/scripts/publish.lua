#!lua
-- Keeps what an ingest says about its camera, and counts when it goes offline or comes online.
-- KEYS  1 the holds
-- ARGV  1 camera  2 epoch  3 status  4 '1' it is live, '0' it is lost, '' neither  5 why, for a person
-- Returns 1, or 0 when the hold is lost
local camera, up = ARGV[1], ARGV[4]
local current, holder, was_up = get(camera, 'epoch', 'holder', 'up')
if current ~= ARGV[2] or not holder then return 0 end
set(camera, 'status', ARGV[3], 'status_at', NOW)
if up ~= '' and up ~= was_up then
    set(camera, 'up', up)
    happen(camera, up == '1' and 'camera_online' or 'camera_offline', current, ARGV[5])
end
return 1
