// A plate: wells coloured by score, class or counts.

import { json } from "./api.js";
import { category, diverging, legend, sequential } from "./colours.js";
import { el, number, replace, select } from "./dom.js";
import { go, link, note, route } from "./state.js";

const rowName = (row) => (row < 26 ? String.fromCharCode(65 + row) : `A${String.fromCharCode(39 + row)}`);

export async function plateView(main, { run, signal }) {
  const { id, params } = route();
  const plate = await json(`/api/plates/${id}`, signal);
  const columns = [...run.values, { name: "class_name", label: "Class" }, { name: "predicted", label: "Called" },
    { name: "Metadata_Compound", label: "Treatment" }].filter((c) => plate.wells.some((well) => c.name in well));
  let by = columns.find((c) => c.name === params.get("by")) || columns[0];
  const grid = el("div", { class: "plate", role: "grid", "aria-label": `Plate ${plate.name}` });
  const key = el("div", { class: "legend" });
  const about = el("p", { class: "about", text: "Choose a well: its cells are shown." });
  const buttons = new Map();

  const describe = (well) => {
    const parts = [well.Metadata_Well, well.class_name || "no class"];
    if (well.Metadata_Compound) parts.push(`${well.Metadata_Compound}${well.Metadata_Concentration === null || well.Metadata_Concentration === undefined ? "" : ` ${well.Metadata_Concentration} ${well.Metadata_ConcentrationUnit || ""}`}`);
    for (const value of run.values) if (value.name in well) parts.push(`${value.label} ${number(well[value.name])}`);
    return parts.join(" · ");
  };

  const paint = () => {
    const values = plate.wells.map((well) => well[by.name]);
    const numeric = values.every((value) => value === null || typeof value === "number");
    let colour;
    if (numeric) {
      const known = values.filter((value) => value !== null);
      const scale = by.name === "logit" ? diverging(known) : sequential(known);
      colour = scale.colour;
      replace(key, legend(by.label, scale, by.name === "logit" ? [run.classes[0], run.classes[1]] : null));
    } else {
      const scale = category([...new Set(values.map((value) => value || ""))].sort(), run.classes);
      colour = scale.colour;
      replace(key, legend(by.label, scale));
    }
    plate.wells.forEach((well) => {
      const button = buttons.get(well.id);
      const value = well[by.name];
      button.style.background = value === null || value === undefined ? "#d9dee3" : colour(value);
      button.classList.toggle("empty", value === null || value === undefined);
    });
  };

  grid.style.gridTemplateColumns = `2rem repeat(${plate.columns}, minmax(0, 1fr))`;
  grid.style.maxWidth = `${2 + plate.columns * 3.6}rem`;
  grid.style.minWidth = `${2 + plate.columns * (plate.columns > 24 ? 0.85 : 1.35)}rem`;
  const places = new Map(plate.wells.map((well) => [`${well.row},${well.column}`, well]));
  grid.append(el("div", { role: "row", class: "wells" }, el("span", { role: "columnheader" }, el("span", { class: "hidden", text: "Row" })),
    Array.from({ length: plate.columns }, (_, c) => el("span", { role: "columnheader", text: String(c + 1) }))));
  for (let r = 0; r < plate.rows; r += 1) {
    const cells = [el("span", { role: "rowheader", text: rowName(r) })];
    for (let c = 0; c < plate.columns; c += 1) {
      const well = places.get(`${r},${c}`);
      if (!well) { cells.push(el("span", { role: "gridcell", class: "none" })); continue; }
      const button = el("button", {
        type: "button", class: "well", "aria-label": describe(well), title: describe(well), "data-well": String(well.id), tabindex: "-1",
        onclick: () => go("well", well.id),
        onfocus: () => { about.textContent = describe(well); },
        onmouseenter: () => { about.textContent = describe(well); },
      });
      buttons.set(well.id, button);
      cells.push(el("span", { role: "gridcell" }, button));
    }
    grid.append(el("div", { role: "row", class: "wells" }, cells));
  }
  const first = buttons.values().next().value;
  if (first) first.tabIndex = 0;
  grid.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const well = plate.wells.find((w) => buttons.get(w.id) === event.target);
    if (!step || !well) return;
    event.preventDefault();
    for (let r = well.row + step[0], c = well.column + step[1]; r >= 0 && c >= 0 && r < plate.rows && c < plate.columns; r += step[0], c += step[1]) {
      const next = places.get(`${r},${c}`);
      if (next) {
        event.target.tabIndex = -1;
        buttons.get(next.id).tabIndex = 0;
        buttons.get(next.id).focus();
        return;
      }
    }
  });
  const plates = run.plates.length > 1
    ? select("Plate", run.plates.map((name, at) => ({ value: String(at), label: name })), String(id), (value) => go("plate", Number(value), { by: by.name }))
    : null;
  const chosen = select("Colour by", columns.map((c) => ({ value: c.name, label: c.label })), by.name,
    (value) => { by = columns.find((c) => c.name === value); note({ by: value }); paint(); });
  replace(main,
    el("h1", { text: `Plate ${plate.name}` }),
    run.no_edit && run.kind === "crops" ? el("p", { class: "nothing", text: run.no_edit }) : null,
    el("div", { class: "tools" }, plates, chosen, key),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Wells" }, grid), about,
    el("p", { class: "hint" }, "Arrow keys move between wells, Enter opens one. ", el("a", { href: link("map"), text: "See all on a map" }), "."),
    run.missing.length ? el("div", { class: "nothing missing" }, el("p", {}, el("b", { text: "Not everything is there." })), el("ul", {}, run.missing.map((text) => el("li", { text })))) : null);
  paint();
  return {};
}
