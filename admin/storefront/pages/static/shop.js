// What scripts add to every page: countdowns by the server's clock, and pictures that fail give way to the poster.

import { clock } from "./clock.js";

const DAY_S = 86_400;
const two = (n) => String(n).padStart(2, "0");

/** `[days, hours, minutes, seconds]` until something; the last second is shown until it is over. */
export function parts(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  return [Math.floor(s / DAY_S), two(Math.floor(s / 3600) % 24), two(Math.floor(s / 60) % 60), two(s % 60)];
}

function countDown(timer, now) {
  const left = Date.parse(timer.dataset.until) - now;
  const [days, ...digits] = parts(left);
  const day = timer.querySelector(".days");
  day.textContent = days ? day.dataset.text.replace("{n}", days) : "";
  timer.querySelectorAll("b").forEach((cell, index) => (cell.textContent = digits[index]));
  if (left > 0 || timer.dataset.over) return;
  timer.dataset.over = "1";
  timer.dispatchEvent(new Event("over", { bubbles: true }));
}

/** Ticks on the second of the server's clock, so that every countdown of the page turns at once. */
function tick() {
  const now = clock.now();
  for (const timer of document.querySelectorAll("[data-until]")) countDown(timer, now);
  setTimeout(tick, 1000 - (now % 1000) + 5);
}

const first = document.querySelector("[data-until]");
if (first) {
  clock.hear(Date.parse(first.dataset.now), performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);
  tick();
}
for (const image of document.querySelectorAll(".art img")) {
  if (image.complete && !image.naturalWidth) image.remove();
  else image.onerror = () => image.remove();
}
