// How channels become a picture, the same for every picture on the page: colours, limits, gamma.

import { note, route } from "./state.js";

const CMY = ["#00e5ff", "#ff3df2", "#ffe600", "#ffffff", "#7cff6b", "#ff9d3d", "#b6a2ff", "#8fb4ff"];

export function rgb(hex) {
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

export class Display {
  constructor(run) {
    this.run = run;
    const params = route().params;
    const n = run.channels.length;
    const chosen = params.get("ch");
    this.on = run.channels.map((_, c) => chosen === null || chosen.split(".").includes(String(c)));
    const limits = (params.get("lim") || "").split("_").map((pair) => pair.split("~").map(Number));
    this.limits = Array.from({ length: n }, (_, c) =>
      limits[c]?.length === 2 && limits[c].every(Number.isFinite) && limits[c][0] < limits[c][1] ? limits[c] : [0, 1]);
    this.palette = params.get("pal") === "cmy" ? "cmy" : "screen";
  }

  colours() {
    return this.run.channels.map((channel, c) => (this.palette === "cmy" ? CMY[c % CMY.length] : channel.colour));
  }

  keep() {
    const all = this.on.every(Boolean);
    const plain = this.limits.every(([low, high]) => low === 0 && high === 1);
    note({
      ch: all ? null : this.on.flatMap((on, c) => (on ? [c] : [])).join(".") || "none",
      lim: plain ? null : this.limits.map((pair) => pair.join("~")).join("_"),
      pal: this.palette === "cmy" ? "cmy" : null,
    });
  }

  // Draws (C, H, W) floats: colours add up as light does; from four channels on dimmed by 3 / C.
  paint(canvas, pixels, size) {
    const area = size * size;
    const total = new Float32Array(area * 3);
    const colours = this.colours().map(rgb);
    const dim = Math.min(1, 3 / colours.length);
    const { gamma } = this.run;
    colours.forEach(([r, g, b], c) => {
      if (!this.on[c]) return;
      const [low, high] = this.limits[c];
      const base = c * area;
      for (let i = 0; i < area; i += 1) {
        const value = (pixels[base + i] - low) / (high - low);
        if (!(value > 0)) continue;
        const light = (value >= 1 ? 1 : value ** gamma) * dim;
        total[3 * i] += light * r;
        total[3 * i + 1] += light * g;
        total[3 * i + 2] += light * b;
      }
    });
    put(canvas, size, (i) => [total[3 * i], total[3 * i + 1], total[3 * i + 2]]);
    canvas.pixels = pixels; // the numbers behind the picture, for scripts
  }
}

// Signed differences: blue is less, orange is more, black is none.
export function signedColour(share) {
  const s = Math.max(-1, Math.min(1, share));
  const strong = Math.abs(s) ** 0.7;
  return s < 0 ? [70 * strong, 150 * strong, 255 * strong] : [255 * strong, 150 * strong, 30 * strong];
}

export function paintDifference(canvas, shown, original, channel, size, scale) {
  const base = channel * size * size;
  put(canvas, size, (i) => signedColour((shown[base + i] - original[base + i]) / scale));
}

// A grey picture of all shown channels under a signed map; the map is summed over the shown channels.
export function paintMap(canvas, pixels, map, display, size) {
  const area = size * size;
  const sums = new Float32Array(area);
  const light = new Float32Array(area);
  const shown = display.on.filter(Boolean).length || 1;
  display.on.forEach((on, c) => {
    if (!on) return;
    for (let i = 0; i < area; i += 1) {
      sums[i] += map[c * area + i];
      light[i] += Math.max(0, Math.min(1, pixels[c * area + i])) / shown;
    }
  });
  const order = Float32Array.from(sums, Math.abs).sort();
  const scale = order[Math.floor(0.995 * (area - 1))] || 1;
  put(canvas, size, (i) => {
    const [r, g, b] = signedColour(sums[i] / scale);
    const grey = 190 * light[i] ** display.run.gamma;
    const share = Math.min(1, Math.abs(sums[i]) / scale) * 0.85;
    return [r * share + grey * (1 - share), g * share + grey * (1 - share), b * share + grey * (1 - share)];
  });
  return scale;
}

function put(canvas, size, colour) {
  canvas.width = size;
  canvas.height = size;
  const context = canvas.getContext("2d");
  const image = context.createImageData(size, size);
  for (let i = 0; i < size * size; i += 1) {
    const [r, g, b] = colour(i);
    image.data[4 * i] = r;
    image.data[4 * i + 1] = g;
    image.data[4 * i + 2] = b;
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

export function niceLength(extent) {
  const wanted = extent / 3;
  const power = 10 ** Math.floor(Math.log10(wanted));
  return [5, 2, 1].map((step) => step * power).find((length) => length <= wanted);
}
