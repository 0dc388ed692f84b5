--[[
remove_offer: take away an offer that has never sold a unit.

KEYS
  1 offer       hash  next_unit, freed
  2 offers      set   ids of the offers of the shard
  3 buyers      hash  must be empty
  4 operations  hash  applied stock operations
  5 clicks      hash  clicks by outcome
ARGV
  1 id  string  offer id
RETURNS
  REMOVED
  MISSING
  SOLD buyers
SCHEMA 1
]]
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {'MISSING'}
end
if tonumber(redis.call('HGET', KEYS[1], 'next_unit')) > 1 then
  return {'SOLD', redis.call('HLEN', KEYS[3])}
end

-- Writes
redis.call('SREM', KEYS[2], ARGV[1])
redis.call('UNLINK', KEYS[1], KEYS[4], KEYS[5])
return {'REMOVED'}
