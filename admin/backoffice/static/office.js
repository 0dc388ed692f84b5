// What inline handlers of the frame's templates did, which the page's policy forbids.
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-office-call]");
  if (button) window[button.dataset.officeCall]();
});
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-office-goto]")) location.href = event.target.value;
});
