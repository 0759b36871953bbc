// All crops on a map: hover shows the image, a lasso selects, the selection is compared with the rest.

import { finished } from "./api.js";
import { legend } from "./colours.js";
import { el, number, replace, say, select, typing } from "./dom.js";
import { coloursOf, sizesOf } from "./map_looks.js";
import { loadSheet, showQuickly } from "./pictures.js";
import { Points } from "./points.js";
import { selectionReport } from "./selection_report.js";
import { go, note, route } from "./state.js";

const HOVER_PX = 96;
const FIRST_SHEETS = 100;
const LOOK_MS = 400;
const CORNERS = 60;

export async function mapView(main, context) {
  const { run } = context;
  if (!run.maps.length) {
    replace(main, el("h1", { text: "Map" }), el("p", { class: "nothing", text: "This run has neither a table of places around the boundary nor a network whose latents could be mapped." }));
    return {};
  }
  const view = new MapView(main, context);
  await view.start();
  return view;
}

class MapView {
  constructor(main, { run, signal }) {
    Object.assign(this, { main, run, signal });
    const { params } = route();
    this.map = run.maps.find((m) => m.name === params.get("map")) || run.maps[0];
    this.by = params.get("by") || "class_name";
    this.sizeBy = params.get("size") || "";
    this.tool = params.get("tool") === "lasso" ? "lasso" : "pan";
    this.polygon = parsed(params.get("lasso"));
    this.looked = -LOOK_MS;
    this.camera = (params.get("cam") || "").split(",").map(Number);
  }

  stop() { cancelAnimationFrame(this.asked); this.watch?.disconnect(); }

  async start() {
    const { run } = this;
    this.canvas = el("canvas", { class: "points", role: "img", tabindex: "0", "aria-label": `Map of all ${run.noun}: ${this.map.label}. Arrow keys pan, plus and minus zoom, V selects what is in view.` });
    this.ink = el("canvas", { class: "ink", "aria-hidden": "true" });
    this.tip = el("div", { class: "tip", hidden: true });
    this.tipPicture = el("span", { class: "tile" });
    this.tipText = el("span");
    this.tip.append(this.tipPicture, this.tipText);
    this.key_ = el("div", { class: "legend" });
    this.pane = el("section", { class: "selection", "aria-label": "Selection" });
    this.tools = el("div", { class: "tools" });
    const waiting = el("p", { class: "soft", text: "Reading the map ..." });
    replace(this.main, el("h1", { text: `Map of all ${run.noun}` }), this.tools, waiting,
      el("div", { class: "map" }, this.canvas, this.ink, this.tip), el("p", { class: "hint axes" }), this.key_, this.pane);
    this.drawTools([]);
    let found;
    try {
      found = await finished(`/api/map?name=${this.map.name}`, this.signal, (share) => { waiting.textContent = `Looking at the latents of all ${run.noun}, once: ${Math.round(100 * share)} %`; });
    } catch (error) {
      if (!this.signal.aborted) replace(waiting, el("span", { class: "problem", text: error.message }));
      return;
    }
    waiting.remove();
    this.facts = found.facts;
    this.data = found.arrays;
    this.points = new Points(this.canvas);
    this.points.setPlaces(this.data.x, this.data.y);
    if (this.camera.length === 3 && this.camera.every(Number.isFinite)) [this.points.camera.x, this.points.camera.y, this.points.camera.zoom] = this.camera;
    this.main.querySelector(".axes").textContent = `Across: ${this.map.axes[0]}. Up: ${this.map.axes[1]}. ${this.facts.n.toLocaleString("en")} of ${this.facts.n_all.toLocaleString("en")} ${run.noun}. ${this.map.note}`;
    this.drawTools(this.facts.columns);
    this.colour();
    this.sizes();
    this.listen();
    this.watch = new ResizeObserver(() => this.redraw());
    this.watch.observe(this.canvas);
    this.redraw();
    if (this.polygon) this.select();
    this.canvas.dataset.ready = "1";
    this.fetchSheets();
  }

