// Marks of people: faulty fields, mislabelled crops. Each is a row that the run keeps.

import { json, post } from "./api.js";
import { el, replace, say } from "./dom.js";

const WORDS = { faulty_field: "field as faulty", mislabelled_crop: "crop as mislabelled" };

export class Marks {
  constructor() { this.rows = []; this.reason = ""; }

  async load() {
    const found = await json("/api/annotations");
    this.take(found);
  }

  take(found) { this.rows = found.rows; this.reason = found.reason; }

  find(kind, number) {
    return this.rows.find((row) => row.kind === kind && (kind === "faulty_field" ? row.field === number : row.crop === number));
  }

  // A line with a note and a button; pressing it marks, or takes the mark back.
  control(kind, number, changed = () => {}) {
    const box = el("div", { class: "mark", "data-kind": kind });
    const draw = (problem = "") => {
      const standing = this.find(kind, number);
      const note = el("input", { type: "text", maxlength: "500", value: standing?.note || "", autocomplete: "off" });
      const button = el("button", {
        type: "button", class: standing ? "marked" : "",
        text: standing ? `Undo: ${WORDS[kind]}` : `Mark ${WORDS[kind]}`,
        onclick: async () => {
          button.disabled = true;
          try {
            this.take(await post("/api/annotations", { kind, action: standing ? "undo" : "mark", number, note: note.value }));
            say(standing ? "The mark was taken back." : "Marked; written to annotations.csv.");
            draw();
            changed();
          } catch (error) {
            draw(error.message);
            box.querySelector("input").value = note.value;
          }
        },
      });
      replace(box, el("label", { class: "field" }, el("span", { text: `Note on the ${kind === "faulty_field" ? "field" : "crop"}` }), note), button,
        standing ? el("span", { class: "soft", text: `since ${standing.time.replace("T", " ").replace("+00:00", " UTC")}` }) : null,
        problem ? el("p", { class: "problem", role: "alert", text: problem }) : null,
        this.reason ? el("p", { class: "problem", text: this.reason }) : null);
    };
    draw();
    return box;
  }
}
