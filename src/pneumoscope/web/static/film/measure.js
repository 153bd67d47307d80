// Lengths and angles on a film, with non-square pixels counted.

/** @import {Film} from "./film.js" */

/**
 * A point [row, col] of the stored grid, in continuous pixels.
 * @typedef {[number, number]} Point
 */

/**
 * A length, and what it was measured at: the detector, the calibrated patient, the patient as stated, or nothing (pixels).
 * @typedef {object} Length
 * @property {number} value
 * @property {"mm" | "px"} unit
 * @property {"detector" | "calibrated" | "patient" | "unstated" | "pixels"} kind
 */

/**
 * The vector between two points, in millimetres, or in widths of a pixel.
 * @param {Film} film
 * @param {Point} from
 * @param {Point} to
 * @returns {[number, number]}  along the columns, along the rows
 */
function vector({ spacing, aspect }, from, to) {
  const [down, across] = spacing ? [spacing.row_mm, spacing.col_mm] : [aspect, 1];
  return [(to[0] - from[0]) * down, (to[1] - from[1]) * across];
}

/**
 * Measure the distance between two points.
 * @param {Film} film
 * @param {Point} from
 * @param {Point} to
 * @returns {Length}
 */
export function distance(film, from, to) {
  const value = Math.hypot(...vector(film, from, to));
  return film.spacing ? { value, unit: "mm", kind: film.spacing.kind } : { value, unit: "px", kind: "pixels" };
}

/**
 * Measure the angle at `corner` between the directions to two other points, in degrees from 0 to 180; NaN where one of them is the
 * corner itself.
 * @param {Film} film
 * @param {Point} from
 * @param {Point} corner
 * @param {Point} to
 */
export function angle(film, from, corner, to) {
  const a = vector(film, corner, from);
  const b = vector(film, corner, to);
  if (!Math.hypot(...a) || !Math.hypot(...b)) return NaN;
  return (Math.atan2(Math.abs(a[0] * b[1] - a[1] * b[0]), a[0] * b[0] + a[1] * b[1]) * 180) / Math.PI;
}
