// A ticket as the winner sees it.

import { h, safeUrl, write } from "./dom.js";
import { duration } from "./timer.js";
import { moment, money, number, t } from "./text.js";

/** The page of an order: below the one where a shopper's orders are. By its receipt it is known before it is written. */
const orderUrl = (ordersUrl, { order_no, receipt }) =>
  safeUrl(ordersUrl && `${ordersUrl.replace(/\/$/, "")}/${encodeURIComponent(order_no)}?receipt=${encodeURIComponent(receipt)}`);

/** Shows one ticket; `tick(now_ms)` of the result keeps its time to pay going. */
export function ticketView(ticket, ordersUrl, now_ms) {
  const pay_by = Date.parse(ticket.pay_by);
  const clockFace = h("b", { className: "digits" });
  const payBy = h("span");
  const copied = h("p", { className: "copied", role: "status", hidden: true });
  const link = orderUrl(ordersUrl, ticket);
  const units = ticket.units.map((unit) => number(unit));
  const element = h("section", { className: "ticket" },
    h("div", { className: "torn" },
      h("div", {},
        h("h4", { tabIndex: -1 }, t("ticket")),
        h("dl", {},
          ...row("ticket.order", h("code", {}, ticket.order_no)),
          ...row("ticket.total", h("strong", {}, money(ticket.price * ticket.quantity, ticket.currency)), ...each(ticket)))),
      h("div", { className: "stub" }, t("ticket.unit"),
        h("b", { className: units.length > 1 ? "many" : "" }, units.join(" · ")))),
    h("p", { className: "pay" }, payBy, " ", clockFace),
    h("div", { className: "row" },
      ...(link ? [h("a", { className: "button", href: link, rel: "noreferrer" }, t("ticket.open"))] : []),
      h("button", { type: "button", className: "plain", onclick: () => copy(ticket.receipt, copied) }, t("ticket.copy"))),
    copied);
  const tick = (now) => {
    const left = pay_by - now;
    write(payBy, left > 0 ? t("ticket.pay_by", { when: moment(pay_by, now) }) : t("ticket.pay_late"));
    write(clockFace, left > 0 ? duration(left) : "");
  };
  tick(now_ms);
  return { element, tick, orderNo: ticket.order_no };
}

const row = (key, ...what) => [h("dt", {}, t(key)), h("dd", {}, ...what)];

function each({ quantity, price, currency }) {
  return quantity > 1 ? [" ", h("small", {}, t("ticket.each", { quantity, price: money(price, currency) }))] : [];
}

/** The clipboard needs a secure context; elsewhere the receipt is laid out to be copied by hand. */
async function copy(receipt, copied) {
  try {
    await navigator.clipboard.writeText(receipt);
    write(copied, t("ticket.copied"));
  } catch {
    const field = h("textarea", { readOnly: true, value: receipt, rows: 3, ariaLabel: t("ticket.copy") });
    write(copied, t("ticket.select"));
    copied.append(field);
    field.select();
  }
}
