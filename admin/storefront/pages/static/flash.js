// Live figures of flash sales: one small question for all of them, only while somebody can see them.

import { clock } from "./clock.js";

const POLL_MS = 5000;
const POLL_LONG_MS = 30_000; // after a failure, and on a page that has been open for long
const LIVELY_MS = 900_000;
const OPENING_SPREAD_MS = 1500; // when a sale opens, not every page asks in the same moment
const FEW = 10;

/** Spreads pages that would otherwise all ask in the same moment: 75 % to 125 % of the time. */
const jitter = (ms) => ms * (0.75 + Math.random() / 2);
const seen = new Set();
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) seen[isIntersecting ? "add" : "delete"](target);
});
const watch = () => {
  seen.clear();
  sight.disconnect();
  for (const card of document.querySelectorAll("[data-offer]")) sight.observe(card);
};
const say = (element, text) => element && element.textContent !== text && (element.textContent = text);

function show(card, sale) {
  const figures = card.querySelector(".figures");
  const bar = figures?.querySelector("progress");
  if (!bar || sale.left === null) return;
  bar.value = sale.sold_percent;
  say(figures.querySelector(".sold"), figures.dataset.sold.replace("{n}", sale.sold_percent));
  const few = sale.left === 0 ? figures.dataset.gone : sale.left <= FEW ? figures.dataset.few.replace("{n}", sale.left) : "";
  say(figures.querySelector(".few"), few);
}

/** What has opened, ended or sold out looks different: the page is asked for again, and its parts are put in place. */
async function renew() {
  const reply = await fetch(location.href);
  if (!reply.ok) return;
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (fresh) part.replaceWith(fresh);
    else part.remove();
  }
  watch();
}

async function poll() {
  const wanted = [...seen].map((card) => card.dataset.offer);
  if (document.hidden || !wanted.length) return true;
  const asked = document.querySelector("[data-figures]")?.dataset.figures;
  if (!asked) return false;
  const reply = await fetch(asked);
  if (!reply.ok) return false;
  const { server_time, items } = await reply.json();
  clock.hear(Date.parse(server_time), performance.now());
  const sales = new Map(items.map((sale) => [sale.offer, sale]));
  let turned = false;
  for (const card of seen) {
    const sale = sales.get(card.dataset.offer);
    if (sale) show(card, sale);
    turned ||= sale?.state !== card.dataset.state;
  }
  if (turned) await renew();
  return true;
}

async function run() {
  for (let well = true; ; well = await poll().catch(() => false)) {
    const pause_ms = well && performance.now() < LIVELY_MS ? POLL_MS : POLL_LONG_MS;
    await new Promise((resolve) => setTimeout(resolve, jitter(pause_ms)));
  }
}

document.addEventListener("visibilitychange", () => poll().catch(() => {}));
document.addEventListener("over", () => setTimeout(() => renew().catch(() => {}), Math.random() * OPENING_SPREAD_MS));
watch();
run();
