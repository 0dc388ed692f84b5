// A step of the wizard: what is typed is kept in this window, and drafts are saved as one goes. Without this file
// the buttons do it all.
import { keeper } from "./wizard-keep.js";
import { searching } from "./wizard-search.js";

const REST_MS = 900;
const form = document.querySelector("[data-wizard]");

function start() {
  const kept = keeper(form);
  const says = form.querySelector("[data-saying]");
  const words = JSON.parse(form.dataset.words);
  // After a conflict somebody has to decide first.
  const asItGoes = form.dataset.state === "draft" && !form.elements.over;
  let timer = 0;
  let saving = Promise.resolve();
  let underWay = 0;
  let changes = 0;

  const say = (name) => { says.textContent = name ? form.dataset[name] : ""; };

  function mark(errors) {
    for (const slot of form.querySelectorAll(".wizard-error:not([data-error])")) {
      if (slot.id && !(slot.id.slice("error-".length) in errors)) slot.remove();
    }
    for (const slot of form.querySelectorAll("[data-error]")) {
      const text = errors[slot.dataset.error] ?? "";
      slot.textContent = form.querySelector(`[id="error-${CSS.escape(slot.dataset.error)}"]`) ? "" : text;
      if (text) slot.closest("details")?.setAttribute("open", "");
      const field = slot.parentElement.querySelector("input, select, textarea");
      if (field) field.classList.toggle("is-invalid", text !== "");
    }
  }

  function show(reply, sent) {
    for (const [name, standing] of Object.entries(reply.steps)) {
      const step = document.querySelector(`[data-step="${name}"]`);
      step.className = `wizard-${standing}`;
      const word = step.querySelector("[data-word]");
      if (word) word.textContent = `, ${words[standing]}`;
    }
    for (const [sku, text] of Object.entries(reply.prices ?? {})) {
      const cell = form.querySelector(`[data-result="${CSS.escape(sku)}"]`);
      if (cell) cell.textContent = text;
    }
    mark(reply.errors);
    if (reply.changed_elsewhere) return say("elsewhere");
    form.elements.revision.value = reply.revision;
    const clean = Object.keys(reply.errors).length === 0;
    if (clean && sent === changes) kept.forget();
    say(clean ? "saved" : "kept");
  }

  async function save() {
    const sent = changes;
    say("saving");
    try {
      const reply = await fetch(form.action, {
        method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" },
      });
      if (!reply.ok) throw new Error(String(reply.status));
      show(await reply.json(), sent);
    } catch {
      say("away");
    }
  }

  function soon() {
    clearTimeout(timer);
    // One after the other: each needs the revision that the one before it made.
    timer = setTimeout(() => {
      timer = 0;
      underWay += 1;
      saving = saving.then(save).then(() => { underWay -= 1; });
    }, REST_MS);
  }

  function changed(event) {
    if (event.target.matches("[data-aside], [name=pick], [name^=find], [name=paste]")) return;
    changes += 1;
    kept.keep();
    if (asItGoes) soon();
  }

  form.addEventListener("input", changed);
  form.addEventListener("submit", (event) => {
    clearTimeout(timer);
    timer = 0;
    kept.sent();
    if (!underWay) return;
    // A save under way makes the form's revision old: wait for the new one.
    event.preventDefault();
    saving = saving.then(() => form.requestSubmit(event.submitter));
  });
  addEventListener("pagehide", () => {
    if (timer) navigator.sendBeacon(form.action, new URLSearchParams(new FormData(form)));
  });
  if (kept.restore() && asItGoes) soon();
  searching(form);
}

if (form) start();
