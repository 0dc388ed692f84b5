--[[
seat: give units to a shopper who was told that they won, as if the click had been admitted now.

The units are those named, when all of them are free in this bucket, or any free ones. The window and the state of the offer do
not matter: the shopper has won before. An order that is seated already changes nothing.

KEYS
  1 offer     hash    epoch, run_id, limit, left, next_unit, unit_top, ranges, freed, sequence
  2 buyers    hash    shopper -> tickets
  3 freed     zset    unit numbers that came back
  4 stream    stream  winners, one entry for this one
  5 counters  hash    issued
ARGV
  1 run_id    string   Redis run the caller is connected to
  2 epoch     integer  epoch the keys belong to
  3 shopper   string   who has won
  4 order_no  string   the order's number
  5 units     string   unit numbers in ascending order, joined by '.'; '' = any
  6 quantity  integer  how many units
  7 terms     string   the rest of the ticket: price, pay_by_ms, won_at_ms, key
RETURNS
  SEATED ticket
  REPEATED ticket
  TAKEN unit
  TOO_FEW left
  OVER_LIMIT held
  FENCED
  STALE epoch
  MISSING
SCHEMA 1
]]
--@include now_ms
--@include whole
--@include ranges
--@include tickets

local offer = redis.call('HMGET', KEYS[1], 'epoch', 'run_id', 'limit', 'left', 'next_unit', 'unit_top', 'freed',
  'sequence', 'id', 'bucket', 'buckets', 'ranges')
if not offer[1] then
  return {'MISSING'}
end
if offer[2] ~= ARGV[1] then
  return {'FENCED'}
end
if offer[1] ~= ARGV[2] then
  return {'STALE', tonumber(offer[1])}
end
local record = redis.call('HGET', KEYS[2], ARGV[3])
for ticket in string.gmatch(record or '', '[^|]+') do
  if string.match(ticket, '^[^,]+') == ARGV[4] then
    return {'REPEATED', ticket}
  end
end
local quantity, left = tonumber(ARGV[6]), tonumber(offer[4])
local next_unit, unit_top = tonumber(offer[5]), tonumber(offer[6])
local held, taken = held_slots(record or '')
if held + quantity > tonumber(offer[3]) then
  return {'OVER_LIMIT', held}
end
if left < quantity then
  return {'TOO_FEW', left}
end

-- Freed numbers to take, and how far the numbers that were never issued are taken. With several buckets these lie
-- in pieces, and a piece of which one is taken becomes two.
local several = tonumber(offer[11] or 1) > 1
local ranges = offer[12] or ''
if several then
  ranges = join_ranges(range_of(next_unit, unit_top), ranges)
end
local units, from_freed, wanted = {}, {}, {}
for unit in string.gmatch(ARGV[5], '[^.]+') do
  wanted[#wanted + 1] = unit
end
if #wanted == 0 then
  from_freed = redis.call('ZRANGE', KEYS[3], 0, quantity - 1)
  for _, unit in ipairs(from_freed) do
    units[#units + 1] = unit
  end
  for index = 1, quantity - #from_freed do
    local number = several and first_range(ranges) or next_unit + index - 1
    ranges = several and without(ranges, number) or ranges
    units[#units + 1] = whole(number)
  end
end
for _, unit in ipairs(wanted) do
  local number = tonumber(unit)
  local others = several and without(ranges, number)
  if redis.call('ZSCORE', KEYS[3], unit) then
    from_freed[#from_freed + 1] = unit
  elseif others then
    ranges = others
  elseif several or number < next_unit or number > unit_top then
    return {'TAKEN', number}
  end
  units[#units + 1] = unit
end
local ticket = ARGV[4] .. ',' .. table.concat(units, '.') .. ',' .. free_slots(taken, quantity) .. ',' .. ARGV[7]

-- Writes
redis.call('HSET', KEYS[2], ARGV[3], record and (record .. '|' .. ticket) or ticket)
for _, unit in ipairs(from_freed) do
  redis.call('ZREM', KEYS[3], unit)
end
local skipped = 0
if several then
  next_unit = unit_top + 1
  local first, last, others = first_range(ranges)
  if first then
    next_unit, unit_top, ranges = first, last, others
  end
else
  -- Numbers below a named one that were never issued are on sale as freed ones from now on.
  for index = #from_freed + 1, #units do
    local number = tonumber(units[index])
    for unit = next_unit, number - 1 do
      redis.call('ZADD', KEYS[3], whole(unit), whole(unit))
      skipped = skipped + 1
    end
    next_unit = number + 1
  end
end
redis.call('HSET', KEYS[1], 'left', whole(left - quantity), 'next_unit', whole(next_unit),
  'unit_top', whole(unit_top), 'ranges', ranges, 'freed', whole(tonumber(offer[7]) - #from_freed + skipped),
  'sequence', whole(tonumber(offer[8]) + 1), 'sold_at_ms', whole(now_ms()))
redis.call('XADD', KEYS[4], '*', 'offer', offer[9], 'bucket', offer[10], 'epoch', offer[1],
  'count', 1, 'winners', cmsgpack.pack({ARGV[3], ticket}))
redis.call('HINCRBY', KEYS[5], 'issued', 1)
return {'SEATED', ticket}
