-- While a bucket is marked dry, gateways may repeat `sold_out` for it, if then nothing was left in any bucket.

-- after_dry(now, dry_until_ms, dry_left, hold_until_ms) -> hold_ms, fields: what a bucket that gets units has to
-- write down, and for how long they are not sold.
local function after_dry(now, dry_until_ms, dry_left, hold_until_ms)
  local until_ms = tonumber(dry_until_ms or 0)
  if until_ms <= now then
    return 0, {}
  end
  if tonumber(dry_left) > 0 then
    -- Nobody repeats that something else was too little.
    return 0, {'dry_until_ms', 0}
  end
  local held_ms = tonumber(hold_until_ms or 0)
  if held_ms >= until_ms then
    return held_ms - now, {}
  end
  return until_ms - now, {'hold_until_ms', string.format('%.0f', until_ms), 'hold_letter', 'S'}
end
