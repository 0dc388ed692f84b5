--[[
settle: acknowledge entries of the winners' stream after the database has them, and put what could not be
written into the dead-letter stream, all or nothing per entry.

An entry that is no longer pending was settled before: it is passed over, so the totals stay exact.

KEYS
  1 stream    stream  winners
  2 dead      stream  winners that could not be written
  3 counters  hash    committed, dead
ARGV
  1 group    string   consumer group
  2 entries  msgpack  {{id, winners in it, {{shopper, ticket, offer, epoch, reason}, …}}, …}
RETURNS
  SETTLED entries committed dead
SCHEMA 1
]]
local entries = cmsgpack.unpack(ARGV[2])
local acknowledged, committed, dead = 0, 0, 0

-- Writes
for _, entry in ipairs(entries) do
  if redis.call('XACK', KEYS[1], ARGV[1], entry[1]) == 1 then
    acknowledged = acknowledged + 1
    committed = committed + entry[2]
    for _, letter in ipairs(entry[3]) do
      dead = dead + 1
      redis.call('XADD', KEYS[2], '*', 'entry', entry[1], 'shopper', letter[1], 'ticket', letter[2],
        'offer', letter[3], 'epoch', letter[4], 'reason', letter[5])
    end
  end
end
if acknowledged > 0 then
  redis.call('HINCRBY', KEYS[3], 'committed', committed)
  redis.call('HINCRBY', KEYS[3], 'dead', dead)
end
return {'SETTLED', acknowledged, committed, dead}
