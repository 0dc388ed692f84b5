-- whole(number) -> string: all digits of an integer below 2^53; tostring() would round from 1e14 on.
local function whole(number)
  return string.format('%d', number)
end
