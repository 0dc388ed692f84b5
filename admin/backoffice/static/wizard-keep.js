// Keeps what is typed into a form in this window until it is saved, and puts it back after a reload.
const ASIDE = "[type=hidden], [type=search], [name=pick], [name=paste], button";

export function keeper(form) {
  const place = `wizard:${form.dataset.wizard}`;
  const fields = () => [...form.elements].filter((field) => field.name && !field.disabled && !field.matches(ASIDE));
  const ticks = (field) => field.type === "checkbox" || field.type === "radio";

  function read() {
    try { return JSON.parse(sessionStorage.getItem(place)); } catch { return null; }
  }

  function write(sent) {
    const values = fields().map((field) => [field.name, field.value, ticks(field) ? field.checked : null]);
    sessionStorage.setItem(place, JSON.stringify({ revision: form.elements.revision.value, sent, values }));
  }

  function put([name, value, checked]) {
    const field = fields().find((each) => each.name === name && (checked === null || each.value === value));
    if (!field || (checked === null ? field.value === value : field.checked === checked)) return false;
    if (checked === null) field.value = value; else field.checked = checked;
    return true;
  }

  const forget = () => sessionStorage.removeItem(place);

  return {
    forget,
    keep: () => write(false),
    // The server has it: it is either saved or shown again in the form.
    sent: () => write(true),
    restore() {
      const stored = read();
      if (!stored || stored.sent) { forget(); return false; }
      const changed = stored.values.map(put).includes(true);
      if (!changed) { forget(); return false; }
      // What was typed belongs to the campaign as it was then.
      form.elements.revision.value = stored.revision;
      const note = form.querySelector("[data-restored]");
      note.hidden = false;
      note.querySelector("[data-discard]").addEventListener("click", () => { forget(); location.reload(); });
      return true;
    },
  };
}
