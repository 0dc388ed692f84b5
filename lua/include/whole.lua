-- whole(number) -> string: all digits of an integer; tostring() would round from 1e14 on.
local function whole(number)
  return string.format('%.0f', number)
end
