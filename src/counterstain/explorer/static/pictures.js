// Pieces that several views show: thumbnails out of sheets, scale bars, channel controls.

import { el } from "./dom.js";
import { niceLength } from "./display.js";

const asked = new Map();
const loaded = new Set();

export function sheetOf(run, item) {
  return Math.floor(item / run.sheets.side ** 2);
}

// Loads and decodes a sheet; answers the same promise to everybody.
export function loadSheet(number) {
  if (!asked.has(number)) {
    const image = new Image();
    image.src = `/api/sheets/${number}.webp`;
    asked.set(number, image.decode().then(() => { loaded.add(number); return true; }, () => false));
  }
  return asked.get(number);
}

export function showTile(element, run, item, pixels) {
  const { tile, side, count } = run.sheets;
  const each = side ** 2;
  const number = sheetOf(run, item);
  const at = item % each;
  const rows = number < count - 1 ? side : Math.ceil((run.n_items - number * each) / side);
  element.style.width = `${pixels}px`;
  element.style.height = `${pixels}px`;
  element.style.backgroundImage = `url("/api/sheets/${number}.webp")`;
  element.style.backgroundSize = `${side * pixels}px ${rows * pixels}px`;
  element.style.backgroundPosition = `-${(at % side) * pixels}px -${Math.floor(at / side) * pixels}px`;
  element.dataset.item = item;
  element.dataset.tile = tile;
}

// Shows an item at once: out of its sheet where that is here, else alone. Answers when it is decoded.
export async function showQuickly(element, run, item, pixels) {
  if (loaded.has(sheetOf(run, item))) {
    showTile(element, run, item, pixels);
    return;
  }
  const image = new Image();
  image.src = `/api/items/${item}/thumbnail.webp?size=${pixels}`;
  element.dataset.item = item;
  await image.decode();
  if (element.dataset.item !== String(item)) return;
  showTile(element, run, item, pixels);
  element.style.backgroundImage = `url("${image.src}")`;
  element.style.backgroundSize = `${pixels}px ${pixels}px`;
  element.style.backgroundPosition = "0 0";
}

export function tile(run, item, pixels = 64) {
  const made = el("span", { class: "tile" });
  if (run.has_pixels) showTile(made, run, item, pixels);
  return made;
}

export function scaleBar(run, pixelsShown) {
  const unit = run.pixel_size_um ? "µm" : "px";
  const extent = pixelsShown * (run.pixel_size_um || 1);
  const length = niceLength(extent);
  const bar = el("span", { class: "scale", "aria-hidden": "true" }, el("i"), el("b", { text: `${length} ${unit}` }));
  bar.firstChild.style.width = `${(100 * length) / extent}%`;
  return bar;
}

export function channelControls(display, redraw) {
  const { run } = display;
  const changed = () => { display.keep(); redraw(); };
  const rows = run.channels.map((channel, c) => {
    const dot = el("i", { class: "dot" });
    const ends = ["darkest", "brightest"].map((end, which) => {
      const shown = el("output", { text: String(display.limits[c][which]) });
      const input = el("input", {
        type: "range", min: "-0.2", max: "2", step: "0.05", value: String(display.limits[c][which]),
        "aria-label": `${channel.name}: intensity shown ${end}`,
        oninput: (event) => {
          const value = Number(event.target.value);
          const pair = [...display.limits[c]];
          pair[which] = value;
          if (pair[0] < pair[1]) { display.limits[c] = pair; shown.textContent = String(value); changed(); } else event.target.value = String(display.limits[c][which]);
        },
      });
      return el("span", { class: "end" }, input, shown);
    });
    const paintDot = () => { dot.style.background = display.colours()[c]; };
    paintDot();
    const box = el("input", { type: "checkbox", checked: display.on[c], "data-channel": String(c), onchange: (event) => { display.on[c] = event.target.checked; changed(); } });
    return { row: el("div", { class: "channel" }, el("label", {}, box, dot, el("span", { text: channel.name })), ends), paintDot };
  });
  const palette = el("select", {
    id: "palette",
    onchange: (event) => { display.palette = event.target.value; rows.forEach((row) => row.paintDot()); changed(); },
  }, [["screen", "Colours of the screen"], ["cmy", "Cyan, magenta, yellow"]].map(([value, label]) =>
    el("option", { value, text: label, selected: value === display.palette })));
  return el("fieldset", { class: "channels-box" }, el("legend", { text: "Channels" }),
    rows.map((row) => row.row),
    el("label", { class: "field", for: "palette" }, el("span", { text: "Colours" }), palette),
    el("p", { class: "hint", text: `Black and full colour of each channel, the same in every picture; 0 and 1 are the limits of the negative controls. Display gamma ${run.gamma}.` }));
}
