// How points of the map look: a colour and a size each, from a column of the run.

import { category, diverging, sequential } from "./colours.js";
import { rgb } from "./display.js";

const UNKNOWN = [138, 148, 160];

export function coloursOf(column, values, classes) {
  const scale = scaleOf(column, values, classes);
  const table = column.levels
    ? column.levels.map((name) => rgb(scale.colour(name)))
    : Array.from({ length: 256 }, (_, k) => rgb(scale.colour(scale.low + (k / 255) * (scale.high - scale.low))));
  const colours = new Uint8Array(3 * values.length);
  for (let i = 0; i < values.length; i += 1) {
    const at = column.levels ? values[i] : Math.round(255 * Math.max(0, Math.min(1, (values[i] - scale.low) / (scale.high - scale.low || 1))));
    const [r, g, b] = table[at] || UNKNOWN;
    colours[3 * i] = r; colours[3 * i + 1] = g; colours[3 * i + 2] = b;
  }
  return { colours, scale };
}

function scaleOf(column, values, classes) {
  if (column.levels) return category(column.levels, classes);
  const known = values.filter(Number.isFinite);
  return column.name === "score" ? diverging(known) : sequential(known);
}

export function sizesOf(n, values) {
  const usual = n > 20000 ? 3 : n > 3000 ? 4.5 : 7;
  const sizes = new Float32Array(n).fill(usual);
  if (!values || values.length !== n) return sizes;
  const known = values.filter(Number.isFinite);
  const most = known.reduce((a, b) => Math.max(a, b), -Infinity);
  const least = known.reduce((a, b) => Math.min(a, b), Infinity);
  for (let i = 0; i < n; i += 1) sizes[i] = Number.isFinite(values[i]) ? usual * (0.5 + 2.5 * ((values[i] - least) / (most - least || 1))) : usual * 0.5;
  return sizes;
}
