// Where a square in the displayed order lies on the stored grid of a radiograph, and the way there and back:
// pneumoscope.radiograph.Placement.

/** @typedef {import("../film/film.js").Box} Box */
/** @typedef {import("../film/film.js").Orientation} Orientation */
/**
 * @typedef {object} Placement
 * @property {number} rows  stored grid
 * @property {number} cols
 * @property {Box} rectangle  part of the stored grid that the square covers
 * @property {number} size  edge of the square
 * @property {Orientation} orientation
 */
/** @typedef {{rows: number, cols: number, values: Float32Array}} Samples  row by row */

/**
 * Place a square on the whole of a stored grid.
 * @param {number} rows
 * @param {number} cols
 * @param {number} size
 * @param {Orientation} orientation
 * @returns {Placement}
 */
export function onWhole(rows, cols, size, orientation) {
  return { rows, cols, rectangle: { top: 0, left: 0, bottom: rows, right: cols }, size, orientation };
}

/**
 * Map a point from the stored grid to the square.
 * @param {Placement} placement
 * @param {number} row
 * @param {number} col
 * @returns {[number, number]}
 */
export function pointToSquare({ rectangle: box, size, orientation }, row, col) {
  let down = (row - box.top) * (size / (box.bottom - box.top));
  let across = (col - box.left) * (size / (box.right - box.left));
  if (orientation.transposed) [down, across] = [across, down];
  return [orientation.flip_rows ? size - down : down, orientation.flip_cols ? size - across : across];
}

/**
 * Map a rectangle from the square to the stored grid.
 * @param {Placement} placement
 * @param {Box} box
 * @returns {Box}
 */
export function boxToRadiograph(placement, box) {
  const corners = [pointToRadiograph(placement, box.top, box.left), pointToRadiograph(placement, box.bottom, box.right)];
  const [rows, cols] = [corners.map(([row]) => row), corners.map(([, col]) => col)];
  return { top: Math.min(...rows), left: Math.min(...cols), bottom: Math.max(...rows), right: Math.max(...cols) };
}

/**
 * @param {Placement} placement
 * @param {number} row
 * @param {number} col
 * @returns {[number, number]}
 */
function pointToRadiograph({ rectangle: box, size, orientation }, row, col) {
  let down = orientation.flip_rows ? size - row : row;
  let across = orientation.flip_cols ? size - col : col;
  if (orientation.transposed) [down, across] = [across, down];
  return [down / (size / (box.bottom - box.top)) + box.top, across / (size / (box.right - box.left)) + box.left];
}

/**
 * Place the same square on the same radiograph at another resolution.
 * @param {Placement} placement
 * @param {number} rows
 * @param {number} cols
 * @returns {Placement}
 */
export function onGrid({ rows: oldRows, cols: oldCols, rectangle: box, size, orientation }, rows, cols) {
  const [down, across] = [rows / oldRows, cols / oldCols];
  const rectangle = {
    top: box.top * down, left: box.left * across, bottom: Math.min(box.bottom * down, rows), right: Math.min(box.right * across, cols),
  };
  return { rows, cols, rectangle, size, orientation };
}

/**
 * Spread a map over the square over the stored grid: linear between the cells, zero outside of the rectangle.
 * @param {Placement} placement
 * @param {Float32Array} cells  cellCount × cellCount
 * @param {number} cellCount
 * @param {number} [step]  only at pixels step // 2, step // 2 + step, … of each axis
 * @returns {Samples}
 */
export function mapToRadiograph(placement, cells, cellCount, step = 1) {
  const { rows, cols, rectangle: box, orientation } = placement;
  let [atRows, atCols] = [centres(rows, step), centres(cols, step)];
  const { transposed, flip_rows: flipRows, flip_cols: flipCols } = orientation;
  const out = { rows: atRows.length, cols: atCols.length, values: new Float32Array(atRows.length * atCols.length) };
  let [down, across] = [{ at: atRows, low: box.top, high: box.bottom, all: rows }, { at: atCols, low: box.left, high: box.right, all: cols }];
  if (transposed) [down, across] = [across, down];
  const [y, x] = [along(down, flipRows, cellCount), along(across, flipCols, cellCount)];
  for (let row = 0; row < out.rows; row++) {
    for (let col = 0; col < out.cols; col++) {
      const [r, c] = transposed ? [col, row] : [row, col];
      if (y.before[r] >= 0 && x.before[c] >= 0) out.values[row * out.cols + col] = between(cells, cellCount, y, x, r, c);
    }
  }
  return out;
}

/**
 * @param {number} length
 * @param {number} step
 */
function centres(length, step) {
  const start = Math.min(step >> 1, length - 1);
  return Float64Array.from({ length: Math.ceil((length - start) / step) }, (_, k) => start + k * step + 0.5);
}

/** @typedef {{before: Int32Array, share: Float32Array}} Along  cell before each sample, −1 outside; share of the one after it */

/**
 * Find samples among the centres of cells that are spread over a line.
 * @param {{at: Float64Array, low: number, high: number, all: number}} line
 * @param {boolean} flipped
 * @param {number} cellCount
 * @returns {Along}
 */
function along({ at, low, high, all }, flipped, cellCount) {
  const [start, end] = flipped ? [all - high, all - low] : [low, high];
  const extent = end - start;
  const [before, share] = [new Int32Array(at.length).fill(-1), new Float32Array(at.length)];
  for (let k = 0; k < at.length; k++) {
    const centre = flipped ? all - at[k] : at[k];
    if (centre < start || centre >= start + extent) continue;
    const place = Math.min(Math.max(((centre - start) / extent) * cellCount - 0.5, 0), cellCount - 1);
    before[k] = Math.trunc(place);
    share[k] = place - before[k];
  }
  return { before, share };
}

/**
 * The value of a map at a sample, in single precision as NumPy computes it.
 * @param {Float32Array} cells
 * @param {number} cellCount
 * @param {Along} y
 * @param {Along} x
 * @param {number} row
 * @param {number} col
 */
function between(cells, cellCount, y, x, row, col) {
  const [top, left] = [y.before[row], x.before[col]];
  const [bottom, right] = [Math.min(top + 1, cellCount - 1), Math.min(left + 1, cellCount - 1)];
  const above = mixed(cells[top * cellCount + left], cells[top * cellCount + right], x.share[col]);
  const below = mixed(cells[bottom * cellCount + left], cells[bottom * cellCount + right], x.share[col]);
  return mixed(above, below, y.share[row]);
}

/**
 * @param {number} a
 * @param {number} b
 * @param {number} share
 */
function mixed(a, b, share) {
  return Math.fround(Math.fround(Math.fround(b - a) * share) + a);
}
