--[[
approve_run: let an offer bucket sell on the Redis run that the caller has checked.

KEYS
  1 offer  hash  epoch, run_id
ARGV
  1 epoch   integer  epoch the caller checked
  2 run_id  string   run to approve
RETURNS
  APPROVED
  UNCHANGED
  STALE epoch
  MISSING
SCHEMA 1
]]
local offer = redis.call('HMGET', KEYS[1], 'epoch', 'run_id')
if not offer[1] then
  return {'MISSING'}
end
if offer[1] ~= ARGV[1] then
  return {'STALE', tonumber(offer[1])}
end
if offer[2] == ARGV[2] then
  return {'UNCHANGED'}
end

-- Writes
redis.call('HSET', KEYS[1], 'run_id', ARGV[2])
return {'APPROVED'}
