#!lua
-- Makes staged pictures the next ones of their cameras.
-- KEYS  1.. the staged pictures
-- ARGV  for each: camera, epoch, frame id, metadata, age in ms, 'REASON=N ...': frames dropped before it
-- Returns for each 'accepted', 'duplicate' (this id or a newer one of the same process was offered), 'stale_epoch'
local function came_before(id, last)
    if not last or last == id then return last == id end
    local nonce, number = id:match('^(.*)-(%d+)$')
    local last_nonce, last_number = last:match('^(.*)-(%d+)$')
    return nonce ~= nil and nonce == last_nonce and tonumber(number) <= tonumber(last_number)
end

-- Gathered over the batch and written once: every call of Redis costs more than what it does.
local ready = {}

local function accept(staged, camera, epoch, id, meta, age, dropped)
    local current, last, waiting, token, finish, retry_at, served =
        get(camera, 'epoch', 'last_id', 'next_id', 'token', 'finish', 'retry_at', 'served')
    local refusal = current ~= epoch and 'stale_epoch' or came_before(id, last) and 'duplicate'
    if refusal then
        redis.call('DEL', staged)
        return refusal
    end
    local captured = 1
    for reason, number in dropped:gmatch('(%S+)=(%d+)') do
        captured = captured + number
        count(camera, 'dropped:' .. reason, number)
    end
    count(camera, 'captured', captured)
    if waiting then count(camera, 'dropped:replaced', 1) end
    if finish then unset(camera, 'finish') end
    redis.call('RENAME', staged, K.NEXT .. camera)
    set(camera, 'next_id', id, 'next_meta', meta, 'next_at', NOW, 'next_age', age, 'last_id', id)
    -- With a frame waiting it is ready already, in flight it can't be: most offers of a busy camera need no more.
    if not waiting and not token and not is_put_off(retry_at) then append(ready, served or 0, camera) end
    return 'accepted'
end

local answers = {}
for i, staged in ipairs(KEYS) do
    answers[i] = accept(staged, unpack(ARGV, i * 6 - 5, i * 6))
end
if #ready > 0 then
    redis.call('ZADD', K.READY, unpack(ready))
    ring()
end
return answers
