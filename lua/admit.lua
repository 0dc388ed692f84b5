--[[
admit: decide a batch of clicks on one offer bucket, in order of arrival; record and queue the winners.

A batch is refused as a whole (first word) or decided click by click: one letter per click, and after the
letters one detail for each letter that carries one, in order. A caller may repeat a refusal on its own for
lease_ms, counted from before the call.

KEYS
  1 offer     hash    version, epoch, run_id, state, window, price, limit, left, numbers, sequence, hold, dry
  2 buyers    hash    shopper -> tickets
  3 freed     zset    unit numbers that came back
  4 even      hash    clicks per shopper in even windows; field '' holds the window's number
  5 odd       hash    clicks per shopper in odd windows
  6 stream    stream  winners, one entry per batch
  7 counters  hash    issued
ARGV
  1 run_id       string   Redis run the caller is connected to
  2 version      integer  version of the terms the caller used
  3 epoch        integer  epoch the keys belong to
  4 deadline_ms  integer  epoch ms of Redis time; a later batch is refused
  5 rate_limit   integer  clicks per shopper in one window; 0 = no limit
  6 window_ms    integer  ms
  7 lease_ms     integer  how long the caller would like to repeat a refusal
  8 clicks       msgpack  {shoppers, order numbers, quantities or 0, keys or 0, eligible letters or 0}
RETURNS
  DECIDED now_ms sequence left lease_ms letters detail*
  LATE now_ms
  FENCED now_ms
  STALE now_ms
  MISSING now_ms
LETTERS
  W ticket    won
  A ticket    already won: the same ticket again
  S left      too few units left
  L held      the shopper would hold more than the limit
  R wait_ms   too many clicks of this shopper
  N           not started
  E           ended or terminated
  P           paused
  I           the audience does not include the shopper
  K           the key was used with another quantity
  M           too few in this bucket; others may have more. Nothing was counted or changed
SCHEMA 1
]]
--@include now_ms
--@include whole
--@include ranges
--@include rate_window
--@include phase
--@include tickets

local now = now_ms()
if now > tonumber(ARGV[4]) then
  return {'LATE', now}
end
local offer = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'run_id', 'state', 'starts_at_ms', 'ends_at_ms',
  'price', 'limit', 'left', 'next_unit', 'freed', 'sequence', 'pay_within_ms', 'id', 'bucket',
  'hold_until_ms', 'hold_letter', 'buckets')
if not offer[1] then
  return {'MISSING', now}
end
if offer[3] ~= ARGV[1] then
  return {'FENCED', now}
end
if offer[1] ~= ARGV[2] or offer[2] ~= ARGV[3] then
  return {'STALE', now}
end
-- A caller that was told of no freed units may name the offer for them; then there must be none.
if KEYS[3] == KEYS[1] and tonumber(offer[11]) > 0 then
  return {'STALE', now}
end

local clicks = cmsgpack.unpack(ARGV[8])
local shoppers, order_numbers = clicks[1], clicks[2]
local quantities = clicks[3] ~= 0 and clicks[3] or nil
local keys = clicks[4] ~= 0 and clicks[4] or nil
local eligible = clicks[5] ~= 0 and clicks[5] or nil
local limit = tonumber(offer[8])
local left = tonumber(offer[9])
local next_unit = tonumber(offer[10])
local sequence = tonumber(offer[12])

-- With several buckets numbers lie in pieces, and only a mark tells that the other buckets have too few as well:
-- `enough` is what it says is left in all of them.
local several = offer[18] and offer[18] ~= '1'
local unit_top, ranges, dry_until_ms, enough = math.huge, '', 0, nil
if several then
  local pieces = redis.call('HMGET', KEYS[1], 'unit_top', 'ranges', 'dry_until_ms', 'dry_left')
  unit_top, ranges, dry_until_ms = tonumber(pieces[1]), pieces[2] or '', tonumber(pieces[3] or 0)
  if now < dry_until_ms then
    enough = math.max(left, tonumber(pieces[4]))
  end
end

-- Outside the window, or stopped: one letter answers everybody who holds no ticket. After a change that opens
-- the sale again, a hold keeps the old answer until every lease on it has run out: so a caller that repeats a
-- refusal can never refuse somebody who has won meanwhile.
local closed = phase(offer[4], offer[5], offer[6], now)
local lease_ms = tonumber(ARGV[7])
if not closed and offer[16] and now < tonumber(offer[16]) then
  closed = offer[17]
  lease_ms = tonumber(offer[16]) - now
end

local count = #shoppers
local records = redis.call('HMGET', KEYS[2], unpack(shoppers))

local rate_limit, window_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local window = math.floor(now / window_ms)
local elapsed_ms = now - window * window_ms
local rate_key, earlier_key = KEYS[4], KEYS[5]
if window % 2 == 1 then
  rate_key, earlier_key = KEYS[5], KEYS[4]
end
-- Per click: counts of the shopper's clicks in this window and the one before, where there are any.
local limited = rate_limit > 0 and not closed
local rates, earlier_rates
if limited then
  if redis.call('HGET', rate_key, '') == whole(window) then
    rates = redis.call('HMGET', rate_key, unpack(shoppers))
  end
  if redis.call('HGET', earlier_key, '') == whole(window - 1) then
    earlier_rates = redis.call('HMGET', earlier_key, unpack(shoppers))
  end
end

-- No more freed numbers are read than this batch could take, and the ones it takes are the first of them.
local freed, freed_count = {}, 0
if left > 0 and tonumber(offer[11]) > 0 then
  local demand = count
  for _, quantity in ipairs(quantities or {}) do
    demand = demand + math.min(quantity, limit) - 1
  end
  freed = redis.call('ZRANGE', KEYS[3], 0, math.min(left, demand) - 1)
  freed_count = #freed