  // One after the other, beside everything else: most images are then here before they are wanted.
  async fetchSheets() {
    if (!this.run.has_pixels) return;
    for (let k = 0; k < Math.min(FIRST_SHEETS, this.run.sheets.count) && !this.signal.aborted; k += 1) {
      // A sheet costs the server and the browser time that a moving map and a looking eye need.
      while ((this.moving || performance.now() - this.looked < LOOK_MS) && !this.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 200));
      await loadSheet(k);
    }
  }

  drawTools(columns) {
    const options = columns.map((c) => ({ value: c.name, label: c.label }));
    const numbers = columns.filter((c) => !c.levels).map((c) => ({ value: c.name, label: c.label }));
    const button = (tool, text) => el("button", { type: "button", "aria-pressed": String(this.tool === tool), "data-tool": tool, text, onclick: () => this.use(tool) });
    replace(this.tools,
      select("Map", this.run.maps.map((m) => ({ value: m.name, label: m.label })), this.map.name, (value) => go("map", null, { map: value, by: this.by, size: this.sizeBy || null })),
      options.length ? select("Colour by", options, this.by, (value) => { this.by = value; note({ by: value }); this.colour(); this.redraw(); }) : null,
      numbers.length ? select("Size by", [{ value: "", label: "Nothing" }, ...numbers], this.sizeBy, (value) => { this.sizeBy = value; note({ size: value }); this.sizes(); this.redraw(); }) : null,
      el("span", { class: "group", role: "group", "aria-label": "Pointer" }, button("pan", "Pan"), button("lasso", "Lasso")),
      el("button", { type: "button", text: "Select view", onclick: () => this.selectInView() }),
      el("button", { type: "button", text: "Whole map", onclick: () => { Object.assign(this.points.camera, { x: 0, y: 0, zoom: 1 }); this.moved(); } }));
  }

  use(tool) {
    this.tool = tool;
    note({ tool: tool === "pan" ? null : tool });
    this.tools.querySelectorAll("[data-tool]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.tool === tool)));
    this.canvas.classList.toggle("lasso", tool === "lasso");
  }

  colour() {
    const column = this.facts.columns.find((c) => c.name === this.by) || this.facts.columns[0];
    this.by = column.name;
    const { colours, scale } = coloursOf(column, this.data[column.name], this.run.classes);
    this.points.setColours(colours);
    replace(this.key_, legend(column.label, scale));
  }

  sizes() { this.points.setSizes(sizesOf(this.points.n, this.data[this.sizeBy])); }

  redraw() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => { this.asked = 0; if (this.moving) this.points.drawMoving(); else this.points.drawAtRest(); this.drawInk(); });
  }

  moved() {
    this.moving = true;
    this.redraw();
    clearTimeout(this.later);
    this.later = setTimeout(() => { this.moving = false; this.redraw(); const { x, y, zoom } = this.points.camera; if (!this.signal.aborted) note({ cam: zoom === 1 && !x && !y ? null : [x, y, zoom].map((v) => v.toFixed(4)).join(",") }); }, 150);
  }

  drawInk() {
    const { ink } = this;
    if (!this.path && !this.polygon && !this.inked) return;
    this.inked = Boolean(this.path || this.polygon);
    ink.width = this.canvas.clientWidth;
    ink.height = this.canvas.clientHeight;
    const context = ink.getContext("2d");
    const corners = this.path || this.polygon?.map((corner) => this.points.fromAxes(corner));
    if (!corners || corners.length < 2) return;
    context.beginPath();
    corners.forEach((corner, at) => context[at ? "lineTo" : "moveTo"](...this.points.toCanvas(...corner)));
    context.closePath();
    context.fillStyle = "rgba(255,255,255,0.10)";
    context.fill();
    context.lineWidth = 2;
    context.strokeStyle = "#ffffff";
    context.stroke();
  }

  listen() {
    // The frame stands still while the canvas in it may be moved.
    const place = (event) => { const box = this.canvas.parentElement.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    this.use(this.tool);
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.drag = place(event);
      this.still = true;
      if (this.tool === "lasso") this.path = [this.points.toPlace(...this.drag)];
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const [px, py] = place(event);
      if (!this.drag) { this.hover(px, py); return; }
      if (Math.hypot(px - this.drag[0], py - this.drag[1]) > 3) this.still = false;
      if (this.tool === "lasso") this.path.push(this.points.toPlace(px, py));
      else if (!this.still) {
        const from = this.points.toPlace(...this.drag);
        const to = this.points.toPlace(px, py);
        this.points.camera.x += from[0] - to[0];
        this.points.camera.y += from[1] - to[1];
        this.drag = [px, py];
        this.moved();
        return;
      }
      this.redraw();
    });
    this.canvas.addEventListener("pointerup", (event) => {
      const at = place(event);
      if (this.tool === "lasso" && this.path?.length > 3) {
        this.polygon = thinned(this.path).map((corner) => this.points.toAxes(corner));
        this.path = null;
        this.select();
      } else if (this.still) {
        const found = this.points.nearest(...at);
        if (found >= 0) go("cell", this.data.item[found]);
      }
      this.path = null;
      this.drag = null;
      this.redraw();
    });
    this.canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.points.zoomAt(...place(event), 1.0015 ** -event.deltaY);
      this.moved();
    }, { passive: false });
  }

  hover(px, py) {
    const found = this.points.nearest(px, py);
    if (found < 0) { this.tip.hidden = true; this.under = -1; return; }
    if (found !== this.under) {
      this.under = found;
      this.looked = performance.now();
      const item = this.data.item[found];
      if (this.run.has_pixels) {
        showQuickly(this.tipPicture, this.run, item, HOVER_PX).then(() => { if (this.under === found) this.tip.dataset.shown = String(item); }, () => {});
      }
      const column = this.facts.columns.find((c) => c.name === this.by);
      const value = this.data[this.by][found];
      this.tipText.textContent = `${item} · ${column.levels ? column.levels[value] || "none" : number(value)}`;
    }
    this.tip.hidden = false;
    const width = this.canvas.clientWidth;
    this.tip.style.left = `${px + HOVER_PX + 40 > width ? Math.max(0, px - HOVER_PX - 32) : px + 16}px`;
    this.tip.style.top = `${Math.min(py + 8, this.canvas.clientHeight - HOVER_PX - 44)}px`;
  }

  selectInView() {
    const [w, h] = [this.canvas.clientWidth, this.canvas.clientHeight];
    this.polygon = [[0, 0], [w, 0], [w, h], [0, h]].map((corner) => this.points.toAxes(this.points.toPlace(...corner)));
    this.select();
    this.redraw();
  }

  clear() {
    this.polygon = null;
    this.selected = null;
    note({ lasso: null });
    delete this.pane.dataset.n;
    replace(this.pane);
    this.redraw();
  }

  async select() {
    const text = this.polygon.flat().map((v) => Number(v.toPrecision(5))).join(",");
    note({ lasso: text });
    this.selected = text;
    replace(this.pane, el("p", { class: "soft", text: "Comparing the selection with the rest ..." }));
    try {
      const { facts } = await finished(`/api/selection?name=${this.map.name}&polygon=${text}`, this.signal, (share) => { say(`Measuring intensities once: ${Math.round(100 * share)} %`); });
      if (this.selected !== text) return;
      replace(this.pane, selectionReport(this.run, facts, () => this.clear()));
      this.pane.dataset.n = String(facts.n);
      say(`${facts.n} selected.`);
    } catch (error) {
      if (!this.signal.aborted) replace(this.pane, el("p", { class: "problem", role: "alert", text: error.message }));
    }
  }

  key(event) {
    if (typing(event) || !this.points) return;
    const { camera } = this.points;
    const step = 0.12 / camera.zoom;
    const [w, h] = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
    const arrows = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.key in arrows) { event.preventDefault(); camera.x += arrows[event.key][0]; camera.y += arrows[event.key][1]; this.moved(); }
    else if (event.key === "+" || event.key === "=") { this.points.zoomAt(w, h, 1.25); this.moved(); }
    else if (event.key === "-") { this.points.zoomAt(w, h, 0.8); this.moved(); }
    else if (event.key === "l") this.use(this.tool === "lasso" ? "pan" : "lasso");
    else if (event.key === "v") this.selectInView();
  }

  escape() {
    if (!this.polygon) return false;
    this.clear();
    return true;
  }
}

function parsed(text) {
  const values = (text || "").split(",").map(Number);
  if (values.length < 6 || values.length % 2 || !values.every(Number.isFinite)) return null;
  return Array.from({ length: values.length / 2 }, (_, k) => [values[2 * k], values[2 * k + 1]]);
}

// Few enough corners for an address.
function thinned(path) {
  const step = Math.max(1, Math.ceil(path.length / CORNERS));
  return path.filter((_, at) => at % step === 0);
}

