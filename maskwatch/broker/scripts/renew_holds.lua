#!lua flags=allow-oom
-- Prolongs holds that nobody else has taken.
-- KEYS  1 the holds
-- ARGV  1 duration in ms  2.. camera, epoch
-- Returns 1 or 0 (lost) for each
local answers = {}
for i = 2, #ARGV, 2 do
    local current, holder = get(ARGV[i], 'epoch', 'holder')
    local held = current == ARGV[i + 1] and holder
    if held then redis.call('ZADD', KEYS[1], NOW + ARGV[1], ARGV[i]) end
    answers[#answers + 1] = held and 1 or 0
end
return answers
