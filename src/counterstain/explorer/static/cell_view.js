// One cell: the slider that carries it across the decision boundary, and what the network says of each image shown.

import { framed, json } from "./api.js";
import { Display, paintDifference, paintMap } from "./display.js";
import { el, number, replace, say, select, typing } from "./dom.js";
import { channelControls, scaleBar } from "./pictures.js";
import { go, link, note, route } from "./state.js";
import { plateLink, trail } from "./well_view.js";

const BLINK_MS = 600;
const strips = new Map(); // a few whole strips, so that going back and forth is at once

async function stripOf(id, first, second, signal) {
  const key = `${id}/${first}/${second}`;
  if (!strips.has(key)) {
    strips.set(key, await framed(`/api/items/${id}/strip?first=${first}&second=${second}`, signal));
    if (strips.size > 12) strips.delete(strips.keys().next().value);
  }
  return strips.get(key);
}

export async function cellView(main, context) {
  const { run, signal } = context;
  const { id } = route();
  const item = await json(`/api/items/${id}`, signal);
  const view = new CellView(main, context, item);
  await view.start();
  return view;
}

class CellView {
  constructor(main, { run, signal, marks }, item) {
    Object.assign(this, { main, run, signal, marks, item });
    const { params } = route();
    this.display = new Display(run);
    const chosen = (key, fallback) => (/^\d+$/.test(params.get(key) || "") && Number(params.get(key)) < run.classes.length ? Number(params.get(key)) : fallback);
    this.first = chosen("from", 0);
    this.second = chosen("to", 1);
    if (this.first === this.second) { this.first = 0; this.second = 1; }
    this.chosen = /^\d+$/.test(params.get("diff") || "");
    this.channel = this.chosen ? Math.min(Number(params.get("diff")), run.channels.length - 1) : 0;
    this.method = run.methods.includes(params.get("map")) ? params.get("map") : "";
    this.blinking = params.get("blink") === "1";
    this.up = item.well && link("field", item.facts.field);
  }

  stop() { clearInterval(this.timer); }

  async start() {
    this.layout();
    if (!this.run.has_pixels) return;
    const { arrays } = await framed(`/api/items/${this.item.id}/pixels`, this.signal);
    this.original = arrays.pixels;
    this.size = arrays.pixels.shape[1];
    this.shown = this.original;
    this.draw();
    if (this.method) this.overlay();
    if (!this.run.no_edit) await this.load();
  }

