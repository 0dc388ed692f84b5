--[[
remove_offer: take away an offer bucket that has never sold a unit.

KEYS
  1 offer       hash  unit_first, next_unit, sold_at_ms
  2 offers      set   ids of the offers of the shard
  3 buyers      hash  must be empty
  4 operations  hash  applied stock operations
  5 clicks      hash  clicks by outcome
  6 transfers   hash  numbers of transfers
ARGV
  1 id  string  offer id
RETURNS
  REMOVED
  MISSING
  SOLD buyers
SCHEMA 1
]]
local offer = redis.call('HMGET', KEYS[1], 'unit_first', 'next_unit', 'sold_at_ms')
if not offer[1] then
  return {'MISSING'}
end
-- A bucket that was given numbers issues them out of turn, but not without noting when.
if offer[1] ~= offer[2] or tonumber(offer[3] or 0) > 0 then
  return {'SOLD', redis.call('HLEN', KEYS[3])}
end

-- Writes
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('UNLINK', KEYS[1], KEYS[4], KEYS[5], KEYS[6])
return {'REMOVED'}
