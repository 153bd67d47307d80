// How many grey levels of a display a radiograph uses: pneumoscope.radiograph.Radiograph.grey_levels_used.

import { firstAtLeast } from "./grey_range.js";

/** @typedef {import("../film/film.js").Film} Film */

const GREY_LEVELS = 256;
const MOST_COUNTED = 2 ** 20;

/**
 * Count the grey levels between the 0.5 and 99.5 percentiles of the pixels, 1 to 256; of a large radiograph every second,
 * third, …
 * pixel of each axis is counted.
 * @param {Film} film
 * @returns {number}
 */
export function greyLevelsUsed(film) {
  const step = Math.max(1, Math.floor(Math.sqrt(film.levels.length / MOST_COUNTED)));
  const grey = Uint8Array.from(film.shown, (value) => halfToEven(Math.fround(Math.min(Math.max(value, 0), 1) * (GREY_LEVELS - 1))));
  const counts = new Float64Array(GREY_LEVELS);
  let total = 0;
  for (let row = 0; row < film.rows; row += step) {
    for (let col = 0; col < film.cols; col += step, total++) counts[grey[film.levels[row * film.cols + col]]]++;
  }
  let below = 0;
  const share = counts.map((count) => (below += count) / total);
  return firstAtLeast(share, 0.995) - firstAtLeast(share, 0.005) + 1;
}

/**
 * Round to the nearest whole number, halves to the even one, as NumPy does.
 * @param {number} value  at least 0
 * @returns {number}
 */
export function halfToEven(value) {
  const floor = Math.floor(value);
  const above = value - floor;
  return above > 0.5 || (above === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
