// Where the cells of a heat map lie on the stored grid of a film, as in radiograph.Placement, and the map's value at a point.

/** @import {Film, MapLayer, Orientation} from "./film.js" */

/**
 * Map a point of the stored grid to shares (across, down) of the square of cells in displayed order; within [0, 1] inside of it.
 * @param {MapLayer} layer
 * @param {Orientation} orientation
 * @param {number} row
 * @param {number} col
 * @returns {[number, number]}
 */
export function toSquare({ rectangle: box }, orientation, row, col) {
  let across = (col - box.left) / (box.right - box.left);
  let down = (row - box.top) / (box.bottom - box.top);
  if (orientation.transposed) [across, down] = [down, across];
  return [orientation.flip_cols ? 1 - across : across, orientation.flip_rows ? 1 - down : down];
}

/**
 * Map shares of the square back to a point [row, col] of the stored grid.
 * @param {MapLayer} layer
 * @param {Orientation} orientation
 * @param {number} across
 * @param {number} down
 * @returns {[number, number]}
 */
export function fromSquare({ rectangle: box }, orientation, across, down) {
  let x = orientation.flip_cols ? 1 - across : across;
  let y = orientation.flip_rows ? 1 - down : down;
  if (orientation.transposed) [x, y] = [y, x];
  return [box.top + y * (box.bottom - box.top), box.left + x * (box.right - box.left)];
}

/**
 * Whether a point of the stored grid lies in the rectangle of a map.
 * @param {MapLayer} layer
 * @param {number} row
 * @param {number} col
 */
export function covers({ rectangle: box }, row, col) {
  return row >= box.top && row < box.bottom && col >= box.left && col < box.right;
}

/**
 * The cell [row, col] of a map at shares of its square.
 * @param {MapLayer} layer
 * @param {number} across
 * @param {number} down
 * @returns {[number, number]}
 */
export function cellAt({ cell_rows, cell_cols }, across, down) {
  return [index(down * cell_rows, cell_rows), index(across * cell_cols, cell_cols)];
}

/**
 * @param {number} at
 * @param {number} count
 */
function index(at, count) {
  return Math.min(Math.max(Math.floor(at), 0), count - 1);
}

/**
 * The value of a map at shares of its square: linear between the centres of the cells and constant beyond the outermost
 * (half-pixel convention), or that of the cell.
 * @param {MapLayer} layer
 * @param {number} across
 * @param {number} down
 * @param {boolean} smooth
 */
export function valueAt(layer, across, down, smooth) {
  const { cells, cell_rows, cell_cols } = layer;
  if (!smooth) {
    const [row, col] = cellAt(layer, across, down);
    return cells[row * cell_cols + col];
  }
  const y = Math.min(Math.max(down * cell_rows - 0.5, 0), cell_rows - 1);
  const x = Math.min(Math.max(across * cell_cols - 0.5, 0), cell_cols - 1);
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [bottom, right] = [Math.min(top + 1, cell_rows - 1), Math.min(left + 1, cell_cols - 1)];
  const above = mix(cells[top * cell_cols + left], cells[top * cell_cols + right], x - left);
  const below = mix(cells[bottom * cell_cols + left], cells[bottom * cell_cols + right], x - left);
  return mix(above, below, y - top);
}

/**
 * @param {number} a
 * @param {number} b
 * @param {number} share
 */
function mix(a, b, share) {
  return a + (b - a) * share;
}

/**
 * Whether the cell at shares of the square took part in the score.
 * @param {MapLayer} layer
 * @param {number} across
 * @param {number} down
 */
export function lookedAt(layer, across, down) {
  if (!layer.looked) return true;
  const [row, col] = cellAt(layer, across, down);
  return layer.looked[row * layer.cell_cols + col] !== 0;
}

/**
 * Height and width of a cell of the map as displayed, in millimetres, or in pixels where the film states no spacing.
 * @param {Film} film
 * @param {MapLayer} layer
 * @returns {{height: number, width: number, unit: "mm" | "px"}}
 */
export function cellSize(film, { rectangle: box, cell_rows, cell_cols }) {
  let height = (box.bottom - box.top) * (film.spacing?.row_mm ?? 1);
  let width = (box.right - box.left) * (film.spacing?.col_mm ?? 1);
  if (film.orientation.transposed) [height, width] = [width, height];
  return { height: height / cell_rows, width: width / cell_cols, unit: film.spacing ? "mm" : "px" };
}
