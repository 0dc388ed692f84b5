-- Numbers that were never issued are those from next_unit to unit_top, and after them those in ranges:
-- 'first-last,first-last'. The command includes `whole` before this.

-- first_range(ranges) -> first, last, others: the first of some ranges; nil when there is none.
local function first_range(ranges)
  local first, last, others = string.match(ranges, '^(%d+)%-(%d+),?(.*)$')
  return tonumber(first), tonumber(last), others
end

-- join_ranges(some, more) -> ranges: both, in this order.
local function join_ranges(some, more)
  if some == '' or more == '' then
    return some .. more
  end
  return some .. ',' .. more
end

-- range_of(first, last) -> ranges: the numbers from first to last, '' when there are none.
local function range_of(first, last)
  if last < first then
    return ''
  end
  return whole(first) .. '-' .. whole(last)
end

-- take_from_end(wanted, ranges, next_unit, unit_top) -> taken, count, ranges, unit_top: up to so many numbers, from
-- the end, and what stays.
local function take_from_end(wanted, ranges, next_unit, unit_top)
  local taken, count = '', 0
  while count < wanted do
    local others, first, last = string.match(ranges, '^(.-),?(%d+)%-(%d+)$')
    local fresh = not first
    if fresh then
      first, last = next_unit, unit_top
    else
      first, last = tonumber(first), tonumber(last)
    end
    local size = math.min(wanted - count, last - first + 1)
    if size <= 0 then
      break
    end
    taken = join_ranges(taken, range_of(last - size + 1, last))
    count = count + size
    if fresh then
      unit_top = last - size
    else
      ranges = join_ranges(others, range_of(first, last - size))
    end
  end
  return taken, count, ranges, unit_top
end

-- without(ranges, number) -> ranges: all but one number; nil when it is in none of them.
local function without(ranges, number)
  local kept, found = '', false
  for from, to in string.gmatch(ranges, '(%d+)%-(%d+)') do
    local first, last = tonumber(from), tonumber(to)
    if first <= number and number <= last then
      found = true
      kept = join_ranges(join_ranges(kept, range_of(first, number - 1)), range_of(number + 1, last))
    else
      kept = join_ranges(kept, range_of(first, last))
    end
  end
  return found and kept or nil
end