end
local freed_taken = 0

-- The end of every ticket of this batch: price, pay-by, time of winning.
local terms = ',' .. offer[7] .. ',' .. whole(now + tonumber(offer[13])) .. ',' .. whole(now) .. ','

local function take_unit()
  left = left - 1
  if freed_taken < freed_count then
    freed_taken = freed_taken + 1
    return freed[freed_taken]
  end
  if next_unit > unit_top then
    next_unit, unit_top, ranges = first_range(ranges)
  end
  next_unit = next_unit + 1
  return whole(next_unit - 1)
end

local function take_units(quantity)
  local units = {}
  for index = 1, quantity do
    units[index] = take_unit()
  end
  return table.concat(units, '.')
end

-- A shopper's clicks of one batch share the places of the first of them, so that each sees what the ones before it
-- came to: the buyer's record in `records`, and where the shopper stands in what will be written. Whoever may hold
-- one unit wins once, so the winners are the buyers then.
local first = {}
local counted, counted_fields = {}, 2
local counts = {'', whole(window)}
local winners, issued, refused_dry = {}, 0, false
local changed, changed_fields, buyers = {}, 0, limit == 1 and winners or {}

local function count_click(shopper, place, current)
  if not current then
    return
  end
  local at = counted[place]
  if not at then
    at = counted_fields + 2
    counted[place], counted_fields = at, at
    counts[at - 1] = shopper
  end
  counts[at] = current + 1
end

local function decide(index, shopper, place)
  local record = records[place]
  local quantity = quantities and quantities[index] or 1
  local key = keys and keys[index] or ''
  if record then
    if limit == 1 then
      return 'A', record
    end
    local ticket, ticket_quantity = ticket_of_key(record, key)
    if ticket then
      if ticket_quantity ~= quantity then
        return 'K'
      end
      return 'A', ticket
    end
  end
  if closed == 'S' then
    return 'S', 0
  end
  if closed then
    return closed
  end
  if eligible and string.byte(eligible, index) ~= 49 then
    return 'I'
  end
  local current
  if limited then
    local at = counted[place]
    current = at and counts[at] or rates and rates[place] and tonumber(rates[place]) or 0
    local earlier = earlier_rates and earlier_rates[place]
    local wait_ms = rate_wait(earlier and tonumber(earlier) or 0, current, elapsed_ms, rate_limit, window_ms)
    if wait_ms > 0 then
      return 'R', wait_ms
    end
  end
  local slots = '1'
  if limit > 1 then
    local held, taken = 0, {}
    if record then
      held, taken = held_slots(record)
    end
    if held + quantity > limit then
      count_click(shopper, place, current)
      return 'L', held
    end
    slots = free_slots(taken, quantity)
  elseif quantity > 1 then
    count_click(shopper, place, current)
    return 'L', 0
  end
  if left < quantity then
    if several and not (enough and quantity > enough) then
      return 'M'
    end
    refused_dry = several
    count_click(shopper, place, current)
    return 'S', several and enough or left
  end
  -- Whoever holds all they may hears of their ticket from now on, however often they click.
  if limit > 1 then
    count_click(shopper, place, current)
  end
  local units = quantity == 1 and take_unit() or take_units(quantity)
  local ticket = order_numbers[index] .. ',' .. units .. ',' .. slots .. terms .. key
  if limit == 1 then
    records[place] = ticket
  else
    local at = changed[place]
    if not at then
      at = changed_fields + 2
      changed[place], changed_fields = at, at
      buyers[at - 1] = shopper
    end
    record = record and (record .. '|' .. ticket) or ticket
    records[place], buyers[at] = record, record
  end
  winners[2 * issued + 1] = shopper
  issued = issued + 1
  winners[2 * issued] = ticket
  return 'W', ticket
end

local letters, reply, replied = {}, {'DECIDED', now, 0, 0, 0, ''}, 6
for index = 1, count do
  local shopper = shoppers[index]
  local place = first[shopper]
  if not place then
    place = index
    first[shopper] = index
  end
  local letter, detail = decide(index, shopper, place)
  letters[index] = letter
  if detail then
    replied = replied + 1
    reply[replied] = detail
  end
end
sequence = sequence + issued
reply[3], reply[4], reply[5], reply[6] = sequence, left, lease_ms, table.concat(letters)
if refused_dry then
  reply[4], reply[5] = enough, math.min(lease_ms, dry_until_ms - now)
end

-- Writes
if counted_fields > 2 then
  if not rates then
    -- Out of memory, Redis refuses a script's first HSET but not a first UNLINK: so nothing has changed then.
    redis.call('HSET', KEYS[1], 'counted_at_ms', whole(now))
    redis.call('UNLINK', rate_key)
  end
  redis.call('HSET', rate_key, unpack(counts))
  redis.call('PEXPIRE', rate_key, 2 * window_ms)
end
if issued > 0 then
  redis.call('HSET', KEYS[1], 'left', whole(left), 'next_unit', whole(next_unit), 'sequence', whole(sequence),
    'freed', whole(tonumber(offer[11]) - freed_taken), 'sold_at_ms', whole(now))
  if several then
    redis.call('HSET', KEYS[1], 'unit_top', whole(unit_top), 'ranges', ranges)
  end
  redis.call('HSET', KEYS[2], unpack(buyers))
  if freed_taken > 0 then
    redis.call('ZREMRANGEBYRANK', KEYS[3], 0, freed_taken - 1)
  end
  local won = whole(issued)
  redis.call('XADD', KEYS[6], '*', 'offer', offer[14], 'bucket', offer[15], 'epoch', offer[2],
    'count', won, 'winners', cmsgpack.pack(winners))
  redis.call('HINCRBY', KEYS[7], 'issued', won)
end
return reply
