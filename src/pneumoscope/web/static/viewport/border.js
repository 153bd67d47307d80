// Where the border of the region at or above the threshold can be: it is searched for only there.

/** @import {MapLayer} from "../film/film.js" */

const NO_BOUND = 1e30;

/**
 * For each cell, four numbers: its value; the lowest strength among it and its neighbours; the largest difference of two adjacent
 * cells among them; and 0. Cells at the edge of the map have no bounds, since the map ends there.
 * @typedef {Float32Array} Bounds
 */

/** @type {WeakMap<MapLayer, Bounds>} */
const known = new WeakMap();

/**
 * What is compared with the threshold: the value, or for a diverging map its amount.
 * @param {MapLayer} layer
 * @param {number} value
 */
export function strength(layer, value) {
  return layer.colours === "diverging" ? Math.abs(value) : value;
}

/**
 * @param {MapLayer} layer
 * @returns {Bounds}
 */
export function boundsOf(layer) {
  const bounds = known.get(layer) ?? computed(layer);
  known.set(layer, bounds);
  return bounds;
}

/**
 * @param {MapLayer} layer
 * @returns {Bounds}
 */
function computed(layer) {
  const { cells, cell_rows: rows, cell_cols: cols } = layer;
  const bounds = new Float32Array(cells.length * 4);
  for (let k = 0; k < cells.length; k++) {
    const [row, col] = [Math.floor(k / cols), k % cols];
    const edge = row === 0 || col === 0 || row === rows - 1 || col === cols - 1;
    bounds[4 * k] = cells[k];
    bounds[4 * k + 1] = edge ? -NO_BOUND : lowest(layer, row, col);
    bounds[4 * k + 2] = edge ? NO_BOUND : steepest(layer, row, col);
  }
  return bounds;
}

/**
 * @param {MapLayer} layer
 * @param {number} row
 * @param {number} col
 */
function lowest(layer, row, col) {
  const { cells, cell_cols: cols } = layer;
  let least = Infinity;
  for (let r = row - 1; r <= row + 1; r++) {
    for (let c = col - 1; c <= col + 1; c++) least = Math.min(least, strength(layer, cells[r * cols + c]));
  }
  return least;
}

/**
 * @param {MapLayer} layer
 * @param {number} row
 * @param {number} col
 */
function steepest({ cells, cell_cols: cols }, row, col) {
  let most = 0;
  for (let r = row - 1; r <= row + 1; r++) {
    for (let c = col - 1; c <= col + 1; c++) {
      const here = cells[r * cols + c];
      if (c <= col) most = Math.max(most, Math.abs(cells[r * cols + c + 1] - here));
      if (r <= row) most = Math.max(most, Math.abs(cells[(r + 1) * cols + c] - here));
    }
  }
  return most;
}

/**
 * How far `reach` pixels of a target go, in cells of a map. The bounds hold up to half a cell.
 * @param {MapLayer} layer
 * @param {import("./picture.js").Target} target
 */
export function reachInCells({ rectangle: box, cell_rows, cell_cols }, { toFilm: [a, b, c, d], line }) {
  const [cols, rows] = [Math.max(Math.abs(a), Math.abs(c)), Math.max(Math.abs(b), Math.abs(d))];
  const most = Math.max(cell_rows, cell_cols);
  return line * Math.max((cols * most) / (box.right - box.left), (rows * most) / (box.bottom - box.top));
}
