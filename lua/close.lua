--[[
close: strike out a transfer whose units the other bucket has.

KEYS
  1 transfers  hash  'out:DEST' -> 'number:units' while open
ARGV
  1 dest    integer  number of the bucket that got them
  2 number  integer  the transfer's
RETURNS
  CLOSED
  UNCHANGED
SCHEMA 1
]]
local open = redis.call('HGET', KEYS[1], 'out:' .. ARGV[1])
if not open or string.match(open, '^(%d+):') ~= ARGV[2] then
  return {'UNCHANGED'}
end

-- Writes
redis.call('HDEL', KEYS[1], 'out:' .. ARGV[1])
return {'CLOSED'}
