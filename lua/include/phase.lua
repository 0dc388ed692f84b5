-- phase(state, starts_at_ms, ends_at_ms, now) -> letter or nil: why nobody can win right now.
local function phase(state, starts_at_ms, ends_at_ms, now)
  if state == 'terminated' or now >= tonumber(ends_at_ms) then
    return 'E'
  end
  if state == 'paused' then
    return 'P'
  end
  if now < tonumber(starts_at_ms) then
    return 'N'
  end
  return nil
end
