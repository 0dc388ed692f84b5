--[[
give: take units off a bucket for another bucket of the same offer, and write down which are on their way.

Numbers that were never issued go first, as ranges; of those that came back at most 500 go at once. A transfer that is
open is told again and nothing more is taken: so what one caller began another may finish.

KEYS
  1 offer      hash  epoch, run_id, stock, left, next_unit, unit_top, ranges, freed, sequence
  2 freed      zset  unit numbers that came back
  3 transfers  hash  'out:DEST' -> 'number:units' while open; 'given:DEST' -> number of the last one
ARGV
  1 run_id  string   Redis run the caller is connected to
  2 epoch   integer  epoch the keys belong to
  3 dest    integer  number of the bucket that gets them
  4 wanted  integer  units, at least one
RETURNS
  GIVEN number units
  OPEN number units
  NOTHING
  FENCED
  STALE epoch
  MISSING
SCHEMA 1
]]
--@include whole
--@include ranges

local offer = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'stock', 'left', 'next_unit', 'unit_top', 'ranges',
  'freed', 'sequence')
if not offer[1] then
  return {'MISSING'}
end
if offer[2] ~= ARGV[1] then
  return {'FENCED'}
end
if offer[1] ~= ARGV[2] then
  return {'STALE', tonumber(offer[1])}
end
local open = redis.call('HGET', KEYS[3], 'out:' .. ARGV[3])
if open then
  local number, units = string.match(open, '^(%d+):(.*)$')
  return {'OPEN', tonumber(number), units}
end
local wanted = math.min(tonumber(ARGV[4]), tonumber(offer[4]))
local units, count, ranges, unit_top = take_from_end(wanted, offer[7] or '', tonumber(offer[5]), tonumber(offer[6]))
local singles = {}
if count < wanted then
  singles = redis.call('ZRANGE', KEYS[2], -math.min(wanted - count, 500), -1)
end
count = count + #singles
if count == 0 then
  return {'NOTHING'}
end
units = join_ranges(units, table.concat(singles, ','))
local number = tonumber(redis.call('HGET', KEYS[3], 'given:' .. ARGV[3]) or 0) + 1

-- Writes
redis.call('HSET', KEYS[3], 'out:' .. ARGV[3], whole(number) .. ':' .. units, 'given:' .. ARGV[3], whole(number))
redis.call('HSET', KEYS[1], 'stock', whole(tonumber(offer[3]) - count), 'left', whole(tonumber(offer[4]) - count),
  'unit_top', whole(unit_top), 'ranges', ranges, 'freed', whole(tonumber(offer[8]) - #singles),
  'sequence', whole(tonumber(offer[9]) + 1))
if #singles > 0 then
  redis.call('ZREMRANGEBYRANK', KEYS[2], -#singles, -1)
end
return {'GIVEN', number, units}
