--[[
settle: acknowledge entries of the winners' stream after the database has them, and put what could not be
written into the dead-letter stream, all or nothing per entry.

An entry that is no longer pending was settled before, or a Redis that lost its latest does not know it: the
totals pass it over, so they stay exact. A letter is filed all the same, unless it was filed before.

KEYS
  1 stream    stream  winners
  2 dead      stream  winners that could not be written
  3 counters  hash    committed, dead
  4 filed     set     digests of the letters that were ever filed
ARGV
  1 group    string   consumer group
  2 entries  msgpack  {{id, winners in it, {{shopper, ticket, offer, epoch, reason}, …}}, …}
RETURNS
  SETTLED entries committed dead
SCHEMA 1
]]
local entries = cmsgpack.unpack(ARGV[2])
local acknowledged, committed, dead = 0, 0, 0

-- A winner is the same in whatever entry it comes; unreadable entries without a shopper may be equal by chance.
local function digest(id, letter)
  local entry = letter[1] == '' and id or ''
  return redis.sha1hex(entry .. '\0' .. letter[3] .. '\0' .. letter[1] .. '\0' .. letter[2])
end

-- Writes
for _, entry in ipairs(entries) do
  local known = redis.call('XACK', KEYS[1], ARGV[1], entry[1])
  acknowledged = acknowledged + known
  committed = committed + known * entry[2]
  for _, letter in ipairs(entry[3]) do
    if redis.call('SADD', KEYS[4], digest(entry[1], letter)) == 1 then
      dead = dead + 1
      redis.call('XADD', KEYS[2], '*', 'entry', entry[1], 'shopper', letter[1], 'ticket', letter[2],
        'offer', letter[3], 'epoch', letter[4], 'reason', letter[5])
    end
  end
end
if acknowledged + dead > 0 then
  redis.call('HINCRBY', KEYS[3], 'committed', committed)
  redis.call('HINCRBY', KEYS[3], 'dead', dead)
end
return {'SETTLED', acknowledged, committed, dead}
