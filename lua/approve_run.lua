--[[
approve_run: let an offer bucket sell on the Redis run that the caller has checked, or close it.

A restored offer is approved only when no gateway can repeat a refusal any more that was given before.

KEYS
  1 offer  hash  epoch, run_id, approve_from_ms
ARGV
  1 epoch   integer  epoch the caller checked
  2 run_id  string   run to approve; '' closes the offer
RETURNS
  APPROVED
  UNCHANGED
  EARLY wait_ms
  STALE epoch
  MISSING
SCHEMA 1
]]
--@include now_ms

local offer = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'approve_from_ms')
if not offer[1] then
  return {'MISSING'}
end
if offer[1] ~= ARGV[1] then
  return {'STALE', tonumber(offer[1])}
end
if offer[2] == ARGV[2] then
  return {'UNCHANGED'}
end
local wait_ms = tonumber(offer[3] or 0) - now_ms()
if wait_ms > 0 and ARGV[2] ~= '' then
  return {'EARLY', wait_ms}
end

-- Writes
redis.call('HSET', KEYS[1], 'run_id', ARGV[2])
return {'APPROVED'}
