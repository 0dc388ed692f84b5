// The sale page: loads the offers, keeps them in their groups, and lets every part know when a second has passed.

import { Card } from "./card.js";
import { h, safeUrl, tell, write } from "./dom.js";
import { Live } from "./live.js";
import { clock, jitter, offerPath, request, sleep } from "./server.js";
import { Shopper } from "./shopper.js";
import * as text from "./text.js";

const GROUPS = ["running", "upcoming", "ended"];
const OFFERS_MAX = 500;
const PAGE_SIZE = 100;
const REFRESH_MS = 60_000;
const SETTLED_MS = 30_000; // a card changes its group only this long after its phase, never under a finger
const DEMO_NAMES = ["Amy", "Ben", "Chloe", "David", "Emma"];

const { t } = text;
const find = (id) => document.getElementById(id);
const cards = new Map(); // offer id → Card, in the server's order
const dialog = find("who");
const shopper = new Shopper(shopperChanged);
const live = new Live((id, fields) => cards.get(id)?.update(fields));
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) cards.get(target.dataset.offer).inSight = isIntersecting;
}, { rootMargin: "100px" });
let config = {};
let notice = null; // [catalogue key, [button key, action]?]

function shopperChanged() {
  for (const card of cards.values()) {
    card.forget();
    card.tick();
  }
  renderFrame();
}

function say(key, button) {
  notice = key ? [key, button] : null;
  renderFrame();
}

function renderFrame() {
  write(find("language"), t("language.other"));
  find("language").lang = text.other();
  write(find("times"), t("times", { zone: text.zone() }));
  const who = shopper.token ? t("who.is", { name: shopper.name }) : "";
  write(find("signed-in"), shopper.demo ? "" : who);
  write(find("shopper"), shopper.demo ? who || t("who.pick") : "");
  const shown = notice ?? (shopper.token || shopper.demo || !config.currency ? null : ["sign_in"]);
  find("notice").hidden = !shown;
  if (!shown) return;
  const [key, button] = shown;
  find("notice").replaceChildren(h("p", {}, t(key)),
    ...(button ? [h("button", { type: "button", className: "plain", onclick: button[1] }, t(button[0]))] : []));
}

/** Puts cards into their groups. A card the shopper may be about to press stays where it is. */
function place() {
  const now = performance.now();
  for (const card of cards.values()) {
    const home = find(card.group).querySelector(".cards");
    const parent = card.element.parentElement;
    if (parent === home || (parent && (card.engaged || now - card.phaseSince < SETTLED_MS))) continue;
    home.append(card.element);
  }
  const tabs = GROUPS.map((group) => {
    const count = find(group).querySelector(".cards").childElementCount;
    find(group).hidden = count === 0;
    find(group).querySelector("b").textContent = text.number(count);
    return count ? h("a", { href: `#${group}` }, t(`group.${group}`), " ", h("b", {}, text.number(count))) : "";
  });
  find("tabs").replaceChildren(...tabs);
  find("tabs").hidden = cards.size === 0;
  find("tabs").ariaLabel = t("title");
}

async function loadOffers() {
  const offers = [];
  let cursor = "";
  do {
    const { status, data } = await request(`seckill?limit=${PAGE_SIZE}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    if (status !== 200) throw new Error(`the list answered ${status}`);
    offers.push(...data.items);
    cursor = data.next;
  } while (cursor && offers.length < OFFERS_MAX);
  const ids = new Set(offers.map((offer) => offer.id));
  for (const [id, card] of cards) {
    if (ids.has(id) || card.engaged || card.purchase.tickets.length) continue;
    sight.unobserve(card.element);
    card.element.remove();
    cards.delete(id);
  }
  for (const offer of offers) {
    if (cards.has(offer.id)) cards.get(offer.id).update(offer);
    else addCard(offer);
  }
  place();
}

function addCard(offer) {
  const announce = (key, values) => tell(find("announcer"), t(key, values));
  const card = new Card(offer, shopper, { announce, pickName: () => dialog.showModal(), ordersUrl: config.orders_url });
  card.element.dataset.offer = offer.id;
  cards.set(offer.id, card);
  sight.observe(card.element);
}

async function refresh() {
  try {
    await loadOffers();
    say(cards.size ? null : "empty");
  } catch {
    say("unreachable", ["reload", refresh]);
  }
}

/** Shows the offer that the page was opened for: `#offer=ID`. One that the list does not hold is asked for. */
async function bringUp() {
  const id = new URLSearchParams(location.hash.slice(1)).get("offer");
  if (!id) return;
  if (!cards.has(id)) {
    const { status, data } = await request(offerPath(id)).catch(() => ({}));
    if (status !== 200) return;
    addCard(data);
    place();
  }
  const { element, title } = cards.get(id);
  title.tabIndex = -1;
  title.focus({ preventScroll: true });
  element.classList.add("wanted");
  element.scrollIntoView({ block: "center" });
}

/** Ticks on the second of the server's clock, so that every countdown of the page turns at once. */
function tick() {
  const inSight = [];
  for (const card of cards.values()) {
    card.tick();
    if (card.inSight && card.phase !== "ended") inSight.push(card);
  }
  live.follow(document.hidden ? [] : inSight.map(({ offer, phase }) =>
    ({ id: offer.id, upcoming: phase === "upcoming", starts_ms: Date.parse(offer.starts_at) })));
  setTimeout(tick, 1000 - (clock.now() % 1000) + 5);
}

async function pick(name) {
  const says = dialog.querySelector(".says");
  tell(says, "");
  try {
    await shopper.choose(name);
    dialog.close();
  } catch (error) {
    tell(says, error.cause === "refused" ? t("who.refused", { detail: error.message }) : t("who.failed"));
  }
}

function wire() {
  find("language").onclick = async () => {
    await text.speak(text.other());
    text.remember("language", document.documentElement.lang);
    renderFrame();
    place();
    for (const card of cards.values()) card.render();
  };
  find("shopper").onclick = () => dialog.showModal();
  dialog.querySelector(".names").append(...DEMO_NAMES.map((name) =>
    h("button", { type: "button", className: "name", onclick: () => pick(name) }, name)));
  dialog.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    const name = find("who-name").value.trim();
    if (name) pick(name);
  };
  dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close()); // the backdrop
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
}

async function start() {
  await text.speak(text.preferred());
  wire();
  for (;;) {
    try {
      const { status, data } = await request("config.json");
      if (status === 200) {
        config = data;
        break;
      }
    } catch { /* said below */ }
    say("unreachable");
    await sleep(jitter(3000));
  }
  text.setShop(config);
  const orders = safeUrl(config.orders_url);
  if (orders) Object.assign(find("orders"), { href: orders, hidden: false });
  await shopper.begin(config);
  await refresh();
  tick();
  await bringUp();
  addEventListener("hashchange", bringUp);
  for (;;) {
    await sleep(jitter(REFRESH_MS));
    if (!document.hidden) await refresh();
  }
}

start();
