// The lung masks of a radiograph, with their quality: pneumoscope.lung_fields.LungFields.

import { boxToRadiograph, onWhole, pointToSquare } from "./placement.js";

/** @typedef {import("../film/film.js").Box} Box */
/** @typedef {import("../film/film.js").Film} Film */
/** @typedef {"right" | "left"} Laterality */
/** @typedef {"upper" | "mid" | "lower"} Zone */
/**
 * @typedef {object} LungFields
 * @property {Uint8Array} right  mask on the finder's square, displayed order
 * @property {Uint8Array} left
 * @property {number} quality  of the less certain lung
 * @property {"found" | "partly found" | "not found"} state
 * @property {import("./placement.js").Placement} placement  of the finder's square
 */

const MARGIN = 0.07;
const FALLBACK = 0.8;
const STATES = /** @type {const} */ (["not found", "partly found", "found"]);
/** Zones of one lung: thirds of its own height, from above. */
export const THIRDS = /** @type {const} */ (["upper", "mid", "lower"]);

/**
 * Convert the outputs of the graph to the lung fields of a film.
 * @param {Film} film
 * @param {Float32Array} lungs  masks of the right and of the left lung, one after the other
 * @param {Float32Array} quality  of both
 * @param {number} found  number of lungs that count as found
 * @returns {LungFields}
 */
export function lungFields(film, lungs, quality, found) {
  const cells = lungs.length / 2;
  const masks = [new Uint8Array(cells), new Uint8Array(cells)];
  for (let k = 0; k < cells; k++) {
    masks[0][k] = Number(lungs[k] > 0);
    masks[1][k] = Number(lungs[cells + k] > 0);
  }
  return {
    right: masks[0], left: masks[1], quality: Math.min(quality[0], quality[1]), state: STATES[Math.round(found)],
    placement: onWhole(film.rows, film.cols, Math.sqrt(cells), film.orientation),
  };
}

/**
 * Share of the radiograph that is lung, in [0, 1].
 * @param {LungFields} fields
 * @returns {number}
 */
export function areaShare({ right, left }) {
  let sum = 0;
  for (let k = 0; k < right.length; k++) sum += right[k] | left[k];
  return sum / right.length;
}

/**
 * The smallest rectangle around the cells of a mask.
 * @param {Uint8Array} mask
 * @param {number} size
 * @returns {Box}
 */
export function around(mask, size) {
  const box = { top: Infinity, left: Infinity, bottom: -Infinity, right: -Infinity };
  for (let k = 0; k < mask.length; k++) {
    if (!mask[k]) continue;
    const [row, col] = [Math.floor(k / size), k % size];
    box.top = Math.min(box.top, row);
    box.bottom = Math.max(box.bottom, row + 1);
    box.left = Math.min(box.left, col);
    box.right = Math.max(box.right, col + 1);
  }
  return box;
}

/**
 * The lung box: both lungs with a margin, or the central part of the radiograph unless both were found.
 * @param {LungFields} fields
 * @returns {Box}
 */
export function lungBox({ right, left, state, placement }) {
  const { rows, cols, size } = placement;
  if (state !== "found") {
    const [top, side] = [(rows * (1 - FALLBACK)) / 2, (cols * (1 - FALLBACK)) / 2];
    return { top, left: side, bottom: rows - top, right: cols - side };
  }
  const tight = boxToRadiograph(placement, around(right.map((cell, k) => cell | left[k]), size));
  const [down, across] = [MARGIN * (tight.bottom - tight.top), MARGIN * (tight.right - tight.left)];
  return {
    top: Math.max(tight.top - down, 0), left: Math.max(tight.left - across, 0),
    bottom: Math.min(tight.bottom + down, rows), right: Math.min(tight.right + across, cols),
  };
}

/**
 * Number the third of a lung's height, 0 to 2 from above, at a row of the finder's square.
 * @param {number} row
 * @param {Box} lung
 */
export function third(row, lung) {
  return Math.trunc(Math.min(Math.max(((row - lung.top) / (lung.bottom - lung.top)) * 3, 0), 2));
}

/**
 * Determine laterality and zone of a point: of the lung that contains it, or of the nearest; null unless both lungs were found.
 * @param {LungFields} fields
 * @param {number} row
 * @param {number} col
 * @returns {{laterality: Laterality, zone: Zone} | null}
 */
export function where({ right, left, state, placement }, row, col) {
  if (state !== "found") return null;
  const at = pointToSquare(placement, row, col);
  const laterality = distance(right, placement.size, at) <= distance(left, placement.size, at) ? "right" : "left";
  const lung = around(laterality === "right" ? right : left, placement.size);
  return { laterality, zone: THIRDS[third(at[0], lung)] };
}

/**
 * Distance, in cells, from a point to the centre of the nearest cell of a mask.
 * @param {Uint8Array} mask
 * @param {number} size
 * @param {[number, number]} at
 */
function distance(mask, size, [row, col]) {
  let least = Infinity;
  for (let k = 0; k < mask.length; k++) {
    if (mask[k]) least = Math.min(least, (Math.floor(k / size) + 0.5 - row) ** 2 + ((k % size) + 0.5 - col) ** 2);
  }
  return Math.sqrt(least);
}
