// Durations as clocks.

import { t } from "./text.js";

const DAY_S = 86_400;
const two = (n) => String(n).padStart(2, "0");

/** `[days, hours, minutes, seconds]` until something; the last second is shown until it is over. */
export function parts(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  return [Math.floor(s / DAY_S), two(Math.floor(s / 3600) % 24), two(Math.floor(s / 60) % 60), two(s % 60)];
}

/** The same as one text, hours left out when there are none. */
export function duration(ms) {
  const [days, hours, minutes, seconds] = parts(ms);
  if (days > 0) return `${t("timer.days", { n: days })} ${hours}:${minutes}:${seconds}`;
  return hours === "00" ? `${minutes}:${seconds}` : `${hours}:${minutes}:${seconds}`;
}
