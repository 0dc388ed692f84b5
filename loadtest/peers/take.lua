--[[
take: decide one click on one offer. All peers call this by EVALSHA, once per click: the usual way to sell without
overselling. The checks and their order are those of the gateway; what it does beyond them is in README.md.

KEYS
  1 offer    hash    state, starts_at_ms, ends_at_ms, price, pay_within_ms, left, next_unit
  2 buyers   hash    shopper -> ticket
  3 rates    hash    clicks per shopper in this window; the caller names the window
  4 stream   stream  winners, one entry each
ARGV
  1 offer id   2 shopper   3 clicks per window   4 window, ms
RETURNS one string, as a client parses it faster than a list: a letter, then a detail
  W ticket   A ticket (won before)   S (sold out)   R (too many clicks)   C (closed)   M (no such offer)
  A ticket is 'order_no,unit,price,pay_by_ms'.
]]
local offer = redis.call('HMGET', KEYS[1], 'state', 'starts_at_ms', 'ends_at_ms', 'price', 'pay_within_ms', 'left',
  'next_unit')
if not offer[1] then
  return 'M'
end
local shopper = ARGV[2]
local ticket = redis.call('HGET', KEYS[2], shopper)
if ticket then
  return 'A' .. ticket
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if offer[1] ~= 'open' or now < tonumber(offer[2]) or now >= tonumber(offer[3]) then
  return 'C'
end
local clicks = redis.call('HINCRBY', KEYS[3], shopper, 1)
-- The first shopper of a window gives its hash an end; asking for the length is cheaper than setting it each time.
if clicks == 1 and redis.call('HLEN', KEYS[3]) == 1 then
  redis.call('PEXPIRE', KEYS[3], 2 * ARGV[4])
end
if clicks > tonumber(ARGV[3]) then
  return 'R'
end
local left = tonumber(offer[6])
if left < 1 then
  return 'S'
end
local unit = offer[7]
ticket = string.format('%s-%s,%s,%s,%.0f', ARGV[1], unit, unit, offer[4], now + offer[5])
redis.call('HSET', KEYS[1], 'left', left - 1, 'next_unit', unit + 1)
redis.call('HSET', KEYS[2], shopper, ticket)
redis.call('XADD', KEYS[4], '*', 'offer', ARGV[1], 'shopper', shopper, 'ticket', ticket)
return 'W' .. ticket
