#!lua flags=allow-oom
-- Keeps how busy a worker is. One of them, the first to ask when nobody does it, decides the level of shedding and is told
-- what it needs for that; what it decided lasts no longer than somebody decides.
-- KEYS  1 the loads
-- ARGV  1 worker  2 thousandths of its time that it was busy  3 ms that a load counts  4 ms that deciding is its own
--       5 ms that the level lasts
-- Returns {level}; to the one that decides {level, workers, thousandths they were busy on the average, frames analysed,
--         frames that came too fast or grew too old, frames taken, ms that they had waited}, the latter four in all so far
local worker = ARGV[1]
redis.call('HSET', KEYS[1], worker, NOW .. ' ' .. ARGV[2])
local level, decider, until_ms = unpack(redis.call('HMGET', K.SHEDDING, 'level', 'decider', 'until'))
level = tonumber(level) or 0
if decider and decider ~= worker and tonumber(until_ms) > NOW then return {level} end
redis.call('HSET', K.SHEDDING, 'decider', worker, 'until', NOW + ARGV[4])
redis.call('PEXPIRE', K.SHEDDING, ARGV[5])

local workers, busy = 0, 0
local loads = redis.call('HGETALL', KEYS[1])
for i = 1, #loads, 2 do
    local at, thousandths = loads[i + 1]:match('^(%d+) (%d+)$')
    if at and NOW - at < tonumber(ARGV[3]) then
        workers, busy = workers + 1, busy + thousandths
    else
        redis.call('HDEL', KEYS[1], loads[i])
    end
end

local analysed, lost = 0, 0
local function add(counts)
    local done, replaced, stale =
        unpack(redis.call('HMGET', counts, 'analysed', 'dropped:replaced', 'dropped:stale'))
    analysed = analysed + (done or 0)
    lost = lost + (replaced or 0) + (stale or 0)
end
add(K.REMOVED)
for _, camera in ipairs(redis.call('SMEMBERS', K.KNOWN)) do add(K.COUNTS .. camera) end

local taken, waited_ms = 0, 0
local waits = redis.call('HGETALL', K.WAIT)
for i = 1, #waits, 2 do
    if waits[i] == 'sum_ms' then waited_ms = tonumber(waits[i + 1]) else taken = taken + waits[i + 1] end
end
return {level, workers, math.floor(busy / math.max(1, workers)), analysed, lost, taken, waited_ms}
