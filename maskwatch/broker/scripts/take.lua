#!lua flags=allow-oom
-- Reclaims expired leases, then hands out the cameras that were served least recently.
-- KEYS  1 the ready set
-- ARGV  1 duration of a lease in ms  2.. random tokens, one for each camera that is wanted
-- Returns {ms until something may become ready by itself, turns}; a turn is
--         {camera, epoch, token, kind, frame id, metadata, age in ms, state, info, '1' if alone}
local lease_ms = tonumber(ARGV[1])
local wanted = #ARGV - 1

local function reclaim(camera)
    blame(camera)
    local state, retiring = get(camera, 'state', 'retiring')
    if retiring and not state then return forget(camera) end
    refresh(camera)
end

-- Nobody holds it and nobody says so: its people have left the picture.
local function orphan(camera)
    redis.call('ZREM', K.HOLDS, camera)
    local up, state = get(camera, 'up', 'state')
    if up == '1' then
        count(camera, 'events:camera_offline', 1)
        set(camera, 'up', 0)
    end
    unset(camera, 'holder', 'status', 'status_at')
    if state then
        set(camera, 'finish', 1)
        refresh(camera)
    end
end

local function hand_out(camera, token, alone)
    local id, meta, at, age, epoch, state, info =
        get(camera, 'next_id', 'next_meta', 'next_at', 'next_age', 'epoch', 'state', 'info')
    redis.call('ZREM', K.READY, camera)
    if id and redis.call('EXISTS', K.NEXT .. camera) == 0 then
        drop_next(camera, 'lease_lost')
        refresh(camera)
        return nil
    end
    local turn = {'token', token, 'served', redis.call('INCR', K.SERVED), 'taken_kind', id and 'frame' or 'end'}
    if alone then append(turn, 'alone', 1) end
    if id then
        redis.call('RENAME', K.NEXT .. camera, K.TAKEN .. camera)
        unset(camera, 'next_id', 'next_meta', 'next_at', 'next_age')
        observe(K.WAIT, NOW - at)
        append(turn, 'taken_id', id, 'taken_meta', meta, 'taken_at', at, 'taken_age', age)
    else
        unset(camera, 'finish')
    end
    set(camera, unpack(turn))
    redis.call('ZADD', K.LEASES, NOW + lease_ms, camera)
    return {camera, epoch or '', token, id and 'frame' or 'end', id or '', meta or '', id and age + NOW - at or 0,
        state or '', info or '', alone and 1 or 0}
end

for _, camera in ipairs(redis.call('ZRANGEBYSCORE', K.LEASES, '-inf', NOW)) do reclaim(camera) end
for _, camera in ipairs(redis.call('ZRANGEBYSCORE', K.HOLDS, '-inf', NOW - ORPHAN_MS)) do orphan(camera) end
for _, camera in ipairs(redis.call('ZRANGEBYSCORE', K.FAILED, '-inf', NOW)) do
    redis.call('ZREM', K.FAILED, camera)
    refresh(camera)
end

local turns = {}
local skipped = 0
while #turns < wanted do
    local ranked = redis.call('ZRANGE', K.READY, skipped, skipped)
    local camera = ranked[1]
    if not camera then break end
    local suspect = get(camera, 'suspect')
    if suspect and #turns > 0 then
        skipped = skipped + 1
    else
        turns[#turns + 1] = hand_out(camera, ARGV[#turns + 2], suspect)
        if suspect and #turns > 0 then break end
    end
end

if redis.call('EXISTS', K.READY) == 1 then redis.call('ZADD', K.BELL, 0, 'ring') else redis.call('DEL', K.BELL) end
local soonest = 3600000
for _, key in ipairs({K.LEASES, K.FAILED}) do
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if first[2] then soonest = math.min(soonest, math.max(0, first[2] - NOW)) end
end
return {soonest, turns}
