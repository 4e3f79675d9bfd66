#!lua
-- Forget consumers of the stream that nobody has heard of for long and that owe nothing.
-- KEYS  1: the stream
-- ARGV  1: the group, 2: for how long nobody has heard of them, ms
-- Returns how many were forgotten. One script, because a consumer that is handed something in between would lose it.
local forgotten = 0
for _, words in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for at = 1, #words, 2 do
    consumer[words[at]] = words[at + 1]
  end
  if consumer.pending == 0 and consumer.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    forgotten = forgotten + 1
  end
end
return forgotten
