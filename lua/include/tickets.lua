-- A ticket is 'order_no,units,slots,price,pay_by_ms,won_at_ms,key': units and slots joined by '.', the
-- key of the click that won it or nothing. A buyer's record is one or more tickets joined by '|'.

-- held_slots(record) -> count, set: how many units a buyer holds and which slots they take.
local function held_slots(record)
  local count, slots = 0, {}
  for joined in string.gmatch(record, '[^,|]+,[^,]+,([^,]+),[^|]*') do
    for slot in string.gmatch(joined, '[^.]+') do
      slots[tonumber(slot)] = true
      count = count + 1
    end
  end
  return count, slots
end

-- free_slots(taken, quantity) -> string: the lowest slots that a buyer's units may take, joined.
local function free_slots(taken, quantity)
  local slots, slot = {}, 1
  while #slots < quantity do
    if not taken[slot] then
      slots[#slots + 1] = slot
    end
    slot = slot + 1
  end
  return table.concat(slots, '.')
end

-- ticket_of_key(record, key) -> ticket or nil, quantity: what an earlier click with the same key won.
local function ticket_of_key(record, key)
  for ticket in string.gmatch(record, '[^|]+') do
    local units, ticket_key = string.match(ticket, '^[^,]+,([^,]+),.*,([^,]*)$')
    if ticket_key == key then
      local _, dots = string.gsub(units, '%.', '')
      return ticket, dots + 1
    end
  end
  return nil, 0
end