  layout() {
    const { run, item } = this;
    const { facts, well } = item;
    const noun = run.kind === "crops" ? "Crop" : "Patch";
    const panel = (name, title, extra = null) => {
      this[name] = el("canvas", { role: "img", "aria-label": title, class: `pixels ${name}` });
      this[`${name}Title`] = el("b", { text: title });
      return el("figure", { class: `panel-${name}` }, el("div", { class: "frame" }, this[name], run.has_pixels ? scaleBar(run, run.size) : null),
        el("figcaption", {}, this[`${name}Title`], extra));
    };
    this.readout = el("div", { class: "readout", "aria-live": "off" });
    const edits = !run.no_edit;
    this.slider = el("input", { type: "range", id: "slider", min: "0", max: "21", step: "1", disabled: true, oninput: () => this.move(Number(this.slider.value)) });
    this.ticks = el("div", { class: "ticks", "aria-hidden": "true" });
    this.scale = el("div", { class: "diff-legend" });
    this.mapNote = el("p", { class: "hint" });
    const step = (target, label) => target !== null && el("a", { class: "step", href: link("cell", target, this.kept()), text: label });
    const pairs = run.classes.length > 2 ? [["from", "first", "From"], ["to", "second", "To"]].map(([key, field, label]) =>
      select(label, run.classes.map((name, at) => ({ value: String(at), label: name })), String(this[field]), (value) => {
        note({ [key]: value, step: null }); window.dispatchEvent(new Event("hashchange"));
      })) : null;
    replace(this.main,
      trail(run, [plateLink(run, well), { href: link("well", facts.well), text: `Well ${well.Metadata_Well}` }, { href: link("field", facts.field), text: `Field ${facts.Metadata_Site}` }, { text: `${noun} ${item.id}` }]),
      el("div", { class: "head" }, el("h1", { text: `${noun} ${item.id}` }), el("span", { class: "steps" }, step(item.previous, "← Previous"), el("span", { class: "soft", text: `${item.place[0]} of ${item.place[1]} in the well` }), step(item.next, "Next →"))),
      el("p", { class: "about", text: this.sentence() }),
      run.has_pixels ? null : el("p", { class: "nothing", text: "The pixels of this run cannot be read." }),
      edits ? null : el("p", { class: "nothing", text: run.no_edit }),
      el("section", { class: "stage", "aria-label": "Images" },
        panel("imaged", "As imaged"),
        edits ? panel("computed", "On the way") : null,
        edits ? panel("difference", "Difference", this.scale) : null,
        run.methods.length ? panel("attribution", "Attribution", this.mapNote) : null),
      edits ? el("section", { class: "way", "aria-label": "Across the decision boundary" },
        el("label", { for: "slider", class: "ends" }, el("span", { text: run.classes[this.first] }), el("span", { text: run.classes[this.second] })),
        el("div", { class: "track" }, this.slider, this.ticks), this.readout,
        el("div", { class: "tools" }, pairs,
          el("button", { type: "button", text: "As imaged", onclick: () => this.jump("original") }),
          el("button", { type: "button", text: "Boundary", onclick: () => this.jump("boundary") }),
          (this.blinkButton = el("button", { type: "button", "aria-pressed": String(this.blinking), text: "Blink", onclick: () => this.blink(!this.blinking) })))) : null,
      el("section", { class: "controls", "aria-label": "Display" },
        channelControls(this.display, () => this.draw()),
        el("fieldset", { class: "channels-box" }, el("legend", { text: "Overlays and marks" }),
          edits ? select("Difference in", run.channels.map((c, at) => ({ value: String(at), label: c.name })), String(this.channel), (value) => { this.channel = Number(value); this.chosen = true; note({ diff: value }); this.draw(); }, "difference-channel") : null,
          run.methods.length ? select("Attribution", [{ value: "", label: "None" }, ...run.methods.map((m) => ({ value: m, label: m.replaceAll("_", " ") }))], this.method, (value) => { this.method = value; note({ map: value }); this.overlay(); }) : null,
          run.kind === "crops" ? this.marks.control("mislabelled_crop", item.id) : null,
          this.marks.control("faulty_field", facts.field))));
    this.attribution?.closest("figure").toggleAttribute("hidden", !this.method);
  }

  sentence() {
    const { facts, well } = this.item;
    const parts = [facts.class_name ? `Well of class ${facts.class_name}` : "Well in no class"];
    if (well.Metadata_Compound) parts.push(`${well.Metadata_Compound}${well.Metadata_Concentration === null || well.Metadata_Concentration === undefined ? "" : ` ${number(well.Metadata_Concentration)} ${well.Metadata_ConcentrationUnit || ""}`}`);
    if (facts.predicted) parts.push(`called ${facts.predicted}${facts.correct === false ? " (not its well's class)" : ""} in the table of scores`);
    if (typeof facts.score === "number") parts.push(`score ${number(facts.score)} log-odds`);
    if (typeof facts.overlap === "number") parts.push(`overlap (IoU) ${number(facts.overlap)}`);
    if (facts.state) parts.push(facts.state);
    if (facts.usable === false) parts.push("left out: its field is faulty");
    return `${parts.join("; ")}.`;
  }

  kept() { return { from: this.first || null, to: this.second === 1 ? null : this.second, diff: this.chosen ? this.channel : null, map: this.method || null, step: route().params.get("step") }; }

