// One shopper's purchase of one offer: the click, what may follow it, and the tickets.
//
// An attempt is what the shopper wants once: it keeps its Idempotency-Key through every retry, until an answer is
// final. Steps: idle, sending (a click is under way), settling (asks what became of it), held (must wait before
// the next click), waiting (clicks again by itself).

import { clock, jitter, offerPath, request, sleep, sleepUntil } from "./server.js";

const TRIES_MAX = 10;
const BACKOFF_MAX_MS = 8000;
const SETTLE_ASKS_MAX = 8;
const LOST_SETTLES_MS = 1500; // the gateway's own deadline for a click, and a little more
const OPENING_MS = 3000; // a click this little early is sent again at the opening

/** A key nobody else has; randomUUID would need a secure context. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("-");

export class Purchase {
  step = "idle";
  says = null; // [catalogue key, values, tone]
  tickets = [];
  ordersUrl = null;
  canKeep = false;
  #attempt = null;
  #keep = false;
  #wake = null;

  /** `onChange(won)` follows every change; `won` is true when a ticket has just come. */
  constructor(offer, shopper, onChange) {
    Object.assign(this, { offer, shopper, onChange });
  }

  get held() {
    return this.tickets.reduce((sum, ticket) => sum + ticket.quantity, 0);
  }

  get retrying() {
    return this.#attempt !== null;
  }

  /** Forgets words that are no longer true. */
  hush() {
    if (this.step === "idle" && !this.tickets.length) this.says = null;
  }

  buy(quantity) {
    if (this.step !== "idle") return;
    if (this.#attempt?.quantity !== quantity) this.#attempt = { key: newKey(), quantity, tries: 0, renewed: false };
    this.#click();
  }

  /** Clicks again by itself, ever more slowly, until an answer is final or the shopper stops it. */
  keepTrying() {
    if (!this.canKeep || !this.#attempt) return;
    this.#keep = true;
    if (this.step === "held") this.#wake();
    else this.#click();
  }

  stop() {
    this.#keep = false;
    this.#wake?.();
  }

  /** Asks which tickets the shopper holds; resolves with `won`, `pending` or `none`, or null without an answer. */
  async mine() {
    try {
      const { status, data } = await request(offerPath(this.offer.id, "/mine"), { token: this.shopper.token });
      if (status !== 200) return null;
      this.tickets = data.tickets ?? [];
      this.ordersUrl = data.orders_url ?? null;
      if (data.outcome === "pending" && this.step === "idle") this.says = ["outcome.pending"];
      this.onChange(false);
      return data.outcome;
    } catch {
      return null;
    }
  }

  #to(step, says = this.says) {
    Object.assign(this, { step, says });
    this.onChange(false);
  }

  async #click() {
    const attempt = this.#attempt;
    this.canKeep = false;
    attempt.tries += 1;
    this.#to("sending", attempt.tries > 1 ? this.says : null);
    const many = this.offer.limit > 1;
    try {
      const reply = await request(offerPath(this.offer.id), {
        method: "POST", token: this.shopper.token,
        key: many ? attempt.key : undefined, body: many ? { quantity: attempt.quantity } : undefined,
      });
      await this.#answer(reply);
    } catch {
      await this.#settle(clock.now() + LOST_SETTLES_MS, "lost");
    }
  }

  async #answer({ data, retry_after_ms }) {
    const { outcome } = data;
    switch (outcome) {
      case "won":
      case "already_won":
        this.tickets = [...this.tickets.filter((ticket) => ticket.order_no !== data.order_no), data];
        return this.#end([`outcome.${outcome}`, {}, "good"], true);
      case "unknown":
        return this.#settle(Date.parse(data.settled_at), outcome);
      case "rate_limited":
      case "busy":
      case "unavailable":
        return this.#again(outcome, retry_after_ms);
      case "not_started":
        return this.#tooEarly(Date.parse(data.starts_at));
      case "unauthenticated":
        return this.#renew();
      case "sold_out":
        if (data.left === 0) Object.assign(this.offer, { left: 0, state: outcome });
        return this.#end(soldOut(data));
      case "limit_reached":
        await this.mine();
        return this.#end([`outcome.${outcome}`, { limit: data.limit, held: data.held }]);
      default:
        return this.#end([`outcome.${outcome}`, { when: Date.parse(data.ended_at), detail: data.detail }]);
    }
  }

  /** The attempt is over: the next click is a new one. */
  #end(says, won = false) {
    this.#attempt = null;
    this.#keep = false;
    this.#to("idle", says);
    if (won) this.onChange(true);
  }

  /** Certainly not sold, and may be tried again after a while. */
  async #again(outcome, retry_after_ms) {
    const attempt = this.#attempt;
    if (this.#keep && attempt.tries >= TRIES_MAX) {
      return this.#end(["says.gave_up", { max: TRIES_MAX }]);
    }
    const backoff_ms = Math.min(BACKOFF_MAX_MS, 500 * 2 ** attempt.tries);
    const wait_ms = this.#keep ? jitter(Math.max(retry_after_ms, backoff_ms)) : retry_after_ms;
    const s = Math.ceil(wait_ms / 1000);
    this.canKeep = outcome !== "rate_limited";
    const says = [`outcome.${outcome}`, { s }];
    if (this.#keep) this.#to("waiting", ["says.again_in", { s, n: attempt.tries + 1, max: TRIES_MAX }]);
    else this.#to("held", says);
    const before = this.#keep;
    await Promise.race([sleep(wait_ms), new Promise((resolve) => { this.#wake = resolve; })]);
    this.#wake = null;
    if (this.#keep === before) {
      if (this.#keep) return this.#click();
      return this.#to("idle", outcome === "rate_limited" ? ["says.again_now"] : says);
    }
    // The shopper changed their mind while waiting: "keep trying" starts at once with the longer wait, "stop" ends.
    return this.#keep ? this.#again(outcome, retry_after_ms) : this.#to("idle", says);
  }

  async #tooEarly(starts_ms) {
    if (starts_ms - clock.now() > OPENING_MS) return this.#end(["outcome.not_started", { when: starts_ms }]);
    this.#to("waiting", ["says.opening"]);
    await sleepUntil(starts_ms + Math.random() * 100);
    return this.#click();
  }

  async #renew() {
    const attempt = this.#attempt;
    if (attempt.renewed || !(await this.shopper.renew())) return this.#end(["outcome.unauthenticated"]);
    attempt.renewed = true;
    return this.#click();
  }

  /** Nobody knows whether the click sold: ask after the moment at which it is settled. The key stays. */
  async #settle(settled_ms, why) {
    this.#keep = false;
    this.#to("settling", [`outcome.${why}`]);
    const before = new Set(this.tickets.map((ticket) => ticket.order_no));
    await sleepUntil(settled_ms + 50);
    for (let ask = 0; ask < SETTLE_ASKS_MAX; ask += 1) {
      const outcome = await this.mine();
      if (outcome !== null && outcome !== "pending") {
        const won = this.tickets.some((ticket) => !before.has(ticket.order_no));
        return won ? this.#end(["outcome.won", {}, "good"], true) : this.#to("idle", ["outcome.none"]);
      }
      await sleep(jitter(Math.min(BACKOFF_MAX_MS, 500 * 2 ** ask)));
    }
    return this.#to("idle", ["says.not_settled"]);
  }
}

function soldOut({ left, may_return_at }) {
  if (left > 0) return ["says.sold_out_some", { left }];
  return may_return_at ? ["says.may_return", { when: Date.parse(may_return_at) }] : ["outcome.sold_out"];
}
