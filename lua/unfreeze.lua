--[[
unfreeze: give back what `freeze` took off sale for a cut, because all buckets together have too few; once.

Called for the first bucket first: there it decides that the cut is given up.

KEYS
  1 offer       hash  epoch, stock, left, ranges, freed, retired_ranges, sequence, hold, dry
  2 freed       zset  unit numbers that came back
  3 retired     zset  freed numbers taken off sale
  4 operations  hash  operation id -> units added to this bucket; 'ID/undo' -> units given back
ARGV
  1 operation_id  string   the cut's
  2 epoch         integer  epoch the keys belong to
RETURNS
  UNFROZEN hold_ms
  UNCHANGED
  STALE epoch
  MISSING
SCHEMA 1
]]
--@include now_ms
--@include whole
--@include ranges
--@include dryness

local offer = redis.call('HMGET', KEYS[1], 'epoch', 'stock', 'left', 'ranges', 'freed', 'retired_ranges', 'sequence',
  'dry_until_ms', 'dry_left', 'hold_until_ms')
if not offer[1] then
  return {'MISSING'}
end
if offer[1] ~= ARGV[2] then
  return {'STALE', tonumber(offer[1])}
end
if redis.call('HEXISTS', KEYS[4], ARGV[1] .. '/undo') == 1 then
  return {'UNCHANGED'}
end
local frozen = -tonumber(redis.call('HGET', KEYS[4], ARGV[1]) or 0)
-- Which numbers come back does not matter: all that are off sale here were on sale here.
local units, count, retired_ranges = take_from_end(frozen, offer[6] or '', 1, 0)
local singles = {}
if count < frozen then
  singles = redis.call('ZRANGE', KEYS[3], count - frozen, -1)
end
local hold_ms, fields = 0, {}
if frozen > 0 then
  hold_ms, fields = after_dry(now_ms(), offer[8], offer[9], offer[10])
end

-- Writes
redis.call('HSET', KEYS[4], ARGV[1], 0, ARGV[1] .. '/undo', whole(frozen))
redis.call('HSET', KEYS[1], 'stock', whole(tonumber(offer[2]) + frozen), 'left', whole(tonumber(offer[3]) + frozen),
  'ranges', join_ranges(offer[4] or '', units), 'freed', whole(tonumber(offer[5]) + #singles),
  'retired_ranges', retired_ranges, 'sequence', whole(tonumber(offer[7]) + 1), unpack(fields))
for _, single in ipairs(singles) do
  redis.call('ZADD', KEYS[2], single, single)
  redis.call('ZREM', KEYS[3], single)
end
return {'UNFROZEN', hold_ms}
