/** The colours of a heat map with their values, the same for every film. */

import { strings } from "../../strings/en.js";
import { COLOURS } from "../../viewport/colours.js";
import { h } from "../dom.js";

const words = strings.viewer;

/** @import {MapLayer} from "../../film/film.js" */

/**
 * Draw the colour bar of a map.
 *
 * @param {MapLayer} layer @param {number} threshold   at which findings begin on screen
 * @returns {HTMLElement}
 */
export function colourBar(layer, threshold) {
  const diverging = layer.colours === "diverging";
  const canvas = h("canvas", { width: 256, height: 1, class: "colour-strip", "aria-hidden": "true" });
  paint(canvas, COLOURS[layer.colours ?? "inferno"]);
  const low = diverging ? -layer.full_scale : 0;
  const marks = diverging ? [low, 0, layer.full_scale] : [low, threshold, layer.full_scale];
  const scale = h(
    "div",
    { class: "colour-marks" },
    ...marks.map((value) => mark(value, (value - low) / (layer.full_scale - low))),
  );
  const label = diverging
    ? words.compare.barWords(layer.full_scale)
    : words.map.barWords(layer.full_scale, layer.threshold, words.map.unit(layer.unit));
  return h("div", { class: "colour-bar", role: "img", "aria-label": label }, canvas, scale);
}

/** @param {number} value @param {number} share */
function mark(value, share) {
  const element = h("span", { class: "colour-mark" }, words.mapValue(value));
  element.style.insetInlineStart = `${100 * share}%`;
  if (share < 0.05) element.classList.add("first");
  if (share > 0.95) element.classList.add("last");
  return element;
}

/** @param {HTMLCanvasElement} canvas @param {Uint8Array} colours   red, green and blue of 256 colours */
function paint(canvas, colours) {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const image = context.createImageData(256, 1);
  for (let index = 0; index < 256; index++)
    image.data.set([colours[3 * index], colours[3 * index + 1], colours[3 * index + 2], 255], 4 * index);
  context.putImageData(image, 0, 0);
}
