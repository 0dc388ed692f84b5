--[[
note_return: tell shoppers when the first unpaid unit of an offer may come back.

KEYS
  1 offer  hash  epoch, may_return_at_ms
ARGV
  1 epoch             integer  epoch the caller looked at
  2 may_return_at_ms  integer  epoch ms of database time; 0 = nothing is unpaid
RETURNS
  NOTED
  STALE
SCHEMA 1
]]
-- An offer that is gone answers STALE too: a lone field must not bring back half an offer.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then
  return {'STALE'}
end

-- Writes
redis.call('HSET', KEYS[1], 'may_return_at_ms', ARGV[2])
return {'NOTED'}
