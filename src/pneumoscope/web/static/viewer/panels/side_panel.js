/** The right part of the page: the verdict, always on screen, and below it the sections that scroll. */

import { strings } from "../../strings/en.js";
import { h, select, toggle } from "../dom.js";
import { versionOf } from "../models.js";
import { ExportPanel } from "./export_panel.js";
import { FindingsList } from "./findings.js";
import { MapPanel } from "./map_panel.js";
import { Verdict } from "./verdict.js";
import { ZonesTable } from "./zones.js";

const words = strings.viewer;

/** @import {ModelInfo} from "../types.js" */

/** Holds the panels; emits "model" (id) and "reference" (on). */
export class SidePanel extends EventTarget {
  /** @param {ConstructorParameters<typeof Verdict>[0]} actions */
  constructor(actions) {
    super();
    this.verdict = new Verdict(actions);
    this.findings = new FindingsList();
    this.zones = new ZonesTable();
    this.map = new MapPanel();
    this.exports = new ExportPanel();
    this.filmFacts = h("div", {});
    this.modelFacts = h("div", {});
    this.reference = h(
      "div",
      { class: "reference", hidden: true },
      toggle(words.reference.show, false, (on) => this.dispatchEvent(new CustomEvent("reference", { detail: on })), "reference"),
      h("p", { class: "note" }, words.reference.note),
    );
    this.models = h("div", { class: "model-choice" });
    this.element = h(
      "aside",
      { class: "side-panel", "aria-label": words.reading },
      this.models,
      this.verdict.element,
      h(
        "div",
        { class: "sections", tabindex: 0, role: "group", "aria-label": words.sections.label },
        section(words.sections.findings, true, this.findings.element, this.reference),
        section(words.sections.map, true, this.map.element),
        section(words.sections.zones, true, this.zones.element),
        section(words.sections.export, false, this.exports.element),
        section(words.sections.film, false, this.filmFacts),
        section(words.sections.model, false, this.modelFacts),
      ),
    );
  }

  /** @param {ModelInfo[]} models @param {string} chosen */
  showModels(models, chosen) {
    const options = models.map(
      (model) =>
        /** @type {[string, string]} */ ([
          model.id,
          words.modelOption(model.name, versionOf(model), models.filter((each) => each.name === model.name).length === 1),
        ]),
    );
    this.models.replaceChildren(
      select(words.model, options, chosen, (id) => this.dispatchEvent(new CustomEvent("model", { detail: id }))),
    );
  }

  /** @param {boolean} there @param {boolean} on */
  showReference(there, on) {
    this.reference.hidden = !there;
    const box = this.reference.querySelector("input");
    if (box !== null) box.checked = on;
  }
}

/** @param {string} title @param {boolean} open @param {...HTMLElement} children */
function section(title, open, ...children) {
  return h(
    "details",
    { class: "section", open },
    h("summary", {}, h("h3", {}, title)),
    h("div", { class: "section-body" }, ...children),
  );
}