  async load() {
    replace(this.readout, el("p", { class: "soft", text: "Computing the way across the boundary ..." }));
    try {
      this.strip = await stripOf(this.item.id, this.first, this.second, this.signal);
    } catch (error) {
      if (this.signal.aborted) return;
      replace(this.readout, el("p", { class: "problem", role: "alert", text: error.message }));
      return;
    }
    const { facts, arrays } = this.strip;
    const n = arrays.images.shape[0];
    const area = this.original.length;
    this.steps = Array.from({ length: n }, (_, s) => arrays.images.subarray(s * area, (s + 1) * area));
    this.scales = this.run.channels.map((_, c) => this.largest(c));
    if (!this.chosen) {
      this.channel = this.scales.indexOf(Math.max(...this.scales));
      this.main.querySelector("#difference-channel").value = String(this.channel);
    }
    this.slider.max = String(n - 1);
    this.slider.disabled = false;
    for (const [at, text, place] of [[facts.boundary, "boundary", "above"], [facts.original, "as imaged", "below"]]) {
      const tick = el("span", { class: place, text });
      tick.style.left = `${(100 * at) / (n - 1)}%`;
      this.ticks.append(tick);
    }
    const asked = Number(route().params.get("step") ?? facts.original);
    this.move(Number.isInteger(asked) && asked >= 0 && asked < n ? asked : facts.original, false);
    if (this.blinking) this.blink(true);
    this.check();
  }

  largest(c) {
    const area = this.size ** 2;
    let most = 0;
    for (const step of this.steps) for (let i = c * area; i < (c + 1) * area; i += 1) most = Math.max(most, Math.abs(step[i] - this.original[i]));
    return most || 1;
  }

  // The certified error takes longer than the images: it is asked for once somebody stays.
  async check() {
    try {
      await new Promise((resolve) => setTimeout(resolve, 1200));
      this.signal.throwIfAborted();
      const first = this.item.next;
      if (!this.strip.bounds) this.strip.bounds = await json(`/api/items/${this.item.id}/strip/bounds?first=${this.first}&second=${this.second}`, this.signal);
      this.move(this.at, false);
      if (first !== null) await stripOf(first, this.first, this.second, this.signal);
    } catch (error) {
      if (!this.signal.aborted) say(error.message);
    }
  }

  move(at, keep = true) {
    this.at = at;
    this.slider.value = String(at);
    const { facts, arrays, bounds } = this.strip;
    const odds = arrays.log_odds[at];
    const p = 1 / (1 + Math.exp(-odds));
    const [one, two] = [this.run.classes[this.first], this.run.classes[this.second]];
    const imaged = at === facts.original;
    const withheld = bounds && !bounds.kept[at];
    this.shown = withheld ? null : this.steps[at];
    const word = facts.error_kind === "inverse" ? "error of the inverse" : "reconstruction error";
    const error = imaged ? "as imaged: nothing computed" : bounds ? `${word} ≤ ${bounds.bounds[at] === null ? "unbounded" : bounds.bounds[at].toExponential(1)}` : `${word}: being checked`;
    this.readout.dataset.probability = String(p);
    this.readout.dataset.step = String(at);
    replace(this.readout,
      el("p", { class: "big" }, el("span", { text: `P(${two})` }), el("b", { text: p.toFixed(3) }), el("span", { class: "soft", text: `against ${one}` })),
      el("p", { class: "soft", text: `${this.network()} · log-odds ${odds < 0 ? "−" : "+"}${Math.abs(odds).toFixed(2)} · ${error} · ${arrays.credible[at] ? "like the training data" : "beyond the training data"}` }),
      withheld ? el("p", { class: "problem", text: "Withheld: the inverse misses its tolerance here." }) : null);
    this.slider.setAttribute("aria-valuetext", `probability of ${two} ${p.toFixed(2)}${imaged ? ", as imaged" : at === facts.boundary ? ", on the boundary" : ""}`);
    this.computedTitle.textContent = imaged ? "As imaged (the slider's start)" : at === facts.boundary ? "Computed: on the boundary" : `Computed: towards ${odds > arrays.log_odds[facts.original] ? two : one}`;
    this.computed.classList.toggle("real", imaged);
    this.draw();
    if (keep) note({ step: String(at) });
  }

