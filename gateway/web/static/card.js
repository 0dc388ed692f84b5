// One offer on the page: what it is, how long, how many, and the button.

import { h, safeUrl, tell, write } from "./dom.js";
import { Purchase } from "./purchase.js";
import { clock } from "./server.js";
import { moment, money, moneyParts, number, percent, known, t } from "./text.js";
import { ticketView } from "./ticket.js";
import { parts } from "./timer.js";

const ARTS = 4;
const TINTS = 6;
const MOMENT_NAMES = ["hours", "minutes", "seconds"];

/** The state by the server's word and the server's clock: an upcoming offer whose hour has come is running. */
export function phaseOf(offer, now_ms) {
  if (offer.state === "ended" || now_ms >= Date.parse(offer.ends_at)) return "ended";
  if (offer.state !== "upcoming") return offer.state;
  return now_ms < Date.parse(offer.starts_at) ? "upcoming" : "running";
}

export class Card {
  inSight = false;
  phase = null;
  phaseSince = -Infinity; // performance.now() time of the last change of phase after the first
  #asked = false;
  #views = [];
  #shown = "";

  /** `announce(text)` speaks to screen readers; `pickName()` opens the demo's choice of shoppers. */
  constructor(offer, shopper, { announce, pickName, ordersUrl }) {
    Object.assign(this, { offer, shopper, announce, pickName, ordersUrl });
    this.#build();
    this.forget();
  }

  get group() {
    if (this.phase === "ended") return "ended";
    return clock.now() < Date.parse(this.offer.starts_at) ? "upcoming" : "running";
  }

  get engaged() {
    return this.element.matches(":hover, :focus-within") || this.purchase.step !== "idle";
  }

