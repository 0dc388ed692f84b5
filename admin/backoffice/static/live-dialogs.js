// What may be done about a sale: a link opens its dialog, which tells the answer.
const MARK = "monitor-";

const fresh = () => MARK + Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(16).padStart(2, "0")).join("");

function open(dialog, link) {
  const form = dialog.querySelector("form");
  form.reset();
  form.querySelector("[type=submit], button:not([type])").disabled = false;
  form.querySelector(".live-answer").textContent = "";
  dialog.querySelector(".live-about").textContent = link.dataset.about ?? "";
  if (form.elements.sku) form.elements.sku.value = link.dataset.sku;
  // One id per opened dialog: however often its button is pressed, the change counts once.
  if (form.elements.operation_id) form.elements.operation_id.value = fresh();
  dialog.showModal();
}

async function send(form) {
  const answer = form.querySelector(".live-answer");
  const button = form.querySelector("button:not([type])");
  button.disabled = true;
  try {
    const reply = await fetch(form.action, { method: "POST", headers: { Accept: "application/json" }, body: new FormData(form) });
    const told = await reply.json();
    answer.textContent = told.note;
    answer.classList.toggle("text-danger", !reply.ok);
    if (reply.ok) return form.querySelector("[data-close]").focus();
    if (form.elements.operation_id) form.elements.operation_id.value = fresh();
  } catch {
    answer.textContent = form.closest("[data-failed]").dataset.failed;
    answer.classList.add("text-danger");
  }
  button.disabled = false;
}

export function openDialogs(page) {
  page.addEventListener("click", (event) => {
    const link = event.target.closest("[data-dialog]");
    if (link) {
      event.preventDefault();
      open(document.getElementById(`dialog-${link.dataset.dialog}`), link);
    }
    const close = event.target.closest("[data-close]");
    if (close) close.closest("dialog").close();
  });
  page.addEventListener("submit", (event) => {
    event.preventDefault();
    send(event.target);
  });
}
