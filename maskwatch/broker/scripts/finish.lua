#!lua flags=allow-oom
-- Asks for the camera's tracks to be closed, after the frame that may be waiting.
-- KEYS  1 the ready set
-- ARGV  1 camera  2 epoch
local camera = ARGV[1]
if get(camera, 'epoch') == ARGV[2] then
    set(camera, 'finish', 1)
    refresh(camera)
end
