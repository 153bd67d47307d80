/** The difference of two heat maps of one film as a layer of its own. */

import { strings } from "../../strings/en.js";

const words = strings.viewer;

/** @import {Api} from "../api.js" */
/** @import {Film, MapLayer, Orientation} from "../../film/film.js" */

/**
 * Turn a grid over the stored film into displayed order.
 *
 * @param {Float32Array} stored   row by row
 * @param {number} rows @param {number} cols   of the stored grid
 * @param {Orientation} orientation
 * @returns {{cells: Float32Array, rows: number, cols: number}}
 */
export function inDisplayedOrder(stored, rows, cols, { transposed, flip_rows, flip_cols }) {
  const [outRows, outCols] = transposed ? [cols, rows] : [rows, cols];
  const cells = new Float32Array(stored.length);
  for (let row = 0; row < outRows; row++) {
    for (let col = 0; col < outCols; col++) {
      const [r, c] = [flip_rows ? outRows - 1 - row : row, flip_cols ? outCols - 1 - col : col];
      cells[row * outCols + col] = transposed ? stored[c * cols + r] : stored[r * cols + c];
    }
  }
  return { cells, rows: outRows, cols: outCols };
}

/**
 * @typedef {object} Difference
 * @property {MapLayer|null} layer   null where the two maps have no common unit
 * @property {string|null} reason    why there is none
 * @property {number|null} largest   largest absolute value
 */

/**
 * Fetch the second map minus the first.
 *
 * @param {Api} api @param {string} film @param {Film} picture
 * @param {{model: string, method: string}} first @param {{model: string, method: string}} second
 * @returns {Promise<Difference>}
 */
export async function loadDifference(api, film, picture, first, second) {
  const query = new URLSearchParams({ models: `${first.model},${second.model}`, methods: `${first.method},${second.method}` });
  const { difference } = await api.json(`/films/${film}/compare?${query}`);
  if (!difference.comparable) return { layer: null, reason: difference.reason, largest: null };
  const values = new Float32Array(await api.bytes(`/films/${film}/compare.f32?${query}`));
  const { cells, rows, cols } = inDisplayedOrder(values, difference.rows, difference.cols, picture.orientation);
  return { layer: layerOf(cells, rows, cols, picture, difference.unit), reason: null, largest: difference.largest };
}

/**
 * @param {Float32Array} cells   NaN where one of the maps did not look
 * @param {number} rows @param {number} cols @param {Film} picture @param {string} unit
 * @returns {MapLayer}
 */
function layerOf(cells, rows, cols, picture, unit) {
  const looked = Uint8Array.from(cells, (value) => (Number.isNaN(value) ? 0 : 1));
  return {
    id: "difference",
    name: words.compare.difference,
    cells: cells.map((value) => (Number.isNaN(value) ? 0 : value)),
    cell_rows: rows,
    cell_cols: cols,
    rectangle: { top: 0, left: 0, bottom: picture.rows, right: picture.cols },
    looked,
    threshold: 1,
    full_scale: 1,
    unit,
    method: words.compare.difference,
    colours: "diverging",
  };
}
