// Resample a film to the model's square with the antialiased triangle filter of Pillow (BILINEAR), in the same arithmetic:
// weights and sums in double precision, first along the rows, then along the columns, each rounded to single precision.

/** @typedef {import("../film/film.js").Film} Film */
/** @typedef {{first: Int32Array, count: Int32Array, weights: Float64Array, most: number}} Weights */

/**
 * Resample a whole film to a square in the displayed order.
 * @param {Film} film
 * @param {number} size  edge of the square, in pixels
 * @returns {Float32Array}  display grey in [0, 1], row by row
 */
export function squashed(film, size) {
  const { transposed, flip_rows: flipRows, flip_cols: flipCols } = film.orientation;
  const [rows, cols] = transposed ? [film.cols, film.rows] : [film.rows, film.cols];
  const [down, across] = transposed ? [1, film.cols] : [film.cols, 1];
  const start = (flipRows ? (rows - 1) * down : 0) + (flipCols ? (cols - 1) * across : 0);
  const steps = { start, down: flipRows ? -down : down, across: flipCols ? -across : across };
  return columns(lines(film, steps, rows, cols, size), rows, size);
}

/**
 * Resample every displayed row.
 * @param {Film} film
 * @param {{start: number, down: number, across: number}} steps  through the levels, in the displayed order
 * @param {number} rows
 * @param {number} cols
 * @param {number} size
 * @returns {Float32Array}  rows × size
 */
function lines({ levels, shown }, steps, rows, cols, size) {
  const { first, count, weights, most } = triangle(cols, size);
  const out = new Float32Array(rows * size);
  const line = new Float64Array(cols);
  for (let row = 0; row < rows; row++) {
    for (let col = 0, at = steps.start + row * steps.down; col < cols; col++, at += steps.across) line[col] = shown[levels[at]];
    for (let x = 0; x < size; x++) {
      let sum = 0;
      for (let k = 0, w = x * most, p = first[x]; k < count[x]; k++, w++, p++) sum += line[p] * weights[w];
      out[row * size + x] = sum;
    }
  }
  return out;
}

/**
 * Resample every column.
 * @param {Float32Array} values  rows × size
 * @param {number} rows
 * @param {number} size
 * @returns {Float32Array}  size × size
 */
function columns(values, rows, size) {
  const { first, count, weights, most } = triangle(rows, size);
  const out = new Float32Array(size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let sum = 0;
      for (let k = 0, p = first[y] * size + x; k < count[y]; k++, p += size) sum += values[p] * weights[y * most + k];
      out[y * size + x] = sum;
    }
  }
  return out;
}

/**
 * The weights that resample a line, as `precompute_coeffs` of Pillow computes them.
 * @param {number} cells  of the old line
 * @param {number} size  of the new line
 * @returns {Weights}
 */
function triangle(cells, size) {
  const scale = cells / size;
  const support = Math.max(scale, 1);
  const most = Math.ceil(support) * 2 + 1;
  const [first, count, weights] = [new Int32Array(size), new Int32Array(size), new Float64Array(size * most)];
  for (let x = 0; x < size; x++) {
    const centre = (x + 0.5) * scale;
    first[x] = Math.max(Math.trunc(centre - support + 0.5), 0);
    count[x] = Math.min(Math.trunc(centre + support + 0.5), cells) - first[x];
    const own = weights.subarray(x * most, x * most + count[x]);
    let total = 0;
    for (let k = 0; k < own.length; k++) {
      own[k] = Math.max(1 - Math.abs((k + first[x] - centre + 0.5) * (1 / support)), 0);
      total += own[k];
    }
    for (let k = 0; k < own.length; k++) own[k] /= total;
  }
  return { first, count, weights, most };
}
