--[[
mark_dry: let a bucket refuse for a while those who want more than is left in all buckets of the offer.

The caller has read all buckets twice and found this one at that sequence both times, and nothing on its way. A mark
that says of less that it is all there is stays until it ends: gateways may repeat what follows from it.

KEYS
  1 offer  hash  epoch, sequence, dry_until_ms, dry_left
ARGV
  1 epoch     integer  epoch the caller looked at
  2 sequence  integer  the bucket's when the caller looked
  3 left      integer  units left in all buckets
  4 lasts_ms  integer  how long the mark lasts
RETURNS
  MARKED
  MOVED
  STALE epoch
  MISSING
SCHEMA 1
]]
--@include now_ms
--@include whole

local offer = redis.call('HMGET', KEYS[1], 'epoch', 'sequence', 'dry_until_ms', 'dry_left')
if not offer[1] then
  return {'MISSING'}
end
if offer[1] ~= ARGV[1] then
  return {'STALE', tonumber(offer[1])}
end
local now = now_ms()
local is_dry = tonumber(offer[3] or 0) > now
if offer[2] ~= ARGV[2] or (is_dry and tonumber(offer[4]) < tonumber(ARGV[3])) then
  return {'MOVED'}
end

-- Writes
redis.call('HSET', KEYS[1], 'dry_until_ms', whole(now + tonumber(ARGV[4])), 'dry_left', ARGV[3])
return {'MARKED'}
