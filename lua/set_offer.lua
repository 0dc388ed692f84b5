--[[
set_offer: bring an offer's terms to a version; create the offer, with its stock, when asked to.

Stock is seeded once, at creation; afterwards it changes only by `adjust_stock` and by sales. When the terms
before this version kept the sale closed, the old answer is held for as long as gateways may repeat it.

KEYS
  1 offer   hash  the offer bucket
  2 offers  set   ids of the offers whose first bucket lives on the shard
ARGV
  1 id        string   offer id
  2 bucket    integer  number of the bucket
  3 version   integer  version of the terms
  4 epoch     integer  epoch, used at creation only
  5 run_id    string   Redis run approved at creation
  6 stock     integer  units to seed in this bucket, or '' when the offer must exist
  7 lease_ms  integer  how long gateways repeat a refusal
  8 terms     msgpack  {field, value, …}: state, starts_at_ms, ends_at_ms, price, limit, pay_within_ms, card
  9 buckets   integer  how many the offer has, used at creation only
  10 first    integer  first of the bucket's numbers, used at creation only
  11 unit_cap integer  highest number of the offer, used at creation only
RETURNS
  CREATED hold_ms
  UPDATED hold_ms
  UNCHANGED hold_ms
  MISSING hold_ms
SCHEMA 1
]]
--@include now_ms
--@include whole
--@include phase

local offer = redis.call('HMGET', KEYS[1], 'version', 'state', 'starts_at_ms', 'ends_at_ms')
local version = offer[1]
local word = 'UPDATED'
local fields = cmsgpack.unpack(ARGV[8])
local hold_ms = 0
if version then
  if tonumber(version) >= tonumber(ARGV[3]) then
    return {'UNCHANGED', 0}
  end
  local now = now_ms()
  local closed = phase(offer[2], offer[3], offer[4], now)
  if closed then
    hold_ms = tonumber(ARGV[7])
    for _, part in ipairs({'hold_until_ms', whole(now + hold_ms), 'hold_letter', closed}) do
      fields[#fields + 1] = part
    end
  end
  for index = 1, #fields, 2 do
    if fields[index] == 'state' and fields[index + 1] == 'terminated' and offer[2] ~= 'terminated' then
      fields[#fields + 1] = 'ended_at_ms'
      fields[#fields + 1] = whole(math.min(now, tonumber(offer[4])))
      break
    end
  end
elseif ARGV[6] == '' then
  return {'MISSING', 0}
else
  word = 'CREATED'
  local seeds = {
    'id', ARGV[1], 'bucket', ARGV[2], 'buckets', ARGV[9], 'epoch', ARGV[4], 'run_id', ARGV[5],
    'unit_first', ARGV[10], 'next_unit', ARGV[10], 'unit_top', whole(tonumber(ARGV[10]) + tonumber(ARGV[6]) - 1),
    'unit_cap', ARGV[11], 'stock', ARGV[6], 'left', ARGV[6], 'freed', 0, 'sequence', 0,
  }
  for _, seed in ipairs(seeds) do
    fields[#fields + 1] = seed
  end
end
fields[#fields + 1] = 'version'
fields[#fields + 1] = ARGV[3]

-- Writes
redis.call('HSET', KEYS[1], unpack(fields))
if ARGV[2] == '0' then
  redis.call('SADD', KEYS[2], ARGV[1])
end
return {word, hold_ms}
