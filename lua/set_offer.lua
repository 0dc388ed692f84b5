--[[
set_offer: bring an offer's terms to a version; create the offer, with its stock, when asked to.

Stock is seeded once, at creation; afterwards it changes only by `adjust_stock` and by sales.

KEYS
  1 offer   hash  the offer bucket
  2 offers  set   ids of the offers of the shard
ARGV
  1 id        string   offer id
  2 bucket    integer  number of the bucket
  3 version   integer  version of the terms
  4 epoch     integer  epoch, used at creation only
  5 run_id    string   Redis run approved at creation
  6 stock     integer  units to seed, or '' when the offer must exist
  7 terms     msgpack  {field, value, …}: state, starts_at_ms, ends_at_ms, price, limit, pay_within_ms, card
RETURNS
  CREATED version
  UPDATED version
  UNCHANGED version
  MISSING version
SCHEMA 1
]]
local version = redis.call('HGET', KEYS[1], 'version')
local word = 'UPDATED'
local fields = cmsgpack.unpack(ARGV[7])
if version then
  if tonumber(version) >= tonumber(ARGV[3]) then
    return {'UNCHANGED', tonumber(version)}
  end
elseif ARGV[6] == '' then
  return {'MISSING', 0}
else
  word = 'CREATED'
  local seeds = {
    'id', ARGV[1], 'bucket', ARGV[2], 'epoch', ARGV[4], 'run_id', ARGV[5], 'unit_first', 1, 'next_unit', 1,
    'unit_top', ARGV[6], 'unit_cap', ARGV[6], 'stock', ARGV[6], 'left', ARGV[6], 'freed', 0, 'sequence', 0,
  }
  for _, seed in ipairs(seeds) do
    fields[#fields + 1] = seed
  end
end
fields[#fields + 1] = 'version'
fields[#fields + 1] = ARGV[3]

-- Writes
redis.call('HSET', KEYS[1], unpack(fields))
redis.call('SADD', KEYS[2], ARGV[1])
return {word, tonumber(ARGV[3])}
