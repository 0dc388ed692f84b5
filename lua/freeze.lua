--[[
freeze: take units off sale for a cut of an offer with several buckets, as many as there are, up to a target.

Each bucket gives what it has until all together have given enough; the total of one operation is written down here,
so that a call may be repeated and may ask for more. A cut that is given up is undone by `unfreeze` and freezes no more.

KEYS
  1 offer       hash  epoch, stock, left, next_unit, unit_top, ranges, freed, retired_ranges, sequence
  2 freed       zset  unit numbers that came back
  3 retired     zset  freed numbers taken off sale
  4 operations  hash  operation id -> units added to this bucket, negative when frozen; 'ID/undo' -> units given back
ARGV
  1 operation_id  string   chosen by the caller
  2 target        integer  units that this operation takes off this bucket in all
  3 epoch         integer  epoch the keys belong to
RETURNS
  FROZEN units
  UNDONE
  STALE epoch
  MISSING
SCHEMA 1
]]
--@include whole
--@include ranges

local offer = redis.call('HMGET', KEYS[1], 'epoch', 'stock', 'left', 'next_unit', 'unit_top', 'ranges', 'freed',
  'retired_ranges', 'sequence')
if not offer[1] then
  return {'MISSING'}
end
if offer[1] ~= ARGV[3] then
  return {'STALE', tonumber(offer[1])}
end
if redis.call('HEXISTS', KEYS[4], ARGV[1] .. '/undo') == 1 then
  return {'UNDONE'}
end
local frozen = -tonumber(redis.call('HGET', KEYS[4], ARGV[1]) or 0)
local stock, left = tonumber(offer[2]), tonumber(offer[3])
local wanted = math.min(tonumber(ARGV[2]) - frozen, left)
if wanted <= 0 then
  return {'FROZEN', frozen}
end
local units, count, ranges, unit_top = take_from_end(wanted, offer[6] or '', tonumber(offer[4]), tonumber(offer[5]))
local singles = {}
if count < wanted then
  singles = redis.call('ZRANGE', KEYS[2], count - wanted, -1)
end

-- Writes
redis.call('HSET', KEYS[4], ARGV[1], whole(-frozen - wanted))
redis.call('HSET', KEYS[1], 'stock', whole(stock - wanted), 'left', whole(left - wanted),
  'unit_top', whole(unit_top), 'ranges', ranges, 'freed', whole(tonumber(offer[7]) - #singles),
  'retired_ranges', join_ranges(offer[8] or '', units), 'sequence', whole(tonumber(offer[9]) + 1))
for _, single in ipairs(singles) do
  redis.call('ZADD', KEYS[3], single, single)
  redis.call('ZREM', KEYS[2], single)
end
return {'FROZEN', frozen + wanted}