  network() { return `network ${this.strip.facts.fold + 1}, which never saw this well, ${this.strip.facts.views} views`; }

  jump(which) { if (this.strip) this.move(this.strip.facts[which]); }

  blink(on) {
    clearInterval(this.timer);
    this.blinking = on;
    this.blinkButton.setAttribute("aria-pressed", String(on));
    note({ blink: on ? "1" : null });
    this.back = false;
    if (on) this.timer = setInterval(() => { this.back = !this.back; this.drawComputed(); }, BLINK_MS);
    this.drawComputed();
  }

  draw() {
    if (!this.original) return;
    this.display.paint(this.imaged, this.original, this.size);
    this.drawComputed();
    if (this.strip && this.shown) {
      const scale = this.scales[this.channel];
      paintDifference(this.difference, this.shown, this.original, this.channel, this.size, scale);
      this.differenceTitle.textContent = `Difference in ${this.run.channels[this.channel].name}`;
      replace(this.scale, el("span", { text: `−${scale.toFixed(2)} less` }), el("i", { class: "signed" }), el("span", { text: `more +${scale.toFixed(2)}` }));
    }
    if (this.map) paintMap(this.attribution, this.original, this.map, this.display, this.size);
  }

  drawComputed() {
    if (!this.computed || !this.original) return;
    const pixels = this.back ? this.original : this.shown;
    if (pixels) this.display.paint(this.computed, pixels, this.size);
    else this.computed.getContext("2d").clearRect(0, 0, this.size, this.size);
    this.computed.dataset.blink = this.back ? "imaged" : "computed";
  }

  async overlay() {
    this.attribution.closest("figure").toggleAttribute("hidden", !this.method);
    this.map = null;
    if (!this.method) return;
    const called = Math.max(0, this.run.classes.indexOf(this.item.facts.predicted));
    this.mapNote.textContent = "Computing ...";
    try {
      const { facts, arrays } = await framed(`/api/items/${this.item.id}/attribution?method=${encodeURIComponent(this.method)}&target=${called}`, this.signal);
      this.map = arrays.values;
      this.attributionTitle.textContent = `${this.method.replaceAll("_", " ")} for ${this.run.classes[called]}`;
      this.mapNote.textContent = `Orange speaks for ${this.run.classes[called]}, blue against; of the crop as imaged, over the channels shown. ${facts.stored ? "From the run." : "Made now, by the run's settings."}`;
      this.draw();
    } catch (error) {
      if (!this.signal.aborted) this.mapNote.textContent = error.message;
    }
  }

  key(event) {
    if (typing(event)) return;
    const onSlider = event.target === this.slider;
    if (this.strip && !onSlider && (event.key === "ArrowLeft" || event.key === "ArrowRight") && event.target.type !== "range") {
      event.preventDefault();
      const next = this.at + (event.key === "ArrowLeft" ? -1 : 1);
      if (next >= 0 && next < this.steps.length) this.move(next);
    } else if (event.key === "n" && this.item.next !== null) go("cell", this.item.next, this.kept());
    else if (event.key === "p" && this.item.previous !== null) go("cell", this.item.previous, this.kept());
    else if (event.key === "o") this.jump("original");
    else if (event.key === "0") this.jump("boundary");
    else if (event.key === "b" && this.strip) this.blink(!this.blinking);
    else if (/^[1-8]$/.test(event.key)) this.main.querySelector(`[data-channel="${Number(event.key) - 1}"]`)?.click();
  }
}
