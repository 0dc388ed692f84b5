--[[
adjust_stock: raise or cut an offer's stock by a delta, once per operation id.

A cut retires numbers that were never issued first (they lie above unit_top), then freed ones; it never goes
below what shoppers hold. A raise takes retired numbers back first, so the unit cap grows as little as it can.
When nothing was left before a raise, `sold_out` is held for as long as gateways may repeat it.

An offer with several buckets is raised bucket by bucket, always with new numbers: the first bucket, which comes
first, allots them for all. It is cut by `freeze`.

KEYS
  1 offer       hash  buckets, stock, left, next_unit, unit_top, ranges, unit_cap, freed, sequence, hold, dry
  2 freed       zset  unit numbers that came back
  3 retired     zset  freed numbers taken off sale
  4 operations  hash  operation id -> stock after it; with several buckets 'units:first' of the new numbers
ARGV
  1 operation_id  string   chosen by the caller
  2 delta         integer  units, negative to cut
  3 epoch         integer  epoch the keys belong to
  4 lease_ms      integer  how long gateways repeat a refusal
  5 allot         integer  several buckets, the first: new numbers for all of them; else 0
  6 first         integer  several buckets, not the first: first of the new numbers; else 0
RETURNS
  APPLIED hold_ms stock left unit_cap first
  REPEATED hold_ms stock left unit_cap first
  TOO_LOW lowest
  STALE epoch
  MISSING
SCHEMA 1
]]
--@include now_ms
--@include whole
--@include ranges
--@include dryness

local offer = redis.call('HMGET', KEYS[1], 'epoch', 'stock', 'left', 'next_unit', 'unit_top', 'unit_cap', 'freed',
  'sequence', 'buckets', 'ranges', 'dry_until_ms', 'dry_left', 'hold_until_ms')
if not offer[1] then
  return {'MISSING'}
end
if offer[1] ~= ARGV[3] then
  return {'STALE', tonumber(offer[1])}
end
local stock, left = tonumber(offer[2]), tonumber(offer[3])
local next_unit, unit_top, unit_cap = tonumber(offer[4]), tonumber(offer[5]), tonumber(offer[6])
local known = redis.call('HGET', KEYS[4], ARGV[1])
if known then
  return {'REPEATED', 0, stock, left, unit_cap, tonumber(string.match(known, ':(%d+)$') or 0)}
end
local delta = tonumber(ARGV[2])
if delta < -left then
  return {'TOO_LOW', stock - left}
end

local now = now_ms()
local several = tonumber(offer[9] or 1) > 1
local first = tonumber(ARGV[6])
local ranges, result = offer[10] or '', whole(stock + delta)
local hold_ms, hold = 0, {}
if several then
  hold_ms, hold = after_dry(now, offer[11], offer[12], offer[13])
  if tonumber(ARGV[5]) > 0 then
    first = unit_cap + 1
    unit_cap = unit_cap + tonumber(ARGV[5])
  end
  result = whole(delta) .. ':' .. whole(first)
elseif left == 0 and delta > 0 then
  hold_ms = tonumber(ARGV[4])
  hold = {'hold_until_ms', whole(now + hold_ms), 'hold_letter', 'S'}
end

-- Writes
redis.call('HSET', KEYS[4], ARGV[1], result)
local freed_change = 0
if several then
  ranges = join_ranges(ranges, range_of(first, first + delta - 1))
  unit_cap = math.max(unit_cap, first + delta - 1)
elseif delta < 0 then
  local never_issued = math.min(-delta, unit_top - next_unit + 1)
  unit_top = unit_top - never_issued
  freed_change = delta + never_issued
  if freed_change < 0 then
    local numbers = redis.call('ZRANGE', KEYS[2], freed_change, -1)
    for _, number in ipairs(numbers) do
      redis.call('ZADD', KEYS[3], number, number)
      redis.call('ZREM', KEYS[2], number)
    end
  end
else
  local numbers = redis.call('ZRANGE', KEYS[3], 0, delta - 1)
  if delta == 0 then
    numbers = {}
  end
  for _, number in ipairs(numbers) do
    redis.call('ZADD', KEYS[2], number, number)
    redis.call('ZREM', KEYS[3], number)
  end
  freed_change = #numbers
  unit_top = unit_top + delta - #numbers
  unit_cap = math.max(unit_cap, unit_top)
end
redis.call('HSET', KEYS[1], 'stock', whole(stock + delta), 'left', whole(left + delta), 'unit_top', whole(unit_top),
  'unit_cap', whole(unit_cap), 'freed', whole(tonumber(offer[7]) + freed_change), 'ranges', ranges,
  'sequence', whole(tonumber(offer[8]) + 1), unpack(hold))
return {'APPLIED', hold_ms, stock + delta, left + delta, unit_cap, first}
