// Small helpers over the DOM. Data only ever becomes text: nothing here parses markup.

/** An element with properties and children; strings become text nodes. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Sets a text only when it changed, so that live regions speak once; they stay in place when they are empty. */
export function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The same for what is not there without a text. */
export function write(element, text) {
  tell(element, text);
  element.hidden = text === "";
}

/** An address that may be fetched or followed: http(s), relative ones included; else null. */
export function safeUrl(text) {
  if (typeof text !== "string" || text === "") return null;
  try {
    const url = new URL(text, document.baseURI);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}
