// Targets that a picture is drawn on: the screen, the whole film at its own resolution, and the loupe.

/** @import {Film} from "../film/film.js" */
/** @import {Target} from "./picture.js" */
/** @import {Affine, Size, View} from "./view.js" */
import { extent, inverse, prescaled, toScreen } from "./view.js";

/**
 * Map the stored grid to the screen, in CSS pixels, with the film on whole pixels of the device, which keeps it sharp at 1 : 1.
 * @param {Film} film
 * @param {View} view
 * @param {Size} size  in CSS pixels
 * @param {number} ratio  pixels of the device for a CSS pixel
 * @returns {Affine}
 */
export function snappedToScreen(film, view, size, ratio) {
  const [a, b, c, d, e, f] = toScreen(film, view, size);
  return [a, b, c, d, Math.round(e * ratio) / ratio, Math.round(f * ratio) / ratio];
}

/**
 * @param {Affine} toScreen  in CSS pixels
 * @param {Size} size
 * @param {number} ratio
 * @param {boolean} smooth
 * @returns {Target}
 */
export function screenTarget(toScreen, { width, height }, ratio, smooth) {
  return {
    width: Math.max(1, Math.round(width * ratio)),
    height: Math.max(1, Math.round(height * ratio)),
    toFilm: prescaled(inverse(toScreen), 1 / ratio),
    smooth,
    line: Math.max(1, Math.round(2 * ratio)),
    hatch: Math.max(4, Math.round(9 * ratio)),
  };
}

/**
 * The whole film as it is turned in a view: one pixel for each stored pixel, or with `square` as many as make the pixels square.
 * @param {Film} film
 * @param {View} view
 * @param {boolean} square
 * @returns {{target: Target, fromFilm: Affine}}
 */
export function filmTarget(film, view, square) {
  const unit = { ...film, aspect: square ? film.aspect : 1 };
  const middle = { ...view, scale: 1 / Math.min(1, unit.aspect), centre_row: film.rows / 2, centre_col: film.cols / 2 };
  const whole = extent(unit, middle);
  const exact = { width: whole.width * middle.scale, height: whole.height * middle.scale };
  const size = { width: Math.round(exact.width), height: Math.round(exact.height) };
  const fromFilm = stretched(toScreen(unit, middle, exact), size.width / exact.width, size.height / exact.height);
  return { target: { ...size, toFilm: inverse(fromFilm), smooth: false, line: 2, hatch: 12 }, fromFilm };
}

/**
 * @param {Affine} map
 * @param {number} across
 * @param {number} down
 * @returns {Affine}
 */
function stretched([a, b, c, d, e, f], across, down) {
  return [a * across, b * down, c * across, d * down, e * across, f * down];
}

/**
 * A square around a point of the screen, enlarged.
 * @param {Affine} toScreen  in CSS pixels
 * @param {number} x
 * @param {number} y
 * @param {number} edge  of the square on the screen, in CSS pixels
 * @param {number} enlarged  by which factor
 * @param {number} ratio
 * @returns {Target}
 */
export function loupeTarget(toScreen, x, y, edge, enlarged, ratio) {
  const [a, b, c, d, e, f] = toScreen;
  const shift = (/** @type {number} */ offset, /** @type {number} */ at) => (offset - at) * enlarged + edge / 2;
  /** @type {Affine} */
  const enlargedMap = [a * enlarged, b * enlarged, c * enlarged, d * enlarged, shift(e, x), shift(f, y)];
  return screenTarget(enlargedMap, { width: edge, height: edge }, ratio, true);
}
