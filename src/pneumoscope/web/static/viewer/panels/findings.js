/** The list of findings, tied to their boxes on the film and to the zones. */

import { strings } from "../../strings/en.js";
import { fill, h, spoken } from "../dom.js";
import { findingId } from "../film/shapes.js";

const words = strings.viewer;

/** @import {Reading, ReadingFinding} from "../types.js" */

/** Findings as a list of buttons; emits "select" (shape id or null) and "zoom" (box). */
export class FindingsList extends EventTarget {
  constructor() {
    super();
    /** @type {ReadingFinding[]} */
    this.findings = [];
    /** @type {string|null} */
    this.selected = null;
    this.element = h("div", { class: "findings" });
  }

  /** @param {Reading|null} reading */
  show(reading) {
    this.findings = reading?.findings ?? [];
    this.selected = null;
    if (reading === null || reading.error !== null) return fill(this.element, h("p", { class: "muted" }, words.findings.unread));
    if (this.findings.length === 0)
      return fill(
        this.element,
        h("p", { class: "muted" }, reading.decision === "negative" ? words.findings.negative : words.findings.none),
      );
    fill(this.element, h("ol", { class: "finding-list" }, ...this.findings.map((finding, index) => this.item(finding, index))));
  }

  /** @param {ReadingFinding} finding @param {number} index */
  item(finding, index) {
    const id = findingId(index);
    const meter = h("span", { class: "meter", "aria-hidden": "true" }, h("span", { class: "meter-fill" }));
    /** @type {HTMLElement} */ (meter.firstElementChild).style.inlineSize = `${100 * finding.rating}%`;
    const press = h(
      "button",
      {
        type: "button",
        class: "finding",
        "data-shape": id,
        "aria-pressed": "false",
      },
      spoken(words.findings.finding),
      h("span", { class: "finding-number" }, String(index + 1)),
      h("span", { class: "finding-place" }, words.place(finding)),
      spoken(words.findings.rated),
      h("span", { class: "figure", title: words.findings.rating }, words.probability(finding.rating)),
      meter,
    );
    press.addEventListener("pointerenter", () => this.hint(id));
    press.addEventListener("pointerleave", () => this.hint(this.selected));
    press.addEventListener("focus", () => press.matches(":focus-visible") && this.hint(id));
    press.addEventListener("click", () => this.select(this.selected === id ? null : id));
    press.addEventListener("dblclick", () => this.dispatchEvent(new CustomEvent("zoom", { detail: finding.box })));
    return h("li", {}, press);
  }

  /** @param {string|null} id */
  hint(id) {
    this.dispatchEvent(new CustomEvent("hint", { detail: id }));
  }

  /** @param {string|null} id */
  select(id) {
    this.mark(id);
    this.dispatchEvent(new CustomEvent("select", { detail: id }));
  }

  /** Show which finding is selected. @param {string|null} id */
  mark(id) {
    this.selected = id;
    for (const press of this.element.querySelectorAll("button")) {
      const on = press.dataset.shape === id;
      press.setAttribute("aria-pressed", String(on));
      press.classList.toggle("selected", on);
    }
  }

  /** Select the next or the previous finding. @param {1|-1} step */
  step(step) {
    if (this.findings.length === 0) return;
    const ids = this.findings.map((_, index) => findingId(index));
    const at = this.selected === null ? (step > 0 ? -1 : 0) : ids.indexOf(this.selected);
    this.select(ids[(at + step + ids.length) % ids.length]);
  }

  /** @param {string|null} id @returns {ReadingFinding|null} */
  finding(id) {
    return this.findings.find((_, index) => findingId(index) === id) ?? null;
  }
}
