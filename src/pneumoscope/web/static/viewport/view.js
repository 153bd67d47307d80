// Which part of a film is on the screen, how large, and how it is turned.

/** @import {Film} from "../film/film.js" */
/** @import {Turn} from "../film/orientation.js" */
import { byUser, combined, toDisplay, turned, turnedBack } from "../film/orientation.js";

/**
 * The view of a film. The rotation (clockwise) is applied to the displayed order, the flip (left and right) after it.
 * @typedef {object} View
 * @property {number} centre_row  point of the stored grid in the middle of the viewport
 * @property {number} centre_col
 * @property {number} scale  CSS pixels for the width of a stored pixel
 * @property {0 | 90 | 180 | 270} rotation
 * @property {boolean} flip_h
 * @property {boolean} invert
 */

/**
 * An affine map as [a, b, c, d, e, f]: x' = a·x + c·y + e, y' = b·x + d·y + f, as in a DOMMatrix.
 * @typedef {[number, number, number, number, number, number]} Affine
 */

/** @typedef {{width: number, height: number}} Size */

const LARGEST_SCALE = 64;

/**
 * The turn from the stored grid to the screen.
 * @param {Film} film
 * @param {View} view
 * @returns {Turn}
 */
export function screenTurn(film, view) {
  return combined(byUser(view.rotation, view.flip_h), toDisplay(film.orientation));
}

/**
 * The map from the stored grid (x = column, y = row) to the screen.
 * @param {Film} film
 * @param {View} view
 * @param {Size} size  of the viewport, in CSS pixels
 * @returns {Affine}
 */
export function toScreen(film, view, { width, height }) {
  const [xx, xy, yx, yy] = screenTurn(film, view).map((entry) => entry * view.scale);
  const [a, b, c, d] = [xx, yx, xy * film.aspect, yy * film.aspect];
  const [x, y] = [view.centre_col, view.centre_row];
  return [a, b, c, d, width / 2 - a * x - c * y, height / 2 - b * x - d * y];
}

/**
 * Invert an affine map.
 * @param {Affine} map
 * @returns {Affine}
 */
export function inverse([a, b, c, d, e, f]) {
  const area = a * d - b * c;
  return [d / area, -b / area, -c / area, a / area, (c * f - d * e) / area, (b * e - a * f) / area];
}

/**
 * Apply an affine map to a point.
 * @param {Affine} map
 * @param {number} x
 * @param {number} y
 * @returns {[number, number]}
 */
export function mapped([a, b, c, d, e, f], x, y) {
  return [a * x + c * y + e, b * x + d * y + f];
}

/**
 * Apply an affine map to points whose coordinates are multiplied first.
 * @param {Affine} map
 * @param {number} factor
 * @returns {Affine}
 */
export function prescaled([a, b, c, d, e, f], factor) {
  return [a * factor, b * factor, c * factor, d * factor, e, f];
}

/**
 * Width and height of the whole film at scale 1, turned as in a view.
 * @param {Film} film
 * @param {View} view
 * @returns {Size}
 */
export function extent(film, view) {
  const [width, height] = turned(screenTurn(film, view), film.cols, film.rows * film.aspect);
  return { width: Math.abs(width), height: Math.abs(height) };
}

/**
 * The scale at which the whole film fits.
 * @param {Film} film
 * @param {View} view
 * @param {Size} size
 */
export function fittingScale(film, view, size) {
  const whole = extent(film, view);
  return Math.max(Math.min(size.width / whole.width, size.height / whole.height), 1e-6);
}

/**
 * Show the whole film.
 * @param {Film} film
 * @param {View} view
 * @param {Size} size
 * @returns {View}
 */
export function fitted(film, view, size) {
  return { ...view, centre_row: film.rows / 2, centre_col: film.cols / 2, scale: fittingScale(film, view, size) };
}

/**
 * The view in which a film is first shown.
 * @param {Film} film
 * @param {Size} size
 * @returns {View}
 */
export function initialView(film, size) {
  return fitted(film, { centre_row: 0, centre_col: 0, scale: 1, rotation: 0, flip_h: false, invert: false }, size);
}

/**
 * Change the scale by a factor; the point of the film at (x, y) of the viewport stays where it is.
 * @param {Film} film
 * @param {View} view
 * @param {Size} size
 * @param {number} factor
 * @param {number} x
 * @param {number} y
 * @returns {View}
 */
export function zoomed(film, view, size, factor, x, y) {
  const smallest = fittingScale(film, view, size) / 4;
  const scale = Math.min(Math.max(view.scale * factor, smallest), LARGEST_SCALE);
  const away = 1 / view.scale - 1 / scale;
  const [across, down] = turnedBack(screenTurn(film, view), (x - size.width / 2) * away, (y - size.height / 2) * away);
  return within(film, { ...view, scale, centre_col: view.centre_col + across, centre_row: view.centre_row + down / film.aspect });
}

/**
 * Move the film by (dx, dy) CSS pixels.
 * @param {Film} film
 * @param {View} view
 * @param {number} dx
 * @param {number} dy
 * @returns {View}
 */
export function panned(film, view, dx, dy) {
  const [across, down] = turnedBack(screenTurn(film, view), dx / view.scale, dy / view.scale);
  return within(film, { ...view, centre_col: view.centre_col - across, centre_row: view.centre_row - down / film.aspect });
}

/**
 * Keep the middle of the viewport on the film.
 * @param {Film} film
 * @param {View} view
 * @returns {View}
 */
function within(film, view) {
  return {
    ...view,
    centre_row: Math.min(Math.max(view.centre_row, 0), film.rows),
    centre_col: Math.min(Math.max(view.centre_col, 0), film.cols),
  };
}

/**
 * Rotate what is on the screen by a quarter, clockwise or back.
 * @param {View} view
 * @param {1 | -1} quarters
 * @returns {View}
 */
export function rotated(view, quarters) {
  const step = view.flip_h ? -quarters : quarters; // the flip comes after the rotation
  return { ...view, rotation: /** @type {View["rotation"]} */ ((view.rotation + 90 * step + 360) % 360) };
}
