// The live monitor: shows what the stream tells, as the server wrote it first.
import { bar, columns, steps } from "./charts.js";
import { openDialogs } from "./live-dialogs.js";

const HISTORY = 120;
const MINUTE = 60;
const SILENT_MS = 5000;
const page = document.getElementById("live");
const words = JSON.parse(page.dataset.words);
const language = document.documentElement.lang;
const numbers = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
const times = new Intl.DateTimeFormat(language, { timeZone: words.zone, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shown = (number) => numbers.format(number);
const sum = (values) => values.reduce((all, each) => all + each, 0);
let history = [];

const write = (root, name, text) => {
  const cell = root.querySelector(`[data-cell="${name}"]`);
  if (cell && cell.textContent !== text) cell.textContent = text;
};
const badge = (word) => {
  const span = document.createElement("span");
  span.className = `badge sales-${word.colour}`;
  span.textContent = word.text;
  return span;
};
const figure = (name, text) => {
  const place = page.querySelector(`[data-figure="${name}"]`);
  if (place && place.textContent !== text) place.textContent = text;
};
const counted = (row, each) => {
  for (const name of ["held", "stock", "left"]) write(row, name, shown(each[name]));
  const drawn = row.querySelector(".bar");
  if (drawn) bar(drawn, each.held, each.stock);
};

function showHealth(health) {
  for (const each of health) {
    const item = page.querySelector(`[data-part="${each.part}"]`);
    if (!item) continue;
    item.querySelector(".badge").replaceWith(badge({ text: words.works[each.ok ? "ok" : "no"], colour: each.ok ? "green" : "red" }));
    item.querySelector(".live-reason").textContent = each.reason ? words.reasons[each.reason].replace("%(seconds)s", each.seconds) : "";
  }
}

function showState(state) {
  const place = page.querySelector('[data-live="state"]');
  if (!place || place.dataset.state === state) return;
  place.dataset.state = state;
  place.replaceChildren(badge(words.states[state]));
  for (const each of page.querySelectorAll("[data-when]")) each.hidden = !each.dataset.when.split(" ").includes(state);
}

function showWinners(winners) {
  const body = page.querySelector('[data-live="winners"]');
  const rows = winners.map((each) => {
    const row = document.createElement("tr");
    const link = document.createElement("a");
    link.href = `/admin/orders/${encodeURIComponent(each.order_no)}`;
    link.textContent = each.shopper;
    row.insertCell().append(link);
    row.insertCell().textContent = each.quantity > 1 ? `${each.sku} × ${each.quantity}` : each.sku;
    row.insertCell().textContent = words.orders[each.status] ?? each.status;
    const time = row.insertCell();
    time.className = "live-time";
    time.textContent = times.format(new Date(each.won_at));
    return row;
  });
  if (rows.length) body.replaceChildren(...rows);
}

function showSale(live) {
  figure("rate", shown(sum(Object.values(live.rates))));
  figure("held", shown(live.held));
  figure("held-hint", words.of_stock.replace("%(stock)s", shown(live.stock)));
  figure("left", shown(live.stock - live.held));
  for (const name of ["pending", "paid", "unpaid"]) figure(name, live.orders ? shown(live.orders[name]) : "–");
  figure("backlog", live.writer ? shown(live.writer.backlog) : "–");
  figure("lag", live.writer ? shown(live.writer.lag_ms / 1000) : "–");
  showState(live.state);
  showWinners(live.winners ?? []);
  const totals = {};
  for (const offer of live.offers) {
    const row = page.querySelector(`[data-offer="${CSS.escape(offer.offer)}"]`);
    if (row && offer.stock !== null) counted(row, offer);
    for (const [outcome, count] of Object.entries(offer.clicks)) totals[outcome] = (totals[outcome] ?? 0) + count;
  }
  for (const row of page.querySelectorAll("[data-outcome]")) {
    write(row, "total", shown(totals[row.dataset.outcome] ?? 0));
    write(row, "rate", shown(live.rates[row.dataset.outcome] ?? 0));
  }
}

function showSales(live) {
  for (const sale of live.sales) {
    const row = page.querySelector(`[data-sale="${CSS.escape(sale.code)}"]`);
    // A sale that is new here needs a row that only the server writes.
    if (!row) return location.reload();
    counted(row, sale);
    write(row, "rate", shown(sale.rate));
    row.querySelector('[data-cell="state"]').replaceChildren(badge(words.states[sale.state]));
  }
}

function draw() {
  const points = [...Array(Math.max(MINUTE - history.length, 0)).fill({ at: null, clicks: {}, held: history[0].held }), ...history];
  const labels = points.map((point) => (point.at ? times.format(new Date(point.at)) : ""));
  const rates = page.querySelector('[data-chart="rates"]');
  const groups = words.groups.map((group) => points.map((point) => sum(group.map((name) => point.clicks[name] ?? 0))));
  if (rates) columns(rates, groups, labels, shown);
  const sold = page.querySelector('[data-chart="sold"]');
  if (sold) steps(sold, points.map((point) => point.held), labels, shown);
}

const pulse = page.querySelector(".live-pulse");
let silent;
function alive() {
  clearTimeout(silent);
  if (pulse.textContent !== pulse.dataset.on) pulse.textContent = pulse.dataset.on;
  pulse.classList.add("on");
  silent = setTimeout(() => {
    pulse.textContent = pulse.dataset.off;
    pulse.classList.remove("on");
  }, SILENT_MS);
}

function watch() {
  const events = new EventSource(page.dataset.events);
  events.onmessage = (event) => {
    const live = JSON.parse(event.data);
    alive();
    history = live.history.length ? live.history : [...history, { at: live.at, clicks: live.rates, held: live.held }].slice(-HISTORY);
    showHealth(live.health);
    if (page.dataset.code) showSale(live);
    else showSales(live);
    draw();
  };
  events.onerror = () => {
    // A browser tries again by itself, unless it was refused: then the session may be over, or all places taken.
    if (events.readyState === EventSource.CLOSED) setTimeout(watch, SILENT_MS);
  };
}

openDialogs(page);
watch();
