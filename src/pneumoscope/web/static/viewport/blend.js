// Blend a heat map over greys without WebGL, by the arithmetic of the shaders.

/** @import {MapLayer} from "../film/film.js" */
/** @import {Picture, Target} from "./picture.js" */
import { cellAt, covers, lookedAt, toSquare, valueAt } from "../film/placement.js";
import { boundsOf, reachInCells, strength } from "./border.js";
import { COLOURS, colourIndex } from "./colours.js";
import { HATCH, thresholdOf } from "./picture.js";
import { mapped } from "./view.js";

/**
 * @param {Uint8ClampedArray} pixels  RGBA of the target, changed in place
 * @param {Picture} picture
 * @param {MapLayer} layer
 * @param {Target} target
 */
export function blend(pixels, picture, layer, target) {
  const { film, map } = picture;
  const colours = COLOURS[layer.colours ?? "inferno"];
  const threshold = thresholdOf(layer, map);
  const onBorder = borderTest(picture, layer, target);
  const hatchWidth = Math.max(1, target.line >> 1);
  for (let y = 0; y < target.height; y++) {
    for (let x = 0; x < target.width; x++) {
      const [col, row] = mapped(target.toFilm, x + 0.5, y + 0.5);
      if (col < 0 || row < 0 || col >= film.cols || row >= film.rows) continue;
      const at = 4 * (y * target.width + x);
      const [across, down] = toSquare(layer, film.orientation, row, col);
      if (!covers(layer, row, col) || !lookedAt(layer, across, down)) {
        if (map.unseen && (x + y) % target.hatch < hatchWidth) mixIn(pixels, at, HATCH, 0, HATCH[3]);
        continue;
      }
      const value = valueAt(layer, across, down, map.smooth);
      const above = strength(layer, value) >= threshold;
      if (above && map.contours && onBorder(x, y, value, across, down)) pixels.fill(255, at, at + 3);
      else if (above || map.whole) mixIn(pixels, at, colours, 3 * index(layer, value), map.opacity);
    }
  }
}

/**
 * @param {MapLayer} layer
 * @param {number} value
 */
function index(layer, value) {
  return colourIndex(value, layer.full_scale, layer.colours ?? "inferno");
}

/**
 * Whether a pixel at or above the threshold has one below it that is at most the width of a contour away.
 * @param {Picture} picture
 * @param {MapLayer} layer
 * @param {Target} target
 */
function borderTest({ film, map }, layer, target) {
  const threshold = thresholdOf(layer, map);
  const bounds = boundsOf(layer);
  const reach = reachInCells(layer, target);
  const inside = (/** @type {number} */ x, /** @type {number} */ y) => {
    const [col, row] = mapped(target.toFilm, x + 0.5, y + 0.5);
    if (col < 0 || row < 0 || col >= film.cols || row >= film.rows) return true;
    if (!covers(layer, row, col)) return 0 >= threshold;
    const [across, down] = toSquare(layer, film.orientation, row, col);
    return strength(layer, valueAt(layer, across, down, map.smooth)) >= threshold;
  };
  /** @type {(x: number, y: number, value: number, across: number, down: number) => boolean} */
  return (x, y, value, across, down) => {
    if (reach <= 0.5) {
      const [row, col] = cellAt(layer, across, down);
      const at = 4 * (row * layer.cell_cols + col);
      if (bounds[at + 1] >= threshold) return false;
      if (map.smooth && strength(layer, value) - threshold > 1.01 * reach * bounds[at + 2]) return false;
    }
    return anyOutside(inside, x, y, target.line);
  };
}

/**
 * @param {(x: number, y: number) => boolean} inside
 * @param {number} x
 * @param {number} y
 * @param {number} reach
 */
function anyOutside(inside, x, y, reach) {
  for (let dy = -reach; dy <= reach; dy++) {
    const width = reach - Math.abs(dy);
    for (let dx = -width; dx <= width; dx++) if (!inside(x + dx, y + dy)) return true;
  }
  return false;
}

/**
 * @param {Uint8ClampedArray} pixels
 * @param {number} at
 * @param {ArrayLike<number>} colours
 * @param {number} from
 * @param {number} opacity
 */
function mixIn(pixels, at, colours, from, opacity) {
  for (let k = 0; k < 3; k++) pixels[at + k] += (colours[from + k] - pixels[at + k]) * opacity;
}
