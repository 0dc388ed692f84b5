--[[
rename_buyer: give a buyer's record of an offer that is over to a pseudonym, tickets and all.

While the offer sells, the shopper's limit hangs on the record, so it stays.

KEYS
  1 offer   hash  state, ends_at_ms, sequence
  2 buyers  hash  shopper -> tickets
ARGV
  1 shopper    string  whose record it is
  2 pseudonym  string  whose it becomes; nobody has a record under this name
RETURNS
  RENAMED
  NOTHING
  RUNNING
SCHEMA 1
]]
--@include now_ms
--@include phase
--@include whole
local record = redis.call('HGET', KEYS[2], ARGV[1])
if not record then
  return {'NOTHING'}
end
local offer = redis.call('HMGET', KEYS[1], 'state', 'ends_at_ms', 'sequence')
if offer[1] and phase(offer[1], 0, offer[2], now_ms()) ~= 'E' then
  return {'RUNNING'}
end

-- Writes
redis.call('HSET', KEYS[2], ARGV[2], record)
redis.call('HDEL', KEYS[2], ARGV[1])
-- Gateways keep copies of winners until the sequence moves.
if offer[1] then
  redis.call('HSET', KEYS[1], 'sequence', whole(tonumber(offer[3]) + 1))
end
return {'RENAMED'}
