// Words, money and times in the reader's language. Every text of the page comes from a catalogue.

const LANGUAGES = ["en", "zh-Hant"];
const CHINESE = /^zh(-(hant|tw|hk|mo)\b.*)?$/i;

let language = "en";
let catalogue = {};
let shop = { currency: "CNY", timezone: "UTC" };

/** The language to begin with: the reader's earlier choice, else the browser's first that we speak. */
export function preferred() {
  const chosen = recall("language");
  if (LANGUAGES.includes(chosen)) return chosen;
  for (const tag of navigator.languages) {
    if (CHINESE.test(tag)) return "zh-Hant";
    if (/^en\b/i.test(tag)) return "en";
  }
  return "en";
}

export const other = () => LANGUAGES.find((tag) => tag !== language);

/** Loads a catalogue and puts it into every element that carries `data-t`. */
export async function speak(tag) {
  const reply = await fetch(new URL(`text.${tag}.json`, import.meta.url));
  catalogue = await reply.json();
  language = tag;
  document.documentElement.lang = tag;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
}

export function setShop(config) {
  shop = { currency: config.currency || shop.currency, timezone: config.timezone || shop.timezone };
  try {
    new Intl.DateTimeFormat("en", { timeZone: shop.timezone });
  } catch {
    shop.timezone = "UTC"; // a zone that this browser does not know
  }
}

export const zone = () => shop.timezone;
export const known = (key) => key in catalogue;

/** The text of a key, with `{name}` replaced by values.name. */
export const t = (key, values = {}) =>
  (catalogue[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

export const number = (value) => new Intl.NumberFormat(language).format(value);

const moneyFormat = (currency) =>
  new Intl.NumberFormat(language, {
    style: "currency", currency: currency || shop.currency, currencyDisplay: "narrowSymbol",
  });
const major = (format, minor) => minor / 10 ** format.resolvedOptions().maximumFractionDigits;

/** Money from minor units. */
export function money(minor, currency) {
  const format = moneyFormat(currency);
  return format.format(major(format, minor));
}

/** The same in parts `{type, value}`, so that a price can be set like a price tag. */
export function moneyParts(minor, currency) {
  const format = moneyFormat(currency);
  return format.formatToParts(major(format, minor));
}

/** A share as whole percent, rounded down: a page never claims more than is true. */
export const percent = (share) =>
  new Intl.NumberFormat(language, { style: "percent" }).format(Math.floor(share * 100 + 1e-9) / 100);

const civil = (options, instant_ms) =>
  new Intl.DateTimeFormat(language, { timeZone: shop.timezone, hourCycle: "h23", ...options }).format(instant_ms);

/** An instant in the shop's zone; the date only when it is not the day of `now_ms`. */
export function moment(instant_ms, now_ms) {
  const day = { year: "numeric", month: "numeric", day: "numeric" };
  const today = civil(day, instant_ms) === civil(day, now_ms);
  const time = { hour: "2-digit", minute: "2-digit" };
  return civil(today ? time : { month: "short", day: "numeric", ...time }, instant_ms);
}

/** Remembers a choice of this tab. A token is never given to it. */
export function remember(name, value) {
  try {
    sessionStorage.setItem(`seckill.${name}`, value);
  } catch { /* storage may be forbidden: then the choice lasts as long as the page */ }
}

export function recall(name) {
  try {
    return sessionStorage.getItem(`seckill.${name}`);
  } catch {
    return null;
  }
}
