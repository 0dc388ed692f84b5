// Live figures: event streams for the first few offers in sight, polite polling for the others.
//
// A browser opens about six connections to one server; streams leave room for clicks, also with two windows.

import { clock, jitter, offerPath, request } from "./server.js";

const STREAMS_MAX = 2;
const STREAM_REST_MS = 30_000; // after a failure an offer is polled for this long
const STREAM_SPREAD_MS = 1500; // when a sale opens, not every page opens its stream in the same moment
const POLLS_MAX = 2;
const POLL_MS = 5000;
const POLL_EARLY_MS = 30_000; // before the opening only the clock is wanted
const OPENING_SOON_MS = 60_000;

export class Live {
  #streams = new Map(); // offer id → EventSource
  #due = new Map(); // offer id → when its stream may open, or its status may be asked, in performance.now() time
  #polling = 0;

  /** `onNews(id, fields)` receives whatever was learnt about an offer. */
  constructor(onNews) {
    this.onNews = onNews;
  }

  /** Once a second: `offers` are those in sight that are not over, `{id, upcoming, starts_ms}`, in page order. */
  follow(offers) {
    const now = performance.now();
    const open = offers.filter((each) => !each.upcoming && this.#rested(each.id, now)).slice(0, STREAMS_MAX);
    const wanted = new Set(open.map((each) => each.id));
    for (const id of this.#streams.keys()) if (!wanted.has(id)) this.#close(id);
    for (const id of wanted) if (!this.#streams.has(id)) this.#open(id, now);
    for (const each of offers) if (!wanted.has(each.id)) this.#poll(each, now);
  }

  #rested(id, now) {
    return (this.#due.get(`stream ${id}`) ?? 0) <= now;
  }

  #open(id, now) {
    const due = `spread ${id}`;
    if (!this.#due.has(due)) this.#due.set(due, now + Math.random() * STREAM_SPREAD_MS);
    if (this.#due.get(due) > now) return;
    this.#due.delete(due);
    const stream = new EventSource(offerPath(id, "/events"));
    this.#streams.set(id, stream);
    stream.onmessage = ({ data }) => {
      const { left, sold, state } = JSON.parse(data);
      this.onNews(id, { left, state, stock: left + sold });
    };
    stream.addEventListener("again", () => this.#close(id)); // the next look opens another
    stream.onerror = () => {
      this.#close(id);
      this.#due.set(`stream ${id}`, performance.now() + jitter(STREAM_REST_MS));
    };
  }

  #close(id) {
    this.#streams.get(id)?.close();
    this.#streams.delete(id);
  }

  async #poll({ id, upcoming, starts_ms }, now) {
    const early = upcoming && starts_ms - clock.now() > OPENING_SOON_MS;
    const interval_ms = jitter(early ? POLL_EARLY_MS : POLL_MS);
    if (!this.#due.has(id)) this.#due.set(id, now + Math.random() * interval_ms);
    if (this.#due.get(id) > now || this.#polling >= POLLS_MAX) return;
    this.#due.set(id, now + interval_ms);
    this.#polling += 1;
    try {
      const { status, data } = await request(offerPath(id));
      if (status === 200) this.onNews(id, data);
    } catch { /* the next poll tries again */ } finally {
      this.#polling -= 1;
    }
  }
}
