#!lua flags=no-writes
-- KEYS  1 the holds
-- Returns camera, ingest, ... of the holds that haven't expired
local answers = {}
for _, camera in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. NOW, '+inf')) do
    local holder = get(camera, 'holder')
    if holder then
        answers[#answers + 1] = camera
        answers[#answers + 1] = holder
    end
end
return answers
