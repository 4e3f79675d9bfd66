#!lua
-- Makes a staged picture the camera's next one.
-- KEYS  1 the staged picture
-- ARGV  1 camera  2 epoch  3 frame id  4 metadata  5 age in ms  6.. reason, number of frames dropped before it
-- Returns 'accepted', 'duplicate' (this id or a newer one of the same process was offered), 'stale_epoch'
local camera, epoch, id, meta, age = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local function came_before(last)
    if not last or last == id then return last == id end
    local nonce, number = id:match('^(.*)-(%d+)$')
    local last_nonce, last_number = last:match('^(.*)-(%d+)$')
    return nonce ~= nil and nonce == last_nonce and tonumber(number) <= tonumber(last_number)
end

local current, last, waiting, token, finish, retry_at, served =
    get(camera, 'epoch', 'last_id', 'next_id', 'token', 'finish', 'retry_at', 'served')
if current ~= epoch then
    redis.call('DEL', KEYS[1])
    return 'stale_epoch'
end
if came_before(last) then
    redis.call('DEL', KEYS[1])
    return 'duplicate'
end
local captured = 1
for i = 6, #ARGV, 2 do
    captured = captured + ARGV[i + 1]
    count(camera, 'dropped:' .. ARGV[i], ARGV[i + 1])
end
count(camera, 'captured', captured)
if waiting then count(camera, 'dropped:replaced', 1) end
if finish then unset(camera, 'finish') end
redis.call('RENAME', KEYS[1], K.NEXT .. camera)
set(camera, 'next_id', id, 'next_meta', meta, 'next_at', NOW, 'next_age', age, 'last_id', id)
-- With a frame waiting it is ready already, in flight it can't be: most offers of a busy camera need no more.
if not waiting and not token and not is_put_off(retry_at) then
    redis.call('ZADD', K.READY, served or 0, camera)
    ring()
end
return 'accepted'
