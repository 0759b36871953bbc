// Treatments in a table that can be sorted; two side by side with cells of their wells.

import { json } from "./api.js";
import { el, number, replace } from "./dom.js";
import { note, route } from "./state.js";
import { gallery } from "./well_view.js";

const LABELS = { rank: "Rank", Metadata_Compound: "Compound", Metadata_Concentration: "Concentration", call: "Call", rescue: "Rescue", rescue_low: "95 % from", rescue_high: "to", q_value: "q", side_effect: "Side effect", n_wells: "Wells" };

export async function treatmentsView(main, { run, signal }) {
  const { columns, rows, unit, reason } = await json("/api/treatments", signal);
  if (reason) {
    replace(main, el("h1", { text: "Treatments" }), el("p", { class: "nothing", text: `There is no ranking to show. ${reason}` }));
    return {};
  }
  const { params } = route();
  let by = columns.includes(params.get("sort")) ? params.get("sort") : columns.includes("rank") ? "rank" : columns[0];
  let down = params.get("down") === "1";
  let pair = (params.get("pair") || "").split(",").filter((v) => /^\d+$/.test(v)).map(Number).filter((v) => v < rows.length).slice(0, 2);
  const body = el("tbody");
  const heads = new Map();
  const compared = el("div", { class: "compared" });
  const label = (column) => (column === "Metadata_Concentration" && unit ? `${LABELS[column]}, ${unit}` : LABELS[column]);
  const numbers = new Set(columns.filter((column) => rows.some((row) => typeof row[column] === "number")));
  const name = (row) => [row.Metadata_Compound || "none", row.Metadata_Concentration === null || row.Metadata_Concentration === undefined ? "" : `${number(row.Metadata_Concentration)} ${unit}`].join(" ").trim();
  const cell = (row, column) => (numbers.has(column) ? el("td", { class: "n", text: number(row[column], column === "q_value" ? 4 : 2) }) : el("td", { text: row[column] ?? "–" }));

  const draw = () => {
    const order = rows.map((_, at) => at).sort((a, b) => {
      const [x, y] = [rows[a][by], rows[b][by]];
      if (x === y) return a - b;
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      return (x < y ? -1 : 1) * (down ? -1 : 1);
    });
    heads.forEach((th, column) => th.setAttribute("aria-sort", column === by ? (down ? "descending" : "ascending") : "none"));
    replace(body, order.map((at) => el("tr", {},
      el("td", {}, el("input", { type: "checkbox", "aria-label": `Compare ${name(rows[at])}`, checked: pair.includes(at), onchange: (event) => {
        pair = event.target.checked ? [...pair, at].slice(-2) : pair.filter((v) => v !== at);
        note({ pair: pair.join(",") });
        draw();
        compare();
      } })),
      columns.map((column) => cell(rows[at], column)))));
  };

  const compare = async () => {
    const parts = await Promise.all(pair.map(async (at) => {
      const row = rows[at];
      const wells = await Promise.all(row.wells.slice(0, 6).map((well) => json(`/api/wells/${well}`, signal)));
      const each = Math.ceil(24 / Math.max(1, wells.length));
      const items = wells.flatMap((well) => well.items.filter((item) => item.usable !== false).slice(0, each));
      return el("section", { class: "side", "aria-label": name(row) }, el("h2", { text: name(row) }),
        el("dl", {}, columns.filter((c) => !["Metadata_Compound", "Metadata_Concentration"].includes(c)).flatMap((c) => [el("dt", { text: label(c) }), el("dd", { text: typeof row[c] === "number" ? number(row[c], 3) : row[c] ?? "–" })])),
        el("p", { class: "hint", text: `${items.length} crops of ${wells.length} wells, the first of each as imaged.` }), gallery(run, items, 56));
    }));
    replace(compared, parts);
  };

  const head = el("tr", {}, el("th", { scope: "col" }, el("span", { text: "Compare" })), columns.map((column) => {
    const th = el("th", { scope: "col", class: numbers.has(column) ? "n" : "" }, el("button", { type: "button", class: "sort", text: label(column), onclick: () => {
      down = by === column ? !down : false;
      by = column;
      note({ sort: by, down: down ? "1" : null });
      draw();
    } }));
    heads.set(column, th);
    return th;
  }));
  replace(main, el("h1", { text: "Treatments" }),
    el("p", { class: "hint", text: "Choose two to see them side by side; a column's name sorts by it." }),
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Treatments" }, el("table", {}, el("thead", {}, head), body)), compared);
  draw();
  if (pair.length) await compare();
  return {};
}
