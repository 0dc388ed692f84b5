--[[
release: give units of an order that is over back for sale, under the same numbers.

The units leave the ticket of that very order in the buyer's record, with their slots; a ticket without units
and a record without tickets are removed. What that ticket does not hold is passed over, so a second call
changes nothing. When nothing was left before, `sold_out` is held for as long as gateways may repeat it; in an offer
with several buckets only the mark of a dry bucket tells that they may.

KEYS
  1 offer   hash  epoch, left, freed, sequence, buckets, hold, dry
  2 buyers  hash  shopper -> tickets
  3 freed   zset  unit numbers that came back
ARGV
  1 order_no  string   the order that gives them up
  2 shopper   string   whose order it is
  3 epoch     integer  epoch the keys belong to, which may be later than the order's
  4 units     string   unit numbers, joined by '.'
  5 lease_ms  integer  how long gateways repeat a refusal
RETURNS
  RELEASED hold_ms left released
  NOTHING
  STALE epoch
  MISSING
SCHEMA 1
]]
--@include now_ms
--@include whole
--@include dryness

local offer = redis.call('HMGET', KEYS[1], 'epoch', 'left', 'freed', 'sequence', 'buckets', 'dry_until_ms',
  'dry_left', 'hold_until_ms')
if not offer[1] then
  return {'MISSING'}
end
if offer[1] ~= ARGV[3] then
  return {'STALE', tonumber(offer[1])}
end

local asked = {}
for unit in string.gmatch(ARGV[4], '[^.]+') do
  asked[unit] = true
end

-- Without what it gives up; nil when nothing of the ticket stays. A ticket is described in include/tickets.lua.
local released = {}
local function without_asked(units, slots, rest)
  local slot_of = string.gmatch(slots, '[^.]+')
  local kept_units, kept_slots = {}, {}
  for unit in string.gmatch(units, '[^.]+') do
    local slot = slot_of()
    if asked[unit] then
      released[#released + 1] = unit
    else
      kept_units[#kept_units + 1] = unit
      kept_slots[#kept_slots + 1] = slot
    end
  end
  if #kept_units == 0 then
    return nil
  end
  return ARGV[1] .. ',' .. table.concat(kept_units, '.') .. ',' .. table.concat(kept_slots, '.') .. rest
end

local kept = {}
for ticket in string.gmatch(redis.call('HGET', KEYS[2], ARGV[2]) or '', '[^|]+') do
  local order_no, units, slots, rest = string.match(ticket, '^([^,]+),([^,]+),([^,]+)(,.*)$')
  if order_no == ARGV[1] then
    ticket = without_asked(units, slots, rest)
  end
  kept[#kept + 1] = ticket
end
if #released == 0 then
  return {'NOTHING'}
end

local now = now_ms()
local left = tonumber(offer[2])
local hold_ms, hold = 0, {}
if tonumber(offer[5] or 1) > 1 then
  hold_ms, hold = after_dry(now, offer[6], offer[7], offer[8])
elseif left == 0 then
  hold_ms = tonumber(ARGV[5])
  hold = {'hold_until_ms', whole(now + hold_ms), 'hold_letter', 'S'}
end

-- Writes
redis.call('HSET', KEYS[1], 'left', whole(left + #released), 'freed', whole(tonumber(offer[3]) + #released),
  'sequence', whole(tonumber(offer[4]) + 1), unpack(hold))
if #kept > 0 then
  redis.call('HSET', KEYS[2], ARGV[2], table.concat(kept, '|'))
else
  redis.call('HDEL', KEYS[2], ARGV[2])
end
for _, unit in ipairs(released) do
  redis.call('ZADD', KEYS[3], unit, unit)
end
return {'RELEASED', hold_ms, left + #released, #released}
