// Looks for products without loading the page again.
const REST_MS = 250;

export function searching(form) {
  const found = form.querySelector("[data-found]");
  if (!found) return;
  const text = form.elements.find;
  const category = form.elements["find.category"];
  let timer = 0;
  let newest = 0;

  async function search() {
    const mine = ++newest;
    const asked = new URLSearchParams({ find: text.value, "find.category": category.value });
    const reply = await fetch(`${found.dataset.found}?${asked}`);
    const page = await reply.text();
    if (reply.ok && mine === newest) found.innerHTML = page;
  }

  text.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, REST_MS); });
  category.addEventListener("change", search);
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    search();
  });
}
