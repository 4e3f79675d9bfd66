-- Shared by every script: the loader puts this file in front of each, and the literals of keys.py where a name of K is:
-- keys, prefixes of keys, COUNTERS (fields of a camera's counters), BUCKETS_MS (upper bounds of the histograms).
--
-- Fields of a camera's hash:
--   info                          CameraInfo as ingest registered it
--   epoch holder                  who holds it; another epoch's offers and dones write nothing
--   status status_at              what its holder last published, and when
--   up                            '1' after live, '0' after offline: events are counted on changes
--   next_id next_meta next_at next_age              the waiting frame; age in ms at the server time `at`
--   taken_kind taken_id taken_meta taken_at taken_age token alone   the turn in flight
--   shown_id shown_meta shown_at shown_age result   the newest analysed frame
--   state                         what the next turn needs
--   finish                        '1': the tracks are to be closed once no frame waits
--   retiring                      '1': everything goes once the tracks are closed
--   last_id last_done             newest frame id offered, newest token done: what is sent twice counts once
--   served                        sequence number of its last serving: its rank
--   died_at died_token suspect failures retry_at    workers that died over it
--   late_at                       frames come too old: when that began, or when one was handed out all the same
--   rate rate_at rate_from        analysed frames per second, decaying

local ORPHAN_MS = 10000         -- a camera that nobody holds for this long has lost its people
local DEATHS_WITHIN_MS = 60000  -- two dead workers within this time make a camera suspect
local BACKOFF_MS, BACKOFF_MAX_MS = 10000, 300000
local LATE_EVERY_MS = 1000      -- of a camera whose frames come too old, one in this time is analysed
local MOST_HAPPENED = 10000     -- notes that wait for the record; the oldest go first
local RATE_TAU_S = 3            -- the rate forgets within about this time

local TIME = redis.call('TIME')
local NOW = TIME[1] * 1000 + math.floor(TIME[2] / 1000)

local function get(camera, ...)
    return unpack(redis.call('HMGET', K.CAMERA .. camera, ...))
end

local function set(camera, ...)
    redis.call('HSET', K.CAMERA .. camera, ...)
end

local function unset(camera, ...)
    redis.call('HDEL', K.CAMERA .. camera, ...)
end

-- Returns whether there was something to rename.
local function rename(from, to)
    local answer = redis.pcall('RENAME', from, to)
    if not answer.err then return true end
    if answer.err:find('no such key', 1, true) then return false end
    error(answer)
end

local function append(list, ...)
    for i = 1, select('#', ...) do list[#list + 1] = (select(i, ...)) end
end

local function count(camera, field, by)
    redis.call('HINCRBY', K.COUNTS .. camera, field, by)
end

-- Counts an event of the camera itself and notes it for the record.
local function happen(camera, kind, epoch, reason)
    local number = redis.call('HINCRBY', K.COUNTS .. camera, 'events:' .. kind, 1)
    redis.call('RPUSH', K.HAPPENED, cmsgpack.pack({camera, kind, epoch or '', number, NOW, reason}))
    redis.call('LTRIM', K.HAPPENED, -MOST_HAPPENED, -1)
end

-- Adds durations to a histogram. A batch's together, because every call of Redis costs more than what it does.
local function observe(histogram, durations_ms)
    local bounds = K.BUCKETS_MS
    local buckets, sum = {}, 0
    for _, ms in ipairs(durations_ms) do
        ms = math.max(0, ms)
        local bucket = 0
        while bucket < #bounds and ms > bounds[bucket + 1] do bucket = bucket + 1 end
        buckets[bucket] = (buckets[bucket] or 0) + 1
        sum = sum + ms
    end
    for bucket, number in pairs(buckets) do redis.call('HINCRBY', histogram, bucket, number) end
    if #durations_ms > 0 then redis.call('HINCRBY', histogram, 'sum_ms', sum) end
end

local function is_gauge(field)
    return field:sub(1, 8) == 'present:'
end

-- Of people in a zone: whoever configures zones names these fields, so they aren't kept beyond their camera.
local function is_of_zone(field)
    return field:sub(1, 5) == 'zone:'
end

-- Creates every counter of a camera at 0.
local function know(camera)
    if redis.call('SADD', K.KNOWN, camera) == 0 then return end
    local fields = {}
    for _, name in ipairs(K.COUNTERS) do
        fields[#fields + 1] = name
        fields[#fields + 1] = 0
    end
    redis.call('HSET', K.COUNTS .. camera, unpack(fields))
end

-- The bell holds at most one member, so it can be rung too often but never be missed.
local function ring()
    redis.call('ZADD', K.BELL, 0, 'ring')
end

local function is_put_off(retry_at)
    return retry_at and tonumber(retry_at) > NOW
end

-- Puts a camera into the ready set, or out of it, as its fields say.
local function refresh(camera)
    local token, next_id, finish, retry_at, served = get(camera, 'token', 'next_id', 'finish', 'retry_at', 'served')
    if (next_id or finish) and not token and not is_put_off(retry_at) then
        redis.call('ZADD', K.READY, served or 0, camera)
        ring()
    else
        redis.call('ZREM', K.READY, camera)
    end
end

local function drop_next(camera, reason)
    if get(camera, 'next_id') then
        count(camera, 'dropped:' .. reason, 1)
        redis.call('DEL', K.NEXT .. camera)
        unset(camera, 'next_id', 'next_meta', 'next_at', 'next_age')
    end
end

local function unset_taken(camera)
    unset(camera, 'taken_kind', 'taken_id', 'taken_meta', 'taken_at', 'taken_age', 'token', 'alone')
end

local function clear_taken(camera)
    redis.call('ZREM', K.LEASES, camera)
    unset_taken(camera)
end

-- Takes the turn in flight away from its worker. The end of the tracks isn't lost by that, unless a frame has come.
local function drop_taken(camera, reason)
    local kind, next_id = get(camera, 'taken_kind', 'next_id')
    if kind == 'frame' then
        count(camera, 'dropped:' .. reason, 1)
    elseif kind == 'end' and not next_id then
        set(camera, 'finish', 1)
    end
    redis.call('DEL', K.TAKEN .. camera)
    clear_taken(camera)
end

local function pardon(camera)
    unset(camera, 'died_at', 'died_token', 'suspect', 'failures', 'retry_at')
    redis.call('ZREM', K.FAILED, camera)
end

-- Deletes all of a camera but the sums of its counters.
local function forget(camera)
    drop_next(camera, 'removed')
    drop_taken(camera, 'removed')
    local counts = redis.call('HGETALL', K.COUNTS .. camera)
    for i = 1, #counts, 2 do
        if not is_gauge(counts[i]) and not is_of_zone(counts[i]) then
            redis.call('HINCRBY', K.REMOVED, counts[i], counts[i + 1])
        end
    end
    redis.call('DEL', K.CAMERA .. camera, K.COUNTS .. camera, K.NEXT .. camera,
        K.TAKEN .. camera, K.SHOWN .. camera)
    redis.call('HDEL', K.CONFIGURED, camera)
    redis.call('SREM', K.KNOWN, camera)
    for _, key in ipairs({K.READY, K.LEASES, K.FAILED, K.HOLDS}) do redis.call('ZREM', key, camera) end
end

-- Takes the turn in flight away and holds the loss against the camera, until its worker shows that it is alive.
-- Two losses make a suspect, which is handed out alone; one more and it is failed for a while.
local function blame(camera)
    local token, alone, died_at, failures = get(camera, 'token', 'alone', 'died_at', 'failures')
    if not token then return end
    drop_taken(camera, 'lease_lost')
    set(camera, 'died_at', NOW, 'died_token', token)
    if alone then
        failures = (tonumber(failures) or 0) + 1
        local retry_at = NOW + math.min(BACKOFF_MS * 2 ^ (failures - 1), BACKOFF_MAX_MS)
        set(camera, 'failures', failures, 'retry_at', retry_at)
        redis.call('ZADD', K.FAILED, retry_at, camera)
        -- It may be the state that kills: the second time the tracks are given up.
        if failures >= 2 then
            unset(camera, 'state', 'finish')
            for _, name in ipairs(K.COUNTERS) do
                if is_gauge(name) then redis.call('HSET', K.COUNTS .. camera, name, 0) end
            end
        end
    elseif died_at and NOW - died_at <= DEATHS_WITHIN_MS then
        set(camera, 'suspect', 1)
    end
end

-- Begins an epoch: what the last one left is dropped, but the tracks stay in the state for the worker to close.
local function begin_epoch(camera, epoch)
    drop_next(camera, 'stale')
    blame(camera)
    set(camera, 'epoch', epoch)
    unset(camera, 'retiring')
    refresh(camera)
end
