// A rating by mouse and touch: a button for each value of a short scale, a slider for a long one. Nothing is chosen beforehand.

import { strings } from "../strings/en.js";
import { make } from "./dom.js";
import { countOf, MOST_BUTTONS, valuesOf, written } from "./scale.js";

/** @typedef {import("./types.js").Scale} Scale */

/** An input for ratings. */
export class RatingInput {
  /**
   * @param {Scale} scale
   * @param {string} label
   * @param {(value: number, amend: boolean) => void} onRate  `amend`: the value goes on changing, as while a slider is dragged
   */
  constructor(scale, label, onRate) {
    this.scale = scale;
    this.onRate = onRate;
    this.element = countOf(scale) <= MOST_BUTTONS ? this.buttons(label) : this.slider(label);
  }

  /** @param {string} label */
  buttons(label) {
    const group = make("div", { className: "rating-buttons" });
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    for (const value of valuesOf(this.scale)) {
      const button = make("button", { type: "button", textContent: written(this.scale, value) });
      button.dataset.value = String(value);
      button.addEventListener("click", () => this.onRate(value, false));
      group.append(button);
    }
    return group;
  }

  /** @param {string} label */
  slider(label) {
    const { low, high, step } = this.scale;
    this.range = make("input", { type: "range", min: String(low), max: String(high), step: String(step) });
    this.range.setAttribute("aria-label", label);
    let dragging = false;
    this.range.addEventListener("input", () => {
      this.onRate(Number(this.range?.value), dragging);
      dragging = true;
    });
    this.range.addEventListener("change", () => (dragging = false));
    // A click at the place where the thumb rests unseen changes no value and makes no event of its own.
    this.range.addEventListener("pointerup", () => this.range?.classList.contains("unset") && this.onRate(Number(this.range.value), false));
    return make("div", { className: "rating-slider" }, this.range);
  }

  /** @param {number | null} value */
  update(value) {
    if (!this.range) {
      for (const button of this.element.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.value === String(value)));
      return;
    }
    this.range.classList.toggle("unset", value === null);
    this.range.value = String(value ?? this.scale.low); // in the middle, it would be a suggestion
    this.range.setAttribute("aria-valuetext", value === null ? strings.study.reading.ratingUnset : written(this.scale, value));
  }
}
