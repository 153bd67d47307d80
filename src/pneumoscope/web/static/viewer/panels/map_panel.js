/** How the heat map is shown: on or off, opacity, threshold in the model's units, cells, contours, and what its colours mean. */

import { strings } from "../../strings/en.js";
import { button, fill, h, select, toggle } from "../dom.js";
import { colourBar } from "./colour_bar.js";

const words = strings.viewer;

/** @import {MapLayer} from "../../film/film.js" */
/** @typedef {{visible: boolean, opacity: number, smooth: boolean, threshold: number|null, contours: boolean, whole: boolean}} MapState */

/** Controls of the map; emits "map" (changes of the MapState), "method", "first" and "boxes". */
export class MapPanel extends EventTarget {
  constructor() {
    super();
    this.element = h("div", { class: "map-panel" });
  }

  /**
   * @param {object} what
   * @param {MapLayer|null} what.layer
   * @param {any} what.cell_mm
   * @param {MapState} what.state
   * @param {string[]} what.methods
   * @param {boolean} what.first    whether the map is visible when a film is opened
   * @param {boolean} what.boxes
   * @param {string} what.hideKey
   */
  show({ layer, cell_mm, state, methods, first, boxes, hideKey }) {
    if (layer === null) return fill(this.element, h("p", { class: "muted" }, words.map.none));
    const threshold = state.threshold ?? layer.threshold;
    const diverging = layer.colours === "diverging";
    fill(
      this.element,
      h(
        "div",
        { class: "map-row" },
        toggle(words.map.show, state.visible, (visible) => this.change({ visible }), "visible"),
        h("span", { class: "muted" }, words.map.hideKey(hideKey)),
      ),
      methods.length > 1 &&
        select(
          words.map.method,
          methods.map((method) => [method, method]),
          layer.method,
          (method) => this.emit("method", method),
        ),
      colourBar(layer, threshold),
      this.slider(words.map.opacity, "opacity", state.opacity, 0, 1, 0.05, words.percent),
      !diverging && this.thresholdSlider(layer, threshold),
      this.cellChoice(state, cell_mm),
      !diverging && toggle(words.map.contours, state.contours, (contours) => this.change({ contours }), "contours"),
      !diverging && toggle(words.map.whole, state.whole, (whole) => this.change({ whole }), "whole"),
      toggle(words.map.boxes, boxes, (on) => this.emit("boxes", on), "boxes"),
      toggle(words.map.first, first, (on) => this.emit("first", on)),
      h(
        "p",
        { class: "note hatch-note" },
        h("i", { class: "swatch hatch", "aria-hidden": "true" }),
        h("span", {}, words.map.hatched),
      ),
    );
  }

  /** @param {MapLayer} layer @param {number} threshold */
  thresholdSlider(layer, threshold) {
    const row = this.slider(
      words.map.threshold,
      "threshold",
      threshold,
      0,
      layer.full_scale,
      layer.full_scale / 200,
      words.mapValue,
      words.map.unit(layer.unit),
    );
    const frame = row.querySelector(".slider-track");
    const tick = h("span", { class: "card-tick", "aria-hidden": "true" });
    tick.style.insetInlineStart = `calc(${layer.threshold / layer.full_scale} * (100% - 16px) + 8px)`;
    frame?.append(tick);
    const back = button(words.map.cardValue(layer.threshold), () => this.setThreshold(layer.threshold), {
      class: "small card-value",
    });
    row.append(back);
    return row;
  }

  /** @param {number} threshold */
  setThreshold(threshold) {
    this.change({ threshold });
    this.update({ threshold });
  }

  /**
   * @param {string} label @param {"opacity"|"threshold"} name @param {number} value
   * @param {number} min @param {number} max @param {number} step
   * @param {(value: number) => string} format @param {string} [unit]
   */
  slider(label, name, value, min, max, step, format, unit = "") {
    const output = h("output", { class: "figure" }, format(value));
    const range = h("input", {
      type: "range",
      min,
      max,
      step,
      value: String(value),
      "data-name": name,
      "aria-label": label,
      "aria-valuetext": `${format(value)} ${unit}`.trim(),
    });
    range.addEventListener("input", () => {
      output.textContent = format(Number(range.value));
      range.setAttribute("aria-valuetext", `${format(Number(range.value))} ${unit}`.trim());
      this.change({ [name]: Number(range.value) });
    });
    return h(
      "div",
      { class: "slider" },
      h("div", { class: "slider-head" }, h("span", {}, label), output),
      h("div", { class: "slider-track" }, range),
      unit !== "" && h("p", { class: "note" }, unit),
    );
  }

  /** @param {MapState} state @param {any} cell_mm */
  cellChoice(state, cell_mm) {
    const option = (/** @type {boolean} */ smooth, /** @type {string} */ label) => {
      const radio = h("input", {
        type: "radio",
        name: "cells",
        "data-smooth": String(smooth),
        checked: state.smooth === smooth,
        on: { change: () => this.change({ smooth }) },
      });
      return h("label", { class: "segment" }, radio, h("span", {}, label));
    };
    return h(
      "fieldset",
      { class: "segments" },
      h("legend", {}, words.map.drawn),
      option(false, words.map.cells(cell_mm)),
      option(true, words.map.smooth),
    );
  }

  /**
   * Bring the controls up to a state that keys have changed.
   *
   * @param {Partial<MapState> & {boxes?: boolean}} state
   */
  update(state) {
    const input = (/** @type {string} */ query) => /** @type {HTMLInputElement|null} */ (this.element.querySelector(query));
    for (const name of /** @type {const} */ (["visible", "contours", "boxes", "whole"])) {
      const box = input(`[data-name="${name}"]`);
      if (box !== null && state[name] !== undefined) box.checked = state[name];
    }
    const radio = state.smooth === undefined ? null : input(`[data-smooth="${state.smooth}"]`);
    if (radio !== null) radio.checked = true;
    if (typeof state.opacity === "number") this.put("opacity", state.opacity, words.percent);
    if (typeof state.threshold === "number") this.put("threshold", state.threshold, words.mapValue);
  }

  /** @param {string} name @param {number} value @param {(value: number) => string} format */
  put(name, value, format) {
    const range = /** @type {HTMLInputElement|null} */ (this.element.querySelector(`[data-name="${name}"]`));
    const output = range?.closest(".slider")?.querySelector("output");
    if (range === null || !output) return;
    range.value = String(value);
    output.textContent = format(value);
  }

  /** @param {Partial<MapState>} change */
  change(change) {
    this.emit("map", change);
  }

  /** @param {string} name @param {any} detail */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
