#!lua flags=allow-oom
-- Commits the results of a batch: pictures, results, states and counters.
-- KEYS  1 the leases
-- ARGV  for each camera: camera, epoch, token, outcome, result, state, counts
--       outcome  'analysed'; 'decode_error': the worker couldn't read the picture; 'unreadable': nobody could read
--                what came with it, so there is no new state
--       counts   'FIELD=N ...': counters grow by N, gauges (present:...) become N, confidences are everybody's
-- Returns for each 'accepted', 'repeated', 'lease_lost', 'stale_epoch'
-- Gathered over the batch and written once: every call of Redis costs more than what it does.
local latencies_ms = {}
local confidences = {}
local finished, ready = {}, {}

local function tally(camera, counts)
    local gauges = {}
    for field, number in counts:gmatch('(%S+)=(%d+)') do
        if is_gauge(field) then
            append(gauges, field, number)
        elseif field:sub(1, 11) == 'confidence:' then
            confidences[field] = (confidences[field] or 0) + number
        else
            count(camera, field, number)
        end
    end
    if #gauges > 0 then redis.call('HSET', K.COUNTS .. camera, unpack(gauges)) end
end

-- Adds to `changes` the frames per second, with an exponential memory that is made unbiased for its first seconds.
local function rate(changes, value, at, from)
    local forgotten = not at or NOW - at > 10000 * RATE_TAU_S
    if forgotten or NOW - at < 0 then value, at, from = 0, NOW, NOW end
    value = value * math.exp((at - NOW) / 1000 / RATE_TAU_S) + 1 / RATE_TAU_S
    append(changes, 'rate', value, 'rate_at', NOW, 'rate_from', from)
end

-- Makes the picture in flight the one that is shown.
local function show(camera, result, changes, id, meta, at, age)
    if rename(K.TAKEN .. camera, K.SHOWN .. camera) then
        append(changes, 'shown_id', id, 'shown_meta', meta, 'shown_at', at, 'shown_age', age, 'result', result)
    end
    append(latencies_ms, age + NOW - at)
end

local function commit(camera, epoch, token, outcome, result, state, counts)
    local current, held, done, died, kind, next_id, finish, retiring, suspect, failures, id, meta, at, age, fps, fps_at,
        fps_from, served = get(camera, 'epoch', 'token', 'last_done', 'died_token', 'taken_kind', 'next_id', 'finish',
        'retiring', 'suspect', 'failures', 'taken_id', 'taken_meta', 'taken_at', 'taken_age', 'rate', 'rate_at',
        'rate_from', 'served')
    if done == token then return 'repeated' end
    if died == token then
        -- It came late, so its worker lives: that was no death.
        pardon(camera)
        refresh(camera)
    end
    if current ~= epoch then return 'stale_epoch' end
    if held ~= token then return 'lease_lost' end
    tally(camera, counts)
    if kind == 'end' and retiring then
        unset(camera, 'taken_kind')
        forget(camera)
        return 'accepted'
    end
    local changes = {'last_done', token}
    if kind == 'frame' and outcome == 'analysed' then
        count(camera, 'analysed', 1)
        show(camera, result, changes, id, meta, at, age)
        rate(changes, fps, fps_at, fps_from)
    elseif kind == 'frame' then
        count(camera, 'dropped:decode_error', 1)
        redis.call('DEL', K.TAKEN .. camera)
    end
    if outcome ~= 'unreadable' then
        if state == '' then unset(camera, 'state') else append(changes, 'state', state) end
    end
    set(camera, unpack(changes))
    unset_taken(camera)
    append(finished, camera)
    if suspect or failures then pardon(camera) end
    if next_id or finish then append(ready, served or 0, camera) end
    return 'accepted'
end

local answers = {}
for at = 1, #ARGV, 7 do
    answers[#answers + 1] = commit(unpack(ARGV, at, at + 6))
end
observe(K.LATENCY, latencies_ms)
for field, number in pairs(confidences) do redis.call('HINCRBY', K.CONFIDENCE, field, number) end
if #finished > 0 then redis.call('ZREM', K.LEASES, unpack(finished)) end
if #ready > 0 then
    redis.call('ZADD', K.READY, unpack(ready))
    ring()
end
return answers
