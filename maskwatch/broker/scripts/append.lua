#!lua
-- Add records to the stream, all of them or none.
-- KEYS  1: the stream
-- ARGV  1: most records in it; then the records
-- Returns how many are in it, or -1 when these would be too many.
local length = redis.call('XLEN', KEYS[1])
if length + #ARGV - 1 > tonumber(ARGV[1]) then
  return -1
end
for at = 2, #ARGV do
  redis.call('XADD', KEYS[1], '*', 'r', ARGV[at])
end
return length + #ARGV - 1
