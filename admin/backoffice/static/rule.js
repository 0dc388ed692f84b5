// The form of a rule, without reloading: rows, fields that do not apply, and guards while people type.
import { suggest } from "./rule-suggest.js";

const root = document.querySelector(".rule");
const form = root.closest("form");
const PAUSE_MS = 350;
const touched = new Set();
let waiting = 0;
let asking = null;

const byName = (attribute, name) => root.querySelector(`[${attribute}="${CSS.escape(name)}"]`);
const fieldOf = (element) => element.closest("[data-field]")?.dataset.field;

// Fields that do not apply now.
function fit() {
  for (const part of root.querySelectorAll("[data-only]")) {
    const chosen = form.querySelector(`[name="${CSS.escape(part.dataset.only)}"]:checked`);
    part.classList.toggle("rule-off", chosen?.value !== part.dataset.is);
  }
}

// Rows of tables.
function number(rows) {
  const all = [...rows.children];
  all.forEach((row, index) => {
    const sign = row.querySelector(":scope > .rule-number");
    if (sign) sign.textContent = index + 1;
    const button = row.querySelector(":scope > .rule-remove");
    if (button) button.setAttribute("aria-label", button.dataset.numbered.replace("{}", index + 1));
  });
  const full = all.length >= Number(rows.dataset.most);
  byName("data-full", rows.dataset.rows).hidden = !full;
  root.querySelector(`button[value="add ${CSS.escape(rows.dataset.rows)}"]`).disabled = full;
}

function named(part, from, to) {
  for (const element of part.querySelectorAll("*")) {
    for (const attribute of element.attributes) attribute.value = attribute.value.replaceAll(from[0], to[0]).replaceAll(from[1], to[1]);
    if (element.content) named(element.content, from, to);
  }
}

function add(table) {
  const rows = byName("data-rows", table);
  const taken = [...rows.children].map((row) => Number(row.dataset.row.split(".").pop()));
  const key = Math.max(-1, ...taken) + 1;
  const row = byName("data-blank", table).content.cloneNode(true);
  const id = table.replaceAll(/[.~]/g, "-");
  named(row, [`${table}.__`, `${id}-__`], [`${table}.${key}`, `${id}-${key}`]);
  rows.append(row);
  number(rows);
  const added = rows.lastElementChild;
  enrich(added);
  return added;
}

function remove(name) {
  const row = byName("data-row", name);
  const rows = row.parentElement;
  const next = row.nextElementSibling ?? row.previousElementSibling ?? add(rows.dataset.rows);
  row.remove();
  number(rows);
  next.querySelector("input:not([type=hidden]), button").focus();
}

root.addEventListener("click", (event) => {
  const button = event.target.closest("button[name=row]");
  if (!button) return;
  event.preventDefault();
  const [action, name] = button.value.split(" ");
  if (action === "add") add(name).querySelector("input:not([type=hidden])").focus();
  else remove(name);
  form.dispatchEvent(new Event("input", { bubbles: true }));
});

// Guards: what the server says about the form as it is now.
function tell(attribute, texts, lacking) {
  for (const place of root.querySelectorAll(`[${attribute}]`)) {
    const name = place.getAttribute(attribute);
    const hushed = lacking.has(name) && !touched.has(name);
    const text = hushed ? "" : (texts[name] ?? []).join(" ");
    if (place.textContent !== text) place.textContent = text;
    if (attribute !== "data-error-of") continue;
    const input = document.getElementById(place.id.replace(/-error$/, ""));
    if (input && text) input.setAttribute("aria-invalid", "true");
    else input?.removeAttribute("aria-invalid");
  }
}

function show(found) {
  const lacking = new Set(found.lacking);
  tell("data-error-of", found.errors, lacking);
  tell("data-note-of", found.notes, lacking);
  const wrong = Object.keys(found.errors).some((name) => !lacking.has(name));
  root.querySelector("[data-problems]").textContent = touched.size ? found.problems.join(" ") : "";
  const live = root.querySelector("[data-live]");
  live.hidden = false;
  live.querySelector("[data-label]").textContent = found.label;
  live.querySelector("[data-words]").replaceChildren(...found.words.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  stand(found.right ? "right" : wrong ? "wrong" : "open");
}

function stand(word) {
  const standing = root.querySelector("[data-standing]");
  root.querySelector("[data-live]").dataset.live = word;
  if (standing.textContent !== root.dataset[word]) standing.textContent = root.dataset[word];
}

async function check() {
  asking?.abort();
  asking = new AbortController();
  const body = new FormData(form);
  try {
    const reply = await fetch(root.dataset.check, { method: "POST", body, signal: asking.signal });
    if (!reply.ok || !reply.headers.get("content-type").startsWith("application/json")) throw new Error(reply.status);
    show(await reply.json());
  } catch (error) {
    if (error.name !== "AbortError") stand("away");
  }
}

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(check, PAUSE_MS);
}

function enrich(part) {
  for (const input of part.querySelectorAll("[data-product]")) suggest(input, root.dataset);
}

fit();
enrich(root);
for (const wrong of root.querySelectorAll("[aria-invalid]")) touched.add(fieldOf(wrong));
form.addEventListener("input", () => { fit(); soon(); });
root.addEventListener("focusout", (event) => {
  const name = fieldOf(event.target);
  if (!name || touched.has(name) || event.target.closest("button")) return;
  touched.add(name);
  soon();
});
if (root.querySelector("[data-live]")) check();
