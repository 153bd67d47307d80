// The controls below the film: heat map on and off, opacity, threshold, and the view.

import { strings } from "../strings/en.js";
import { percent } from "./words.js";
import { button, element, slider } from "./elements.js";

/** @typedef {import("../viewport/px-viewport.js").PxViewport} PxViewport */

const texts = strings.phone;
const THRESHOLD_STEP = 0.01;

/**
 * Controls of a viewport.
 * @param {PxViewport} viewport
 * @returns {{root: HTMLElement, follow: () => void}}  `follow` shows the state of the viewport
 */
export function controlsOf(viewport) {
  const toggle = button(texts.map_toggle, () => viewport.handleKey("map_toggle"), { "aria-pressed": "true" });
  const smooth = button(texts.map_smooth, () => viewport.handleKey("map_smooth"), { "aria-pressed": "true" });
  const opacity = slider(texts.opacity, { min: 0, max: 1, step: 0.05, value: 0.5 }, percent, (value) => viewport.changeMap({ opacity: value }));
  const threshold = slider(
    texts.map_threshold, { min: 0, max: 1, step: THRESHOLD_STEP, value: 0.5 }, (value) => value.toFixed(2),
    (value) => viewport.changeMap({ threshold: value }),
  );
  const view = [
    ["fit", texts.fit], ["auto_window", texts.auto_window], ["reset", texts.reset], ["invert", texts.invert],
  ].map(([action, name]) => button(name, () => viewport.handleKey(/** @type {import("../viewport/keys.js").Action} */ (action))));
  const follow = () => {
    const { visible, opacity: share, smooth: linear, threshold: own } = viewport.mapState;
    toggle.setAttribute("aria-pressed", String(visible));
    smooth.setAttribute("aria-pressed", String(linear));
    opacity.set(share);
    threshold.set(own ?? viewport.layers[0]?.threshold ?? 0.5);
  };
  viewport.addEventListener("mapchange", follow);
  const map = element("div", { class: "map-controls" }, element("div", { class: "row" }, toggle, smooth), opacity.label, threshold.label);
  const hint = element("p", { class: "muted" }, texts.gestures);
  return { root: element("section", { class: "controls", "aria-label": texts.controls }, map, element("div", { class: "row" }, ...view), hint), follow };
}
