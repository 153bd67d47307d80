// Tables from the levels of a film to display greys, and windows that follow from its pixels.

/** @import {Film, StatedWindow} from "./film.js" */

/**
 * A window on the modality values, in their unit.
 * @typedef {object} Window
 * @property {number} centre
 * @property {number} width
 */

/** @typedef {"initial" | "auto" | "full" | "lungs" | "dense"} Preset */

/** Shares of the pixels, from dark to bright, that a preset spreads over the grey scale. */
const SHARES = /** @type {const} */ ({
  auto: [0.01, 0.99],
  full: [0, 1],
  lungs: [0.005, 0.7],
  dense: [0.35, 0.998],
});

/** @type {Preset[]} */
export const PRESETS = ["initial", "auto", "full", "lungs", "dense"];

/** @type {WeakMap<Film, {order: Uint32Array, sums: Float64Array}>} */
const distributions = new WeakMap();

/**
 * Apply the VOI function of a window to one value, DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3, with output in [0, 1].
 * @param {number} value
 * @param {StatedWindow} window
 * @returns {number}
 */
export function windowed(value, { centre, width, function: kind }) {
  if (kind === "SIGMOID") return 1 / (1 + Math.exp((-4 * (value - centre)) / width));
  const [middle, extent] = kind === "LINEAR" ? [centre - 0.5, width - 1] : [centre, width];
  if (value <= middle - extent / 2) return 0;
  if (value > middle + extent / 2) return 1;
  return (value - middle) / extent + 0.5;
}

/**
 * Compute the display grey of each level. Padding stays black, also when inverted.
 * @param {Film} film
 * @param {Window | null} window  null: the initial view
 * @param {boolean} invert
 * @returns {Float32Array}
 */
export function greyTable(film, window, invert) {
  const table = new Float32Array(film.shown.length);
  const stated = window && { ...window, function: film.window?.function ?? /** @type {const} */ ("LINEAR_EXACT") };
  for (let level = 0; level < table.length; level++) {
    const grey = stated ? polar(windowed(film.values[level], stated), film.inverse) : film.shown[level];
    table[level] = film.padding[level] ? 0 : polar(grey, invert);
  }
  return table;
}

/**
 * @param {number} grey
 * @param {boolean} inverse
 */
function polar(grey, inverse) {
  return inverse ? 1 - grey : grey;
}

/**
 * The window from which a user's changes start: the stated one, else the values between which the initial view turns from black
 * to white.
 * @param {Film} film
 * @returns {Window}
 */
export function startWindow(film) {
  if (film.window) return { centre: film.window.centre, width: film.window.width };
  let [low, high, least, most] = [-Infinity, Infinity, Infinity, -Infinity];
  for (let level = 0; level < film.values.length; level++) {
    if (film.padding[level]) continue;
    const value = film.values[level];
    const grey = polar(film.shown[level], film.inverse);
    if (grey <= 0) low = Math.max(low, value);
    if (grey >= 1) high = Math.min(high, value);
    [least, most] = [Math.min(least, value), Math.max(most, value)];
  }
  const [from, to] = [Number.isFinite(low) ? low : least, Number.isFinite(high) ? high : most];
  return spanning(from, to);
}

/**
 * @param {number} from
 * @param {number} to
 * @returns {Window}
 */
function spanning(from, to) {
  if (!Number.isFinite(from + to)) return { centre: 0.5, width: 1 };
  return { centre: (from + to) / 2, width: Math.max(to - from, smallestWidth(to)) };
}

/** @param {number} value */
function smallestWidth(value) {
  return Math.max(Math.abs(value) * 1e-6, 1e-6);
}

/**
 * Find a window by a preset of this module.
 * @param {Film} film
 * @param {Preset} preset
 * @returns {Window | null} null for the initial view
 */
export function presetWindow(film, preset) {
  if (preset === "initial") return null;
  const [dark, bright] = SHARES[preset];
  const [from, to] = film.inverse ? [1 - bright, 1 - dark] : [dark, bright];
  const found = spanning(quantile(film, from), quantile(film, to));
  // LINEAR covers width − 1 around centre − ½.
  return film.window?.function === "LINEAR" ? { centre: found.centre + 0.5, width: found.width + 1 } : found;
}

/**
 * The extent of the values of 99 % of the pixels, to which the speed of a drag is proportional.
 * @param {Film} film
 */
export function valueRange(film) {
  const range = quantile(film, 0.995) - quantile(film, 0.005);
  return range > 0 ? range : startWindow(film).width;
}

/**
 * The value below which a share of the pixels lies that are no padding.
 * @param {Film} film
 * @param {number} share
 */
export function quantile(film, share) {
  const { order, sums } = distribution(film);
  if (!order.length) return NaN;
  const wanted = share * sums[sums.length - 1];
  let k = sums.findIndex((sum) => sum >= wanted && sum > 0);
  if (k < 0) k = sums.length - 1;
  return film.values[order[k]];
}

/**
 * Levels that occur, by ascending value, and the cumulated number of their pixels.
 * @param {Film} film
 */
function distribution(film) {
  const known = distributions.get(film);
  if (known) return known;
  const counts = new Uint32Array(film.values.length);
  for (const level of film.levels) counts[level]++;
  const occurring = Uint32Array.from(counts.keys()).filter((level) => counts[level] && !film.padding[level]);
  const order = occurring.sort((a, b) => film.values[a] - film.values[b]);
  let sum = 0;
  const sums = Float64Array.from(order, (level) => (sum += counts[level]));
  distributions.set(film, { order, sums });
  return { order, sums };
}
