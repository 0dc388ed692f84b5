// Who is shopping: a token from the shop's page or, in the demo, from a picked name. Kept in memory only.
//
// A shop hands it over in one of two ways:
//   <sale page>#token=JWT                                       read once and removed from the address bar;
//                                                               with #offer=ID&token=JWT the page begins there
//   frame.postMessage({type: "seckill.token", token: JWT}, …)   from one of the gateway's allowed origins
// The page tells its opener or parent {type: "seckill.ready"} when it listens, and {type: "seckill.token_wanted"}
// when a token has run out.

import { request } from "./server.js";
import { recall, remember } from "./text.js";

const FORM = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const TOKEN_MAX = 4096;
const RENEW_WAIT_MS = 3000;

/** `onChange` is called after every change of shopper. */
export class Shopper {
  token = null;
  name = "";
  demo = false;
  #config = {};
  #waiting = [];

  constructor(onChange) {
    this.onChange = onChange;
    this.#readFragment();
    addEventListener("hashchange", () => this.#readFragment() && this.onChange());
  }

  /** Starts to listen to the shop, or takes up the demo shopper whom this tab had before a reload. */
  async begin(config) {
    this.#config = config;
    this.demo = Boolean(config.demo);
    addEventListener("message", (event) => this.#hear(event));
    this.#tell("seckill.ready");
    const name = recall("name");
    if (this.demo && !this.token && name) await this.choose(name).catch(() => {});
  }

  /** Demo only: become the shopper of that name. Throws an Error with the server's words when it refuses. */
  async choose(name) {
    const { status, data } = await request("demo/token", { method: "POST", body: { name } });
    if (status !== 200 && status !== 201) throw new Error(data.detail ?? "", { cause: "refused" });
    remember("name", name);
    this.#take(data.token);
    this.name = name;
    this.onChange();
  }

  /** A fresh token after the old one was refused; false when nobody gives one. */
  async renew() {
    const name = recall("name");
    if (this.demo && name) return this.choose(name).then(() => true, () => false);
    this.#tell("seckill.token_wanted");
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      setTimeout(resolve, RENEW_WAIT_MS, false);
    });
  }

  #readFragment() {
    const given = new URLSearchParams(location.hash.slice(1));
    const token = given.get("token");
    if (token === null) return false;
    given.delete("token");
    const rest = given.toString();
    history.replaceState(null, "", location.pathname + location.search + (rest && `#${rest}`));
    return this.#take(token);
  }

  #hear({ origin, source, data }) {
    if (!this.#config.allowed_origins?.includes(origin) || (source !== parent && source !== opener)) return;
    if (data?.type !== "seckill.token" || !this.#take(data.token)) return;
    this.onChange();
    for (const resolve of this.#waiting.splice(0)) resolve(true);
  }

  #take(token) {
    if (typeof token !== "string" || token.length > TOKEN_MAX || !FORM.test(token)) return false;
    this.token = token;
    this.name = subject(token);
    return true;
  }

  #tell(type) {
    const shop = opener ?? (parent === window ? null : parent);
    for (const origin of this.#config.allowed_origins ?? []) shop?.postMessage({ type }, origin);
  }
}

/** The shopper id that a token claims: for show only, the gateway is the one who verifies. */
function subject(token) {
  try {
    const bytes = atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"));
    const claims = JSON.parse(new TextDecoder().decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0))));
    return String(claims.sub);
  } catch {
    return "";
  }
}
