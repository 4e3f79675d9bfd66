#!lua flags=allow-oom
-- Reclaims expired leases, then hands out the cameras that were served least recently.
-- KEYS  1 the ready set
-- ARGV  1 duration of a lease in ms  2 ms that a frame may be old, '' for any age
--       3.. random tokens, one for each camera that is wanted
-- Returns {ms until something may become ready by itself, turns}; a turn is
--         {camera, epoch, token, kind, frame id, metadata, age in ms, state, info, '1' if alone}
local lease_ms = tonumber(ARGV[1])
local budget_ms = tonumber(ARGV[2])
local wanted = #ARGV - 2

local function reclaim(camera)
    blame(camera)
    local state, retiring, failures = get(camera, 'state', 'retiring', 'failures')
    if retiring and not state then return forget(camera) end
    if tonumber(failures or 0) >= 2 then
        -- Its tracks are given up. New ones begin at 1 again, so that under the same epoch ids of events would come twice:
        -- its ingest loses it, and takes it again under another one.
        redis.call('ZADD', K.HOLDS, 'XX', 'LT', NOW - 1, camera)
        unset(camera, 'holder', 'status', 'status_at')
    end
    refresh(camera)
end

-- Nobody holds it and nobody says so: its people have left the picture.
local function orphan(camera)
    redis.call('ZREM', K.HOLDS, camera)
    local up, state, epoch = get(camera, 'up', 'state', 'epoch')
    if up == '1' then
        happen(camera, 'camera_offline', epoch, 'no ingest holds it')
        set(camera, 'up', 0)
    end
    unset(camera, 'holder', 'status', 'status_at')
    if state then
        set(camera, 'finish', 1)
        refresh(camera)
    end
end

-- Gathered over the batch and written once: every call of Redis costs more than what it does.
local waits_ms = {}
local leases = {}
local handed_out = {}

local function hand_out(camera, token, alone, served, id, meta, at, age, epoch, state, info)
    if id and not rename(K.NEXT .. camera, K.TAKEN .. camera) then
        drop_next(camera, 'lease_lost')
        refresh(camera)
        return nil
    end
    local turn = {'token', token, 'served', served, 'taken_kind', id and 'frame' or 'end'}
    if alone then append(turn, 'alone', 1) end
    if id then
        unset(camera, 'next_id', 'next_meta', 'next_at', 'next_age')
        append(waits_ms, NOW - at)
        append(turn, 'taken_id', id, 'taken_meta', meta, 'taken_at', at, 'taken_age', age)
    else
        unset(camera, 'finish')
    end
    set(camera, unpack(turn))
    append(leases, NOW + lease_ms, camera)
    append(handed_out, camera)
    return {camera, epoch or '', token, id and 'frame' or 'end', id or '', meta or '', id and age + NOW - at or 0,
        state or '', info or '', alone and 1 or 0}
end

for _, camera in ipairs(redis.call('ZRANGEBYSCORE', K.LEASES, '-inf', NOW)) do reclaim(camera) end
for _, camera in ipairs(redis.call('ZRANGEBYSCORE', K.HOLDS, '-inf', NOW - ORPHAN_MS)) do orphan(camera) end
for _, camera in ipairs(redis.call('ZRANGEBYSCORE', K.FAILED, '-inf', NOW)) do
    redis.call('ZREM', K.FAILED, camera)
    refresh(camera)
end

-- Whether a frame isn't worth analysing any more. What waited too long never is: the camera keeps its rank, so its next
-- frame is among the first. What is too old though it waited less comes from an ingest that is late, and the next one
-- won't be younger: one such frame a second gets through, so that the camera isn't blind.
local function is_stale(camera, at, age, late_at)
    local waited = NOW - at
    if waited + age <= budget_ms then
        if late_at then unset(camera, 'late_at') end
        return false
    end
    if waited > budget_ms then return true end
    local is_due = late_at and NOW - late_at >= LATE_EVERY_MS
    if is_due or not late_at then set(camera, 'late_at', NOW) end
    return not is_due
end

local turns = {}

-- Hands out the camera of this rank; returns by how many ranks the next one is further on, nil when it is enough.
local function turn_of(camera, served)
    local suspect, id, meta, at, age, epoch, state, info, late_at = get(camera, 'suspect', 'next_id', 'next_meta',
        'next_at', 'next_age', 'epoch', 'state', 'info', 'late_at')
    if suspect and #turns > 0 then return 1 end
    if id and budget_ms and is_stale(camera, at, age, late_at) then
        drop_next(camera, 'stale')
        refresh(camera)
        return 0
    end
    turns[#turns + 1] =
        hand_out(camera, ARGV[#turns + 3], suspect, served, id, meta, at, age, epoch, state, info)
    if suspect and #turns > 0 then return nil end
    return 0
end

local skipped = 0
local served
while skipped and #turns < wanted do
    local ranked = redis.call('ZRANGE', K.READY, skipped, skipped + wanted - #turns - 1)
    if #ranked == 0 then break end
    served = served or redis.call('INCRBY', K.SERVED, wanted) - wanted
    for _, camera in ipairs(ranked) do
        local before = #turns
        local further = turn_of(camera, served + #turns + 1)
        skipped = further and skipped + further
        -- A camera that came to nothing may be ready again, under another rank: look anew.
        if not further or (further == 0 and #turns == before) then break end
    end
    if #handed_out > 0 then redis.call('ZREM', K.READY, unpack(handed_out)) end
    handed_out = {}
end
observe(K.WAIT, waits_ms)
if #leases > 0 then redis.call('ZADD', K.LEASES, unpack(leases)) end

if redis.call('EXISTS', K.READY) == 1 then redis.call('ZADD', K.BELL, 0, 'ring') else redis.call('DEL', K.BELL) end
local soonest = 3600000
for _, key in ipairs({K.LEASES, K.FAILED}) do
    local first = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')
    if first[2] then soonest = math.min(soonest, math.max(0, first[2] - NOW)) end
end
return {soonest, turns}
