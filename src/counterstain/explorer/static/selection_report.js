// What a selection on the map is: how many of which class, and how bright beside the rest.

import { el, number } from "./dom.js";
import { gallery } from "./well_view.js";

const HEAD = ["Channel", "Selected", "Rest", "Difference [95 % interval]", "How"];
const SHOWN = 60;

export function selectionReport(run, facts, clear) {
  return [
    el("div", { class: "head" }, el("h2", { text: `${facts.n.toLocaleString("en")} selected, of ${facts.n_wells} wells` }), el("button", { type: "button", text: "Clear (Esc)", onclick: clear })),
    el("p", { class: "about", text: facts.classes.map((c) => `${c.name || "in no class"}: ${c.n.toLocaleString("en")}`).join(" · ") }),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Intensities of the selection" }, intensities(facts.channels)),
    el("p", { class: "hint", text: "Mean intensity of crops, on the scale of the negative controls; averaged by well first, the well being the unit. A selection made by eye is a guess to be tested, not a test." }),
    gallery(run, facts.items.slice(0, SHOWN).map((id) => ({ id }))),
  ];
}

function intensities(channels) {
  const cell = (text) => el("td", { class: "n", text });
  const row = (one) => el("tr", {}, el("th", { scope: "row", text: one.channel }), cell(number(one.selected, 3)), cell(number(one.rest, 3)), cell(interval(one)), el("td", { text: one.how }));
  return el("table", {}, el("thead", {}, el("tr", {}, HEAD.map((text, at) => el("th", { scope: "col", class: at > 0 && at < 4 ? "n" : null, text })))), el("tbody", {}, channels.map(row)));
}

function interval({ difference, low, high }) {
  if (difference === null) return "–";
  return `${difference > 0 ? "+" : ""}${number(difference, 3)} [${number(low, 3)}, ${number(high, 3)}]`;
}
