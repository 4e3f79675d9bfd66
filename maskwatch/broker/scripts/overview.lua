#!lua flags=no-writes
-- KEYS  1 the configured cameras
-- Returns for each {camera, info, holder, status, ms since it was published, ms from the capture of the newest
--         analysed frame to now, analysed frames per second, failures, ms until the next try, present people...};
--         '' stands for what isn't known
local PRESENT = {}
for _, name in ipairs(K.COUNTERS) do
    if is_gauge(name) then PRESENT[#PRESENT + 1] = name end
end

local function view(camera, info)
    local holder, status, status_at, shown_at, shown_age, rate, rate_at, rate_from, failures, retry_at =
        get(camera, 'holder', 'status', 'status_at', 'shown_at', 'shown_age', 'rate', 'rate_at', 'rate_from',
            'failures', 'retry_at')
    local held_until = redis.call('ZSCORE', K.HOLDS, camera)
    if not held_until or tonumber(held_until) <= NOW then holder = nil end
    local fps = 0
    if rate then
        -- Divided by what the memory could have gathered so far; a second at least, or one frame would make any rate.
        local seconds = math.max(1, (NOW - rate_from) / 1000)
        fps = rate * math.exp((rate_at - NOW) / 1000 / RATE_TAU_S) / (1 - math.exp(-seconds / RATE_TAU_S))
    end
    return {camera, info, holder or '', status or '', status_at and NOW - status_at or '',
        shown_at and shown_age + NOW - shown_at or '', tostring(fps), failures or '',
        retry_at and math.max(0, retry_at - NOW) or '', redis.call('HMGET', K.COUNTS .. camera, unpack(PRESENT))}
end

local configured = redis.call('HGETALL', KEYS[1])
local views = {}
for i = 1, #configured, 2 do views[#views + 1] = view(configured[i], configured[i + 1]) end
return views
