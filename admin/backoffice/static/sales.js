// Questions are asked in dialogs; a list's boxes are ticked all at once.
// Buttons name the dialog that they open or close, so they work before this script has come; older browsers need it.
if (!("command" in HTMLButtonElement.prototype)) {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[commandfor]");
    if (!button) return;
    const dialog = document.getElementById(button.getAttribute("commandfor"));
    if (button.getAttribute("command") === "close") dialog.close();
    else dialog.showModal();
  });
}
document.querySelector("dialog[data-again]")?.showModal();

const form = document.querySelector("form[data-chooses]");
if (form) {
  const boxes = [...form.querySelectorAll("input[name=code]")];
  const all = form.querySelector("[data-all]");
  const told = form.querySelector("[data-count]");
  const tell = () => {
    const count = boxes.filter((box) => box.checked).length;
    told.textContent = told.dataset.count.replace("{n}", count);
    form.querySelector("[data-apply]").disabled = count === 0;
    if (all) all.checked = count > 0 && count === boxes.length;
  };
  all?.addEventListener("change", () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  form.addEventListener("change", tell);
  tell();
}
