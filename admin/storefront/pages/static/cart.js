// Forms of the cart without a new page: the same request, and the main part of the answer takes the place of ours.

const main = document.getElementById("main");
const said = document.createElement("p");
said.className = "unseen";
said.setAttribute("role", "status");
document.body.append(said);
main.classList.add("live");

const keyed = (key) => (key ? main.querySelector(`[data-key="${CSS.escape(key)}"]`) : null);

/** Show what was answered to a form: what was open stays open, the focus where it was, and what is being typed. */
function swap(page, form) {
  const active = document.activeElement;
  const key = active?.dataset?.key ?? active?.id;
  const typed = active?.form !== form && active?.value !== active?.defaultValue ? active.value : null;
  const open = [...main.querySelectorAll("details[open]")].map((each) => each.dataset.key);
  main.replaceChildren(...page.getElementById("main").childNodes);
  document.querySelector(".main-links").replaceChildren(...page.querySelector(".main-links").childNodes);
  for (const each of open) keyed(each)?.setAttribute("open", "");
  const again = keyed(key) ?? document.getElementById(key) ?? main;
  again.focus({ preventScroll: true });
  if (typed !== null && again.defaultValue !== undefined) again.value = typed;
  const told = main.querySelector(".bad, .wrong, .note")?.textContent ?? "";
  said.textContent = `${told} ${main.querySelector("[data-said]")?.dataset.said ?? ""}`.trim();
  for (const image of main.querySelectorAll(".art img")) image.onerror = () => image.remove();
}

let latest = 0;
let waiting;

async function send(form, button) {
  const turn = ++latest;
  clearTimeout(waiting);
  const fields = new URLSearchParams(new FormData(form));
  if (button?.name) fields.append(button.name, button.value);
  main.setAttribute("aria-busy", "true");
  try {
    const reply = await fetch(button?.getAttribute("formaction") ?? form.action, { method: "POST", body: fields });
    const text = await reply.text();
    if (reply.redirected && new URL(reply.url).pathname !== location.pathname) return location.assign(reply.url);
    if (turn === latest) swap(new DOMParser().parseFromString(text, "text/html"), form);
  } catch {
    // The browser tells people what is wrong better than we could.
    location.reload();
  } finally {
    main.removeAttribute("aria-busy");
  }
}

/** Several steps in a row are one change, of what is in the field then. */
function step(button) {
  const field = button.parentElement.querySelector("[name=quantity][data-known]");
  field.value = Math.max(1, (Number(field.value) || 1) + Number(button.dataset.step));
  latest++;
  clearTimeout(waiting);
  waiting = setTimeout(() => send(field.form), 300);
}

main.addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.submitter?.dataset.step) step(event.submitter);
  else send(event.target, event.submitter);
});
main.addEventListener("change", ({ target }) => {
  if (target.name !== "quantity" || !target.dataset.known || target.value === target.dataset.known) return;
  // The Enter key sends the form by itself, too.
  clearTimeout(waiting);
  waiting = setTimeout(() => send(target.form));
});
