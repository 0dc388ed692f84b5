--[[
remind: put due reminders on the stream of the shop's mailer, each once.

A reminder that was given before counts as given and is not put there again, so a caller that does not know may
call again. What is older than keep_ms goes first; a stream that is full takes nothing more until its reader
has deleted entries, so a prefix of the reminders may be given and the rest has to wait.

KEYS
  1 stream  stream  due reminders
  2 given   zset    reminder ids → when they were given
ARGV
  1 reminders   msgpack  {{id, shopper, offer, data as JSON}, …}
  2 keep_ms     integer  age at which entries and marks are taken away, ms
  3 length_max  integer  most entries that the stream may hold
RETURNS
  GIVEN reminders
SCHEMA 1
]]
--@include now_ms
--@include whole
local now = now_ms()
local oldest = whole(now - tonumber(ARGV[2]))
local reminders = cmsgpack.unpack(ARGV[1])
local given = 0

-- Writes
redis.call('XTRIM', KEYS[1], 'minid', oldest)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. oldest)
local free = tonumber(ARGV[3]) - redis.call('XLEN', KEYS[1])
for _, reminder in ipairs(reminders) do
  if not redis.call('ZSCORE', KEYS[2], reminder[1]) then
    if free <= 0 then
      break
    end
    redis.call('XADD', KEYS[1], '*', 'reminder', reminder[1], 'shopper', reminder[2], 'offer', reminder[3],
      'data', reminder[4])
    redis.call('ZADD', KEYS[2], whole(now), reminder[1])
    free = free - 1
  end
  given = given + 1
end
return {'GIVEN', given}
