// Turns of the picture by quarters and flips: from the stored grid to the displayed order, and on to the screen.

/** @import {Orientation} from "./film.js" */

/**
 * A turn as the matrix [xx, xy, yx, yy] of numbers 0, 1 and −1: x' = xx·x + xy·y, y' = yx·x + yy·y, with x to the right, y down.
 * @typedef {readonly [number, number, number, number]} Turn
 */

/** @typedef {{left: string, right: string, top: string, bottom: string}} Letters */

/** @type {Turn} */
const IDENTITY = [1, 0, 0, 1];
/** @type {Turn} */
const TRANSPOSITION = [0, 1, 1, 0];
/** @type {Turn} */
const MIRROR = [-1, 0, 0, 1];
/** @type {Turn} */
const UPSIDE_DOWN = [1, 0, 0, -1];
/** @type {Turn} */
const QUARTER = [0, -1, 1, 0];

/** @type {Record<keyof Letters, readonly [number, number]>} */
const EDGES = { left: [-1, 0], right: [1, 0], top: [0, -1], bottom: [0, 1] };

/**
 * Combine turns; the last one is applied first.
 * @param {...Turn} turns
 * @returns {Turn}
 */
export function combined(...turns) {
  return turns.reduce((a, b) => [
    a[0] * b[0] + a[1] * b[2],
    a[0] * b[1] + a[1] * b[3],
    a[2] * b[0] + a[3] * b[2],
    a[2] * b[1] + a[3] * b[3],
  ], IDENTITY);
}

/**
 * Turn a stored grid into its displayed order.
 * @param {Orientation} orientation
 * @returns {Turn}
 */
export function toDisplay({ transposed, flip_rows, flip_cols }) {
  return combined(flip_rows ? UPSIDE_DOWN : IDENTITY, flip_cols ? MIRROR : IDENTITY, transposed ? TRANSPOSITION : IDENTITY);
}

/**
 * Rotate clockwise by quarters, then mirror left and right.
 * @param {number} rotation  degrees: 0, 90, 180 or 270
 * @param {boolean} flip
 * @returns {Turn}
 */
export function byUser(rotation, flip) {
  const quarters = Array(Math.round(rotation / 90) % 4).fill(QUARTER);
  return combined(flip ? MIRROR : IDENTITY, ...quarters);
}

/**
 * Apply a turn to a vector.
 * @param {Turn} turn
 * @param {number} x
 * @param {number} y
 * @returns {[number, number]}
 */
export function turned([xx, xy, yx, yy], x, y) {
  return [xx * x + xy * y, yx * x + yy * y];
}

/**
 * Undo a turn on a vector.
 * @param {Turn} turn
 * @param {number} x
 * @param {number} y
 * @returns {[number, number]}
 */
export function turnedBack([xx, xy, yx, yy], x, y) {
  return [xx * x + yx * y, xy * x + yy * y];
}

/**
 * Move the letters at the edges of the displayed picture with the user's turn.
 * @param {Letters} letters
 * @param {Turn} turn
 * @returns {Letters}
 */
export function turnedLetters(letters, turn) {
  const moved = { left: "", right: "", top: "", bottom: "" };
  for (const edge of edges(EDGES)) {
    const [x, y] = turned(turn, ...EDGES[edge]);
    const there = edges(EDGES).find((name) => EDGES[name][0] === x && EDGES[name][1] === y);
    if (there) moved[there] = letters[edge];
  }
  return moved;
}

/**
 * @param {Record<keyof Letters, unknown>} table
 * @returns {(keyof Letters)[]}
 */
function edges(table) {
  return /** @type {(keyof Letters)[]} */ (Object.keys(table));
}
