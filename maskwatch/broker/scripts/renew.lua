#!lua flags=allow-oom
-- Prolongs leases that nobody has reclaimed.
-- KEYS  1 the leases
-- ARGV  1 duration in ms  2.. camera, token
-- Returns 1 or 0 (lost) for each
local answers = {}
for i = 2, #ARGV, 2 do
    local camera, token = ARGV[i], ARGV[i + 1]
    local current, died = get(camera, 'token', 'died_token')
    local held = current == token
    if held then redis.call('ZADD', K.LEASES, NOW + ARGV[1], camera) end
    -- Whoever asks is alive, so it didn't die over this camera.
    if died == token then
        pardon(camera)
        refresh(camera)
    end
    answers[#answers + 1] = held and 1 or 0
end
return answers
