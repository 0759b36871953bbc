// Colours for numbers and for names; chosen to stay apart for colour-blind readers.

import { el, number } from "./dom.js";

const NAMED = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#8c6d46"];
const NONE = "#8a94a0";
const VIRIDIS = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"];
const SIGNED = ["#b35806", "#f1a340", "#e3e6ea", "#67a9cf", "#1f66ac"];

function between(stops, share) {
  const place = Math.max(0, Math.min(1, share)) * (stops.length - 1);
  const at = Math.min(stops.length - 2, Math.floor(place));
  const part = (stop, c) => parseInt(stop.slice(1 + 2 * c, 3 + 2 * c), 16);
  const mixed = [0, 1, 2].map((c) => Math.round(part(stops[at], c) + (part(stops[at + 1], c) - part(stops[at], c)) * (place - at)));
  return `#${mixed.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
}

function ends(values) {
  const sorted = Float64Array.from(values).sort();
  const at = (share) => sorted[Math.round(share * (sorted.length - 1))] ?? 0;
  return [at(0.01), at(0.99)];
}

export function sequential(values) {
  const [low, high] = ends(values);
  return { stops: VIRIDIS, low, high, colour: (value) => between(VIRIDIS, (value - low) / (high - low || 1)) };
}

export function diverging(values) {
  const [first, last] = ends(values);
  const most = Math.max(Math.abs(first), Math.abs(last)) || 1;
  return { stops: SIGNED, low: -most, high: most, colour: (value) => between(SIGNED, (value + most) / (2 * most)) };
}

export function category(names, firsts = []) {
  const order = [...firsts.filter((name) => names.includes(name)), ...names.filter((name) => name && !firsts.includes(name))];
  const colours = new Map(order.map((name, at) => [name, at < NAMED.length ? NAMED[at] : turned(at)]));
  return { names: [...order, ...(names.includes("") ? [""] : [])], colour: (name) => colours.get(name) || NONE };
}

function turned(at) {
  const hue = (at * 137.5) % 360;
  const part = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(255 * (0.55 - 0.35 * Math.max(-1, Math.min(k - 3, 9 - k, 1)))).toString(16).padStart(2, "0");
  };
  return `#${part(0)}${part(8)}${part(4)}`;
}

export function legend(label, scale, sides = null) {
  const title = el("span", { class: "legend-title", text: label });
  if (scale.names) {
    const shown = scale.names.slice(0, 12);
    return [title, ...shown.map((name) => {
      const dot = el("i", { class: "dot" });
      dot.style.background = scale.colour(name);
      return el("span", { class: "chip" }, dot, el("span", { text: name || "none" }));
    }), scale.names.length > 12 ? el("span", { text: `and ${scale.names.length - 12} more` }) : null].filter(Boolean);
  }
  const bar = el("i", { class: "ramp" });
  bar.style.background = `linear-gradient(to right, ${scale.stops.join(", ")})`;
  return [title, el("span", { text: `${sides ? `${sides[0]} ` : ""}${number(scale.low)}` }), bar, el("span", { text: `${number(scale.high)}${sides ? ` ${sides[1]}` : ""}` })];
}
