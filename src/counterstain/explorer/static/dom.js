// Elements from plain text. Names of wells and compounds are only ever set as text, never as markup.

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "text") made.textContent = value;
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat().filter(Boolean));
}

export function select(label, options, value, onchange, id = null) {
  const chosen = el("select", { id, onchange: (event) => onchange(event.target.value) },
    options.map((option) => el("option", { value: option.value, text: option.label, selected: option.value === value })));
  return el("label", { class: "field" }, el("span", { text: label }), chosen);
}

let fading;

export function say(text) {
  const line = document.getElementById("status");
  line.textContent = text;
  clearTimeout(fading);
  fading = setTimeout(() => { line.textContent = ""; }, 5000);
}

export function number(value, digits = 2) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  return Math.abs(value) >= 1000 || Number.isInteger(value) ? value.toLocaleString("en") : signed(value.toFixed(digits));
}

function signed(text) {
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

export function typing(event) {
  const tag = event.target.tagName;
  return event.ctrlKey || event.metaKey || event.altKey || tag === "TEXTAREA" || tag === "SELECT" ||
    (tag === "INPUT" && event.target.type !== "checkbox" && event.target.type !== "range");
}
