// The page: reads the address, shows the view it names, and hands keys on.

import { json } from "./api.js";
import { cellView } from "./cell_view.js";
import { el, replace, typing } from "./dom.js";
import { mapView } from "./map_view.js";
import { Marks } from "./marks.js";
import { plateView } from "./plate_view.js";
import { link, route } from "./state.js";
import { treatmentsView } from "./treatments_view.js";
import { fieldView, wellView } from "./well_view.js";

const VIEWS = { plate: plateView, well: wellView, field: fieldView, cell: cellView, map: mapView, treatments: treatmentsView };
const KEYS = [
  ["← →", "Cell: a step across the boundary. Plate: next well. Map: pan."],
  ["↑ ↓", "Plate: next well. Map: pan."], ["Enter", "Open the well, cell or link in focus."],
  ["n  p", "Next and previous cell of the well."], ["o  0", "Cell as imaged; on the boundary."],
  ["b", "Blink between the cell as imaged and as computed."], ["1 to 8", "Channel on or off."],
  ["+  −", "Map: zoom."], ["l", "Map: lasso or pan."], ["v", "Map: select what is in view."],
  ["Esc", "Clear the selection, close this panel, or go one level up."], ["?", "These keys."],
];

const main = document.getElementById("main");
const help = document.getElementById("help");
let run; let marks; let current = {}; let stopping = new AbortController(); let turn = 0;

function problem(error) {
  replace(main, el("h1", { text: "This cannot be shown" }), el("p", { class: "nothing", role: "alert", text: error.message }), el("p", {}, el("a", { href: "#/plate/0", text: "To the plate" })));
}

async function show() {
  stopping.abort();
  current.stop?.();
  stopping = new AbortController();
  turn += 1;
  const mine = turn;
  const { view } = route();
  main.setAttribute("aria-busy", "true");
  document.querySelectorAll("#views a").forEach((a) => (a.dataset.view === view ? a.setAttribute("aria-current", "page") : a.removeAttribute("aria-current")));
  current = {};
  const { signal } = stopping;
  try {
    const made = await (VIEWS[view] || plateView)(main, { run, signal, marks });
    if (mine === turn) current = made || {};
    else made?.stop?.();
  } catch (error) {
    if (!signal.aborted) problem(error);
  }
  if (mine === turn) {
    main.setAttribute("aria-busy", "false");
    document.title = `${main.querySelector("h1")?.textContent || "Explorer"} – counterstain`;
  }
}

function keys(event) {
  if (help.open) return;
  if (event.key === "?" && !typing(event)) { help.showModal(); return; }
  if (event.key === "Escape" && !typing(event)) {
    if (current.escape?.()) return;
    if (current.up) location.hash = current.up;
    return;
  }
  current.key?.(event);
}

async function start() {
  replace(document.getElementById("help-keys"), KEYS.flatMap(([key, text]) => [el("dt", {}, el("kbd", { text: key })), el("dd", { text })]));
  document.getElementById("help-open").addEventListener("click", () => help.showModal());
  document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); main.focus(); });
  try {
    run = await json("/api/run");
    marks = new Marks();
    await marks.load();
  } catch (error) {
    problem(error);
    return;
  }
  document.getElementById("brand").textContent = `counterstain · ${run.folder}`;
  const views = [["plate", "Plate", 0], ["map", "Map", null]];
  if (run.kind === "crops") views.push(["treatments", "Treatments", null]);
  replace(document.getElementById("views"), views.map(([view, text, id]) => el("li", {}, el("a", { href: link(view, id), "data-view": view, text }))));
  window.addEventListener("hashchange", show);
  window.addEventListener("keydown", keys);
  await show();
}

start();
