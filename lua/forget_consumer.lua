--[[
forget_consumer: take a writer that is gone off the group's list, unless it still has entries to write.

Looking and removing are one step: removing a consumer that has just been given entries would lose them.

KEYS
  1 stream  stream  winners
ARGV
  1 group     string   consumer group
  2 consumer  string   name of the writer
  3 idle_ms   integer  ms it must not have been seen for
RETURNS
  FORGOTTEN
  KEPT
SCHEMA 1
]]
local gone = false
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for index = 1, #row, 2 do
    consumer[row[index]] = row[index + 1]
  end
  if consumer.name == ARGV[2] then
    gone = consumer.pending == 0 and consumer.idle >= tonumber(ARGV[3])
  end
end
if not gone then
  return {'KEPT'}
end

-- Writes
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return {'FORGOTTEN'}
