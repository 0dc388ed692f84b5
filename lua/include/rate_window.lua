-- rate_wait(previous, current, elapsed_ms, limit, window_ms) -> integer: 0 when one more click is allowed,
-- else the milliseconds until it would be. A sliding window: the previous window counts by the share of it
-- that is still within the last window_ms.
local function rate_wait(previous, current, elapsed_ms, limit, window_ms)
  if previous * (window_ms - elapsed_ms) / window_ms + current + 1 <= limit then
    return 0
  end
  local wait_ms
  if current + 1 <= limit then
    wait_ms = window_ms * (1 - (limit - 1 - current) / previous) - elapsed_ms
  else
    wait_ms = window_ms - elapsed_ms + window_ms * (1 - (limit - 1) / current)
  end
  return math.max(1, math.ceil(wait_ms))
end
