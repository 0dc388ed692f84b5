--[[
restore_offer: put a rebuilt offer in the place of what Redis has of it, in one step, and leave it closed.

Buyers, numbers and operations were built before under passing names, and get their own here; nothing happens
unless they are complete. The offer may be approved once no gateway can repeat a refusal that was given before.

KEYS
  1 offer             hash  the offer bucket
  2 offers            set   ids of the offers whose first bucket lives on the shard
  3 buyers            hash  shopper -> tickets, in the new epoch
  4 freed             zset  unit numbers for sale again, in the new epoch
  5 retired           zset  unit numbers off sale, in the new epoch
  6 operations        hash  applied stock operations, in the new epoch
  7 built_buyers      hash  what becomes buyers
  8 built_freed       zset  what becomes freed
  9 built_retired     zset  what becomes retired
  10 built_operations hash  what becomes operations
ARGV
  1 id        string   offer id
  2 epoch     integer  the new epoch, above the one that Redis has
  3 lease_ms  integer  how long gateways repeat a refusal
  4 sizes     msgpack  {buyers, freed, retired, operations}: how many each must have
  5 fields    msgpack  {field, value, …} of the offer, all but epoch, run_id, sequence and approve_from_ms
  6 bucket    integer  number of the bucket
RETURNS
  RESTORED
  NEWER epoch
  INCOMPLETE
SCHEMA 1
]]
--@include now_ms
--@include whole

local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and tonumber(epoch) >= tonumber(ARGV[2]) then
  return {'NEWER', tonumber(epoch)}
end
local sizes = cmsgpack.unpack(ARGV[4])
local built = {redis.call('HLEN', KEYS[7]), redis.call('ZCARD', KEYS[8]), redis.call('ZCARD', KEYS[9]),
  redis.call('HLEN', KEYS[10])}
for part = 1, 4 do
  if built[part] ~= sizes[part] then
    return {'INCOMPLETE'}
  end
end
local now = now_ms()
local fields = cmsgpack.unpack(ARGV[5])
-- The sequence is above every one that a gateway can know, or it could take its old copy of the winners for
-- the new one: no offer sells a thousand times in a millisecond.
for _, part in ipairs({'epoch', ARGV[2], 'run_id', '', 'sequence', whole(now * 1000),
    'approve_from_ms', whole(now + tonumber(ARGV[3]))}) do
  fields[#fields + 1] = part
end

-- Writes
redis.call('HSET', KEYS[1], unpack(fields))
if ARGV[6] == '0' then
  redis.call('SADD', KEYS[2], ARGV[1])
end
redis.call('UNLINK', KEYS[3], KEYS[4], KEYS[5], KEYS[6])
for part, names in ipairs({{KEYS[7], KEYS[3]}, {KEYS[8], KEYS[4]}, {KEYS[9], KEYS[5]}, {KEYS[10], KEYS[6]}}) do
  if sizes[part] > 0 then
    redis.call('RENAME', names[1], names[2])
    redis.call('PERSIST', names[2])
  end
end
return {'RESTORED'}
