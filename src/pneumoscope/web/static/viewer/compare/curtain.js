/** The handle of the curtain: what lies to its right shows the other map. */

import { strings } from "../../strings/en.js";
import { h } from "../dom.js";

const words = strings.viewer;

const STEP = 0.02;

/** A slider over the film; emits "move" with the share of the width, 0 to 1. */
export class Curtain extends EventTarget {
  constructor() {
    super();
    this.at = 0.5;
    this.element = h(
      "div",
      {
        class: "curtain",
        role: "slider",
        tabindex: 0,
        "aria-label": words.compare.curtain,
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-orientation": "horizontal",
        hidden: true,
      },
      h("span", { class: "curtain-grip", "aria-hidden": "true" }, "◂ ▸"),
    );
    this.element.addEventListener("pointerdown", (event) => this.grab(event));
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.move(0.5);
  }

  /** @param {number} at */
  move(at) {
    this.at = Math.min(1, Math.max(0, at));
    this.element.style.insetInlineStart = `${100 * this.at}%`;
    this.element.setAttribute("aria-valuenow", String(Math.round(100 * this.at)));
    this.element.setAttribute("aria-valuetext", words.compare.curtainAt(this.at));
    this.dispatchEvent(new CustomEvent("move", { detail: this.at }));
  }

  /** @param {PointerEvent} event */
  grab(event) {
    event.preventDefault();
    this.element.focus();
    this.element.setPointerCapture(event.pointerId);
    const frame = /** @type {HTMLElement} */ (this.element.parentElement).getBoundingClientRect();
    const follow = (/** @type {PointerEvent} */ move) => this.move((move.clientX - frame.left) / frame.width);
    this.element.addEventListener("pointermove", follow);
    this.element.addEventListener("lostpointercapture", () => this.element.removeEventListener("pointermove", follow), {
      once: true,
    });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const to = { ArrowLeft: this.at - STEP, ArrowRight: this.at + STEP, Home: 0, End: 1 }[event.key];
    if (to === undefined || event.shiftKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.move(to);
  }
}
