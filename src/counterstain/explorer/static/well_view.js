// A well: its fields, and its crops as a gallery; and a field with its crops where they lie.

import { json } from "./api.js";
import { el, number, replace, select } from "./dom.js";
import { scaleBar, tile } from "./pictures.js";
import { link, note, route } from "./state.js";

const PAGE = 240;

export function trail(run, parts) {
  return el("nav", { class: "trail", "aria-label": "Where you are" }, el("ol", {}, parts.map((part) =>
    el("li", {}, part.href ? el("a", { href: part.href, text: part.text }) : el("span", { "aria-current": "page", text: part.text })))));
}

export function plateLink(run, facts) {
  return { href: link("plate", Math.max(0, run.plates.indexOf(facts.Metadata_Plate))), text: `Plate ${facts.Metadata_Plate}` };
}

export function score(item) {
  if (typeof item.score === "number") return number(item.score);
  if (typeof item.overlap === "number") return number(item.overlap);
  return "";
}

export function gallery(run, items, pixels = 72) {
  return el("ul", { class: "gallery" }, items.map((item) => {
    const words = [`${run.kind === "crops" ? "crop" : "patch"} ${item.id}`, item.predicted && `called ${item.predicted}`, score(item) && `${run.kind === "crops" ? "score" : "overlap"} ${score(item)}`].filter(Boolean).join(", ");
    return el("li", {}, el("a", { href: link("cell", item.id), "aria-label": words, title: words, class: item.correct === false ? "wrong" : "" },
      tile(run, item.id, pixels), el("span", { class: "under", text: score(item) || String(item.id) })));
  }));
}

const ORDERS = {
  imaged: ["As imaged", (a, b) => a.id - b.id],
  low: ["Lowest score first", (a, b) => (a.score ?? a.overlap ?? 0) - (b.score ?? b.overlap ?? 0)],
  high: ["Highest score first", (a, b) => (b.score ?? b.overlap ?? 0) - (a.score ?? a.overlap ?? 0)],
};

export async function wellView(main, { run, signal, marks }) {
  const { id, params } = route();
  const well = await json(`/api/wells/${id}`, signal);
  let order = params.get("order") in ORDERS ? params.get("order") : "imaged";
  const place = el("div");
  const draw = () => {
    const items = [...well.items].sort(ORDERS[order][1]);
    replace(place, gallery(run, items.slice(0, PAGE)), items.length > PAGE ? el("p", { class: "hint", text: `The first ${PAGE} of ${items.length} are shown.` }) : null);
  };
  const facts = Object.entries(well.facts).filter(([name, value]) => name.startsWith("Metadata_") && value !== null && value !== "" && !["Metadata_Plate", "Metadata_Well"].includes(name));
  replace(main,
    trail(run, [plateLink(run, well.facts), { text: `Well ${well.facts.Metadata_Well}` }]),
    el("h1", { text: `Well ${well.facts.Metadata_Well}` }),
    el("p", { class: "about" }, `${well.facts.class_name || "In no class"}; ${well.items.length} ${run.noun}. `, facts.map(([name, value]) => `${name.replace("Metadata_", "").replaceAll("_", " ")}: ${typeof value === "number" ? number(value) : value}`).join(" · ")),
    el("h2", { text: "Fields" }),
    el("ul", { class: "fields" }, well.fields.map((field) => el("li", {},
      el("a", { href: link("field", field.field), text: `Field ${field.Metadata_Site}` }),
      el("span", { class: "soft", text: `${field.faulty ? `faulty: ${field.reason}` : "good"}${marks.find("faulty_field", field.field) ? "; marked faulty" : ""}` })))),
    el("h2", { text: run.kind === "crops" ? "Crops" : "Patches" }),
    run.has_pixels ? null : el("p", { class: "nothing", text: "The pixels of this run cannot be read: only numbers are shown." }),
    el("div", { class: "tools" }, select("Order", Object.entries(ORDERS).map(([value, [label]]) => ({ value, label })), order, (value) => { order = value; note({ order: value }); draw(); })),
    place);
  draw();
  return { up: link("plate", Math.max(0, run.plates.indexOf(well.facts.Metadata_Plate))) };
}

export async function fieldView(main, { run, signal, marks }) {
  const { id } = route();
  const field = await json(`/api/fields/${id}`, signal);
  const { facts } = field;
  const frame = el("div", { class: "mosaic" });
  if (run.has_pixels && field.items.length) {
    frame.append(el("img", { src: `/api/fields/${id}/mosaic.webp`, alt: `Crops of field ${facts.Metadata_Site} of well ${facts.Metadata_Well}, each where it lies` }));
    for (const item of field.items) {
      const spot = el("a", { class: "spot", href: link("cell", item.id), "aria-label": `crop ${item.id}${item.predicted ? `, called ${item.predicted}` : ""}`, title: `${item.id}${item.predicted ? ` · ${item.predicted}` : ""} ${score(item)}` });
      spot.style.left = `${(100 * item.x) / facts.width}%`;
      spot.style.top = `${(100 * item.y) / facts.height}%`;
      frame.append(spot);
    }
    frame.append(scaleBar(run, field.stored_width));
  }
  replace(main,
    trail(run, [plateLink(run, facts), { href: link("well", facts.well), text: `Well ${facts.Metadata_Well}` }, { text: `Field ${facts.Metadata_Site}` }]),
    el("h1", { text: `Field ${facts.Metadata_Site} of well ${facts.Metadata_Well}` }),
    el("p", { class: "about", text: `${facts.class_name || "In no class"}; ${field.items.length} ${run.noun}. ${facts.faulty ? `Left out as faulty: ${facts.reason}.` : "Not flagged as faulty."}` }),
    marks.control("faulty_field", id),
    frame,
    el("p", { class: "hint", text: "Put together from the stored crops; what no crop shows is grey. Each dot opens a crop." }));
  return { up: link("well", facts.well) };
}
