// A form is sent once, however often its button is pressed; the server would take it for one order all the same.

for (const form of document.querySelectorAll("main form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "1";
    const button = event.submitter;
    if (button?.dataset.busy) button.textContent = button.dataset.busy;
  });
}
// Who comes back by the back button finds the page as it was left.
addEventListener("pageshow", (event) => event.persisted && location.reload());