  /** Another shopper, or none: nothing of the last one stays. */
  forget() {
    if (this.purchase) this.purchase.onChange = () => {};
    this.purchase = new Purchase(this.offer, this.shopper, (won) => this.#changed(won));
    this.#asked = false;
    this.render();
  }

  update(fields) {
    Object.assign(this.offer, fields);
    this.render();
  }

  /** Once a second. */
  tick() {
    const now = clock.now();
    if (phaseOf(this.offer, now) !== this.phase) this.render();
    this.#countDown(now);
    for (const view of this.#views) view.tick(now);
    if (this.inSight && this.shopper.token && !this.#asked && this.phase !== "upcoming") {
      this.#asked = true;
      this.purchase.mine();
    }
  }

  #build() {
    const { offer } = this;
    const part = (name, tag = "p", properties = {}) => {
      this[name] = h(tag, { className: name, ...properties });
      return this[name];
    };
    this.cells = MOMENT_NAMES.map(() => h("b"));
    const title = h("h3", { id: `name-${offer.id}` });
    this.title = title;
    this.input = h("input", { type: "number", min: 1, step: 1, value: 1, inputMode: "numeric", onchange: () => this.render() });
    this.less = h("button", { type: "button", className: "plain", onclick: () => this.#step(-1) }, "−");
    this.more = h("button", { type: "button", className: "plain", onclick: () => this.#step(1) }, "+");
    this.bar = h("progress", { max: 100 });
    this.buy = h("button", { type: "button", className: "buy", onclick: () => this.#press() });
    this.keep = h("button", { type: "button", className: "plain", onclick: () => this.#pressKeep() });
    this.element = h("article", { className: "card" },
      h("div", { className: "art" }, part("letter", "span", { ariaHidden: "true" }), part("off", "span")),
      h("div", { className: "body" },
        h("div", { className: "head" }, part("state", "span"),
          part("timer", "span", { role: "timer" })),
        title, part("slogan"),
        h("p", { className: "prices" }, part("now", "strong"), part("was", "s")),
        h("div", { className: "stock" }, this.bar, part("left", "span"), part("sold", "span")),
        h("div", { className: "action" },
          h("div", { className: "quantity", role: "group" }, this.less, this.input, this.more), this.buy, this.keep),
        part("limit"), part("says", "p", { role: "status" }),
        h("div", { className: "tickets" })));
    this.timer.append(h("span", { className: "label" }), h("span", { className: "days" }), ...this.cells);
    this.element.setAttribute("aria-labelledby", title.id);
    this.buy.setAttribute("aria-describedby", title.id);
    this.bar.removeAttribute("value");
    this.#picture();
  }

  /** The product's picture, or a poster drawn by the style sheet, always the same for a SKU. */
  #picture() {
    const art = this.element.firstChild;
    const hash = [...this.offer.sku].reduce((sum, letter) => (sum * 33 + letter.codePointAt(0)) % 65521, 5381);
    art.dataset.art = hash % ARTS;
    art.dataset.tint = Math.floor(hash / ARTS) % TINTS;
    const source = safeUrl(this.offer.image);
    if (!source) return;
    const image = h("img", { alt: "", decoding: "async", loading: "lazy", referrerPolicy: "no-referrer", src: source });
    image.onerror = () => image.remove();
    art.prepend(image);
  }

  render() {
    const { offer } = this;
    const now = clock.now();
    const phase = phaseOf(offer, now);
    if (phase !== this.phase) {
      if (this.phase !== null) this.phaseSince = performance.now();
      if (this.phase === "upcoming" && phase === "running" && this.inSight) this.announce("says.open_now", { name: offer.name });
      if (phase === "running") this.purchase.hush();
      this.phase = phase;
      this.element.dataset.phase = phase;
    }
    const name = offer.name || offer.sku;
    write(this.title, name);
    write(this.letter, Array.from(name)[0].toUpperCase());
    write(this.slogan, offer.slogan ?? "");
    const when = moment(Date.parse(phase === "ended" ? offer.ends_at : offer.starts_at), now);
    write(this.state, t(`state.${phase}`, { when }));
    this.#renderPrices();
    this.#renderStock();
    this.#renderAction();
    this.#renderTickets(now);
    this.#countDown(now);
  }

  #renderPrices() {
    const { price, original_price, currency } = this.offer;
    this.now.replaceChildren(...moneyParts(price, currency).map(({ type, value }) => h("span", { className: type }, value)));
    const reduced = original_price > price;
    write(this.was, reduced ? money(original_price, currency) : "");
    this.was.setAttribute("aria-label", t("was", { price: this.was.textContent }));
    const share = reduced ? 1 - price / original_price : 0;
    write(this.off, share >= 0.01 ? t("off", { percent: percent(share) }) : "");
  }

  #renderStock() {
    const { left, stock } = this.offer;
    const planned = this.phase === "upcoming";
    write(this.left, t(planned ? "planned" : "left", { left: number(left), stock: number(stock) }));
    const share = stock > 0 ? (stock - left) / stock : 0;
    write(this.sold, planned ? "" : t("sold", { percent: percent(share) }));
    this.bar.value = share * 100;
    this.bar.hidden = planned;
    this.bar.setAttribute("aria-label", t("progress"));
  }

  get #room() {
    return Math.max(0, Math.min(this.offer.limit - this.purchase.held, this.offer.left));
  }

  get #wanted() {
    return Math.max(1, Math.min(this.#room, Math.trunc(Number(this.input.value)) || 1));
  }

  #step(by) {
    this.input.value = this.#wanted + by;
    this.render();
  }

  #renderAction() {
    const { purchase, shopper, phase, offer } = this;
    const { step } = purchase;
    const done = purchase.held >= offer.limit;
    const buyable = phase === "running" && !done;
    const noToken = shopper.token === null;
    let label = phase === "running" ? "buy" : `state.${phase}`;
    if (buyable && purchase.tickets.length) label = "buy.more";
    if (buyable && purchase.retrying && step !== "sending") label = "buy.retry";
    if (buyable && noToken) label = shopper.demo ? "buy.name" : "buy.sign_in";
    if (known(`buy.${step}`)) label = `buy.${step}`;
    const edge = Date.parse(phase === "ended" ? offer.ends_at : offer.starts_at);
    write(this.buy, t(label, { when: moment(edge, clock.now()) }));
    this.buy.hidden = (done || phase === "ended") && step === "idle";
    // Not `disabled`: the button must keep the keyboard's focus through the opening and through an answer.
    const off = !buyable || step !== "idle" || (noToken && !shopper.demo);
    this.buy.setAttribute("aria-disabled", String(off));
    this.buy.setAttribute("aria-busy", String(step === "sending" || step === "settling"));
    const keepLabel = step === "waiting" && purchase.canKeep ? "buy.stop" : "buy.keep";
    write(this.keep, purchase.canKeep && step !== "sending" ? t(keepLabel) : "");
    this.#renderQuantity(buyable && step === "idle" && offer.limit > 1 && this.#room > 1);
    write(this.limit, offer.limit > 1 && !done && phase !== "ended" ? t("limit", { limit: number(offer.limit) }) : "");
    const [key, values = {}, tone = ""] = purchase.says ?? [""];
    const said = { ...values, when: values.when ? moment(values.when, clock.now()) : "" };
    tell(this.says, key && t(known(key) ? key : "outcome.bad_request", said));
    this.says.className = `says ${tone}`;
  }

  #renderQuantity(shown) {
    this.input.parentElement.hidden = !shown;
    const wanted = this.#wanted;
    Object.assign(this.input, { max: this.#room || 1, value: wanted, ariaLabel: t("quantity") });
    Object.assign(this.less, { ariaLabel: t("less"), disabled: wanted <= 1 });
    Object.assign(this.more, { ariaLabel: t("more"), disabled: wanted >= this.#room });
  }

  #renderTickets(now) {
    const { tickets, ordersUrl } = this.purchase;
    const shown = JSON.stringify([document.documentElement.lang, ordersUrl, tickets.map((each) => [each.order_no, each.units])]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#views = tickets.map((ticket) => ticketView(ticket, ordersUrl ?? this.ordersUrl, now));
    this.element.querySelector(".tickets").replaceChildren(...this.#views.map((view) => view.element));
    this.element.classList.toggle("mine", tickets.length > 0);
  }

  #countDown(now) {
    const [label, days] = this.timer.children;
    const upcoming = now < Date.parse(this.offer.starts_at); // paused ones too
    this.timer.hidden = this.phase === "ended";
    if (this.timer.hidden) return;
    write(label, t(upcoming ? "timer.starts" : "timer.ends"));
    const [d, ...cells] = parts(Date.parse(upcoming ? this.offer.starts_at : this.offer.ends_at) - now);
    write(days, d > 0 ? t("timer.days", { n: d }) : "");
    cells.forEach((text, index) => write(this.cells[index], text));
  }

  #press() {
    if (this.buy.getAttribute("aria-disabled") === "true") return;
    if (this.shopper.token === null) this.pickName();
    else this.purchase.buy(this.offer.limit > 1 ? this.#wanted : 1);
  }

  #pressKeep() {
    if (this.purchase.step === "waiting") this.purchase.stop();
    else this.purchase.keepTrying();
  }

  /** After a win the button is gone: the keyboard goes on at the ticket. */
  #changed(won) {
    this.render();
    if (!won) return;
    this.element.classList.add("fresh");
    this.element.querySelector(".ticket:last-child h4").focus({ preventScroll: false });
  }
}
