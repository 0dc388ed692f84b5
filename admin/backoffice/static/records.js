// Comfort in forms of records: a discount in both ways of telling it, and a picture as its address is typed.
const form = document.querySelector("form[enctype]");
const language = document.documentElement.lang;
const plain = (value) => String(Math.round(value * 1000) / 1000);

for (const output of document.querySelectorAll("[data-records-percent]")) {
  const input = document.getElementById(output.dataset.recordsPercent);
  const money = new Intl.NumberFormat(language, { style: "currency", currency: output.dataset.currency });
  const tell = () => {
    const typed = Number(input.value.trim());
    const percent = output.dataset.counts === "fold" ? 100 - typed * 10 : typed;
    const words = { fold: plain((100 - percent) / 10), percent: plain(percent), before: money.format(100), after: money.format(100 - percent) };
    const sensible = input.value.trim() && percent > 0 && percent < 100;
    output.textContent = sensible ? output.dataset.told.replace(/\{(\w+)\}/g, (_, name) => words[name]) : "";
  };
  input.addEventListener("input", tell);
  tell();
}

for (const place of document.querySelectorAll("[data-records-preview]")) {
  const input = document.getElementById(place.dataset.recordsPreview);
  input.addEventListener("change", () => {
    place.replaceChildren();
    if (!/^(https:\/\/|\/(?!\/))/.test(input.value.trim())) return;
    const picture = Object.assign(new Image(), { className: "records-image", alt: "", src: input.value.trim() });
    place.append(picture);
  });
}

// What makes no sense with what is picked elsewhere is out of sight, and not sent.
for (const input of document.querySelectorAll("[data-records-when]")) {
  const [name, value] = input.dataset.recordsWhen.split("=");
  const other = document.getElementById(name);
  const follow = () => {
    input.disabled = other.value !== value;
    (input.closest(".row > *") ?? input.closest(".mb-3")).hidden = input.disabled;
  };
  other.addEventListener("change", follow);
  follow();
}

form?.querySelector("[aria-invalid=true]")?.focus();
