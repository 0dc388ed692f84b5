// A field for a product that offers what a name or SKU finds: a combobox with a list of its own.
const PAUSE_MS = 200;

export function suggest(input, texts) {
  const list = Object.assign(document.createElement("ul"), { id: `${input.id}-found`, className: "rule-found", hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", texts.offered);
  input.removeAttribute("list");
  input.setAttribute("role", "combobox");
  input.setAttribute("aria-autocomplete", "list");
  input.setAttribute("aria-expanded", "false");
  input.setAttribute("aria-controls", list.id);
  input.parentElement.classList.add("rule-combobox");
  input.after(list);
  let waiting = 0;
  let asked = "";

  const options = () => [...list.querySelectorAll("[role=option]")];
  const active = () => list.querySelector("[aria-selected=true]");

  function close() {
    clearTimeout(waiting);
    asked = "";
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  function point(option) {
    active()?.setAttribute("aria-selected", "false");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  }

  function choose(option) {
    input.value = option.dataset.sku;
    close();
    input.dispatchEvent(new Event("input", { bubbles: true }));
    close();
  }

  function offer(found) {
    list.replaceChildren(...found.map((each, index) => {
      const option = Object.assign(document.createElement("li"), { id: `${list.id}-${index}` });
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      option.dataset.sku = each.sku;
      const name = Object.assign(document.createElement("b"), { textContent: each.name });
      const about = Object.assign(document.createElement("small"), { textContent: `${each.sku} · ${each.about}` });
      option.append(name, about);
      return option;
    }));
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(found.length > 0));
    input.removeAttribute("aria-activedescendant");
  }

  async function search() {
    const typed = asked = input.value;
    const query = new URLSearchParams({ q: typed });
    if ("gifts" in input.dataset) query.set("gifts", "1");
    const reply = await fetch(`${texts.products}?${query}`);
    // Somebody who typed on, or went elsewhere, has no use for this answer.
    if (reply.ok && typed === asked && document.activeElement === input) offer(await reply.json());
  }

  input.addEventListener("input", (event) => {
    clearTimeout(waiting);
    if (event.isTrusted) waiting = setTimeout(search, PAUSE_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) { search(); return; }
      const all = options();
      const step = event.key === "ArrowDown" ? 1 : -1;
      point(all[(all.indexOf(active()) + step + all.length + (active() ? 0 : step < 0 ? 1 : 0)) % all.length]);
    } else if (event.key === "Enter" && !list.hidden && active()) {
      event.preventDefault();
      choose(active());
    }
  });
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) choose(option);
  });
  input.addEventListener("blur", close);
}
