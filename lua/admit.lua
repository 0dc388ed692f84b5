--[[
admit: decide a batch of clicks on one offer bucket, in order of arrival; record and queue the winners.

A batch is refused as a whole (first word) or decided click by click: one letter per click, and after the
letters one detail for each letter that carries one, in order. A caller may repeat a refusal on its own for
lease_ms, counted from before the call.

KEYS
  1 offer     hash    version, epoch, run_id, state, window, price, limit, left, next_unit, freed, sequence, hold
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
SCHEMA 1
]]
--@include now_ms
--@include whole
--@include rate_window
--@include phase
--@include tickets

local now = now_ms()
if now > tonumber(ARGV[4]) then
  return {'LATE', now}
end
local offer = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'run_id', 'state', 'starts_at_ms', 'ends_at_ms',
  'price', 'limit', 'left', 'next_unit', 'freed', 'sequence', 'pay_within_ms', 'id', 'bucket',
  'hold_until_ms', 'hold_letter')
if not offer[1] then
  return {'MISSING', now}
end
if offer[3] ~= ARGV[1] then
  return {'FENCED', now}
end
if offer[1] ~= ARGV[2] or offer[2] ~= ARGV[3] then
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

-- Outside the window, or stopped: one letter answers everybody who holds no ticket. After a change that opens
-- the sale again, a hold keeps the old answer until every lease on it has run out: so a caller that repeats a
-- refusal can never refuse somebody who has won meanwhile.
local closed = phase(offer[4], offer[5], offer[6], now)
local lease_ms = tonumber(ARGV[7])
if not closed and offer[16] and now < tonumber(offer[16]) then
  closed = offer[17]
  lease_ms = tonumber(offer[16]) - now
end

local records = redis.call('HMGET', KEYS[2], unpack(shoppers))

local rate_limit, window_ms = tonumber(ARGV[5]), tonumber(ARGV[6])
local window = math.floor(now / window_ms)
local elapsed_ms = now - window * window_ms
local rate_key, earlier_key = KEYS[4], KEYS[5]
if window % 2 == 1 then
  rate_key, earlier_key = KEYS[5], KEYS[4]
end
local rates, earlier_rates, rates_stale
if rate_limit > 0 and not closed then
  rates = redis.call('HMGET', rate_key, '', unpack(shoppers))
  earlier_rates = redis.call('HMGET', earlier_key, '', unpack(shoppers))
  rates_stale = rates[1] ~= whole(window)
  if earlier_rates[1] ~= whole(window - 1) then
    earlier_rates = {}
  end
end

-- No more freed numbers are read than this batch could take, and the ones it takes are the first of them.
local demand = #shoppers
for _, quantity in ipairs(quantities or {}) do
  demand = demand + math.min(quantity, limit) - 1
end
local freed = {}
if left > 0 and tonumber(offer[11]) > 0 then
  freed = redis.call('ZRANGE', KEYS[3], 0, math.min(left, demand) - 1)
end
local freed_taken = 0

-- The end of every ticket of this batch: price, pay-by, time of winning.
local terms = ',' .. offer[7] .. ',' .. whole(now + tonumber(offer[13])) .. ',' .. whole(now) .. ','

local function take_units(quantity)
  local units = {}
  for index = 1, quantity do
    if freed_taken < #freed then
      freed_taken = freed_taken + 1
      units[index] = freed[freed_taken]
    else
      units[index] = whole(next_unit)
      next_unit = next_unit + 1
    end
  end
  left = left - quantity
  return table.concat(units, '.')
end

local letters, reply = {}, {'DECIDED', now, 0, 0, 0, ''}
local changed, counted, winners = {}, {}, {}
local changed_shoppers, issued, any_counted = {}, 0, false

local function decide(index, shopper)
  local record = changed[shopper] or records[index]
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
  if eligible and string.sub(eligible, index, index) ~= '1' then
    return 'I'
  end
  if rates then
    local current = counted[shopper] or (not rates_stale and tonumber(rates[index + 1] or 0)) or 0
    local wait_ms = rate_wait(tonumber(earlier_rates[index + 1] or 0), current, elapsed_ms, rate_limit, window_ms)
    if wait_ms > 0 then
      return 'R', wait_ms
    end
    counted[shopper] = current + 1
    any_counted = true
  end
  local slots = '1'
  if limit > 1 then
    local held, taken = 0, {}
    if record then
      held, taken = held_slots(record)
    end
    if held + quantity > limit then
      return 'L', held
    end
    slots = free_slots(taken, quantity)
  elseif quantity > 1 then
    return 'L', 0
  end
  if left < quantity then
    return 'S', left
  end
  local ticket = order_numbers[index] .. ',' .. take_units(quantity) .. ',' .. slots .. terms .. key
  if not changed[shopper] then
    changed_shoppers[#changed_shoppers + 1] = shopper
  end
  changed[shopper] = record and (record .. '|' .. ticket) or ticket
  winners[#winners + 1] = shopper
  winners[#winners + 1] = ticket
  issued = issued + 1
  return 'W', ticket
end

for index = 1, #shoppers do
  local letter, detail = decide(index, shoppers[index])
  letters[index] = letter
  if detail then
    reply[#reply + 1] = detail
  end
end
sequence = sequence + issued
reply[3], reply[4], reply[5], reply[6] = sequence, left, lease_ms, table.concat(letters)

-- Writes
if any_counted then
  if rates_stale then
    -- Out of memory, Redis refuses a script's first HSET but not a first UNLINK: so nothing has changed then.
    redis.call('HSET', KEYS[1], 'counted_at_ms', whole(now))
    redis.call('UNLINK', rate_key)
  end
  local fields = {'', whole(window)}
  for shopper, count in pairs(counted) do
    fields[#fields + 1] = shopper
    fields[#fields + 1] = count
  end
  redis.call('HSET', rate_key, unpack(fields))
  redis.call('PEXPIRE', rate_key, 2 * window_ms)
end
if issued > 0 then
  redis.call('HSET', KEYS[1], 'left', left, 'next_unit', whole(next_unit), 'sequence', whole(sequence),
    'freed', whole(tonumber(offer[11]) - freed_taken), 'sold_at_ms', whole(now))
  local fields = {}
  for _, shopper in ipairs(changed_shoppers) do
    fields[#fields + 1] = shopper
    fields[#fields + 1] = changed[shopper]
  end
  redis.call('HSET', KEYS[2], unpack(fields))
  if freed_taken > 0 then
    redis.call('ZREMRANGEBYRANK', KEYS[3], 0, freed_taken - 1)
  end
  redis.call('XADD', KEYS[6], '*', 'offer', offer[14], 'bucket', offer[15], 'epoch', offer[2],
    'count', issued, 'winners', cmsgpack.pack(winners))
  redis.call('HINCRBY', KEYS[7], 'issued', issued)
end
return reply
