--[[
receive: add units that another bucket of the offer has given, once per transfer.

While the bucket is marked dry and gateways may repeat `sold_out`, the units are held until that is over.

KEYS
  1 offer      hash  epoch, run_id, stock, left, ranges, freed, unit_cap, sequence, hold, dry
  2 freed      zset  unit numbers that came back
  3 transfers  hash  'taken:SOURCE' -> number of the last one that was added
ARGV
  1 run_id  string   Redis run the caller is connected to
  2 epoch   integer  epoch the keys belong to
  3 source  integer  number of the bucket that gave them
  4 number  integer  the transfer's
  5 units   string   ranges 'first-last' and single numbers, joined by ','
RETURNS
  RECEIVED hold_ms left
  REPEATED
  AHEAD taken
  FENCED
  STALE epoch
  MISSING
SCHEMA 1
]]
--@include now_ms
--@include whole
--@include ranges
--@include dryness

local offer = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'stock', 'left', 'ranges', 'freed', 'unit_cap',
  'sequence', 'dry_until_ms', 'dry_left', 'hold_until_ms')
if not offer[1] then
  return {'MISSING'}
end
if offer[2] ~= ARGV[1] then
  return {'FENCED'}
end
if offer[1] ~= ARGV[2] then
  return {'STALE', tonumber(offer[1])}
end
local number = tonumber(ARGV[4])
local taken = tonumber(redis.call('HGET', KEYS[3], 'taken:' .. ARGV[3]) or 0)
if number <= taken then
  return {'REPEATED'}
end
-- The source gives on only when the transfer before was added.
if number > taken + 1 then
  return {'AHEAD', taken}
end
local ranges, singles, count = offer[5] or '', {}, 0
local unit_cap = tonumber(offer[7])
for part in string.gmatch(ARGV[5], '[^,]+') do
  local first, last = first_range(part)
  if first then
    ranges = join_ranges(ranges, part)
    count = count + last - first + 1
  else
    last = tonumber(part)
    singles[#singles + 1] = part
    count = count + 1
  end
  unit_cap = math.max(unit_cap, last)
end
local left = tonumber(offer[4]) + count
local hold_ms, fields = after_dry(now_ms(), offer[9], offer[10], offer[11])

-- Writes
redis.call('HSET', KEYS[3], 'taken:' .. ARGV[3], ARGV[4])
redis.call('HSET', KEYS[1], 'stock', whole(tonumber(offer[3]) + count), 'left', whole(left), 'ranges', ranges,
  'freed', whole(tonumber(offer[6]) + #singles), 'unit_cap', whole(unit_cap),
  'sequence', whole(tonumber(offer[8]) + 1), unpack(fields))
for _, single in ipairs(singles) do
  redis.call('ZADD', KEYS[2], single, single)
end
return {'RECEIVED', hold_ms, left}
