// Turn stored values into display grey levels: pneumoscope.radiograph.grey_scale. The order is that of PS3.3 C.11 and PS3.4 N.2.

import { emptyImage, unreadableFile } from "./errors.js";
import { rangeOrBulk, statedOrBulk } from "./grey_range.js";
import { bytesOf, elementOf, itemsOf, numberOf, numbersOf, termOf, unreadable, vrOf } from "./header.js";
import { halfToEven } from "./grey_levels.js";

/** @typedef {import("./header.js").Context} Context */
/** @typedef {import("./stored_values.js").Stored} Stored */
/** @typedef {import("../film/film.js").StatedWindow} StatedWindow */
/**
 * @typedef {object} Displayed
 * @property {Uint16Array} levels
 * @property {Float32Array} shown
 * @property {Float32Array} values
 * @property {Uint8Array} padding
 * @property {boolean} inverse
 * @property {StatedWindow | null} window
 * @property {import("./grey_range.js").GreySource} source
 */

/**
 * Compute the levels of an image and their tables.
 * @param {Context} context
 * @param {Stored} stored
 * @returns {Displayed}
 */
export function display(context, stored) {
  const { levels, counts, lowest } = levelsOf(stored.values);
  const each = Float64Array.from(counts, (_, k) => lowest + k);
  const padding = paddingOf(context, each, stored.bits);
  for (let k = 0; k < padding.length; k++) if (padding[k]) counts[k] = 0;
  if (!counts.some(Boolean)) throw emptyImage("every pixel of the DICOM image is padding; export it again");
  const values = modalityValues(context, each);
  const stated = windowOf(context);
  const { shown, source } = scaled(context, stated, values, counts);
  const inverse = isInverse(context);
  for (let k = 0; k < shown.length; k++) {
    if (padding[k]) shown[k] = 0;
    else if (inverse) shown[k] = 1 - shown[k];
  }
  if (!shown.every(Number.isFinite)) {
    throw unreadableFile("the DICOM rescale or window values are not finite numbers; export the image again");
  }
  const window = source === "header" ? stated : null;
  return { levels, shown: Float32Array.from(shown), values: Float32Array.from(values), padding, inverse, window, source };
}

/**
 * Number the stored values from the lowest one, and count them.
 * @param {Stored["values"]} values
 */
function levelsOf(values) {
  let [lowest, highest] = [Infinity, -Infinity];
  for (let k = 0; k < values.length; k++) {
    if (values[k] < lowest) lowest = values[k];
    if (values[k] > highest) highest = values[k];
  }
  const levels = new Uint16Array(values.length);
  const counts = new Float64Array(highest - lowest + 1);
  for (let k = 0; k < values.length; k++) counts[(levels[k] = values[k] - lowest)]++;
  return { levels, counts, lowest };
}

/**
 * Which stored values are padding, PS3.3 C.7.5.1.1.2; a value beyond the range of the stored ones is taken modulo 2ⁿ.
 * @param {Context} context
 * @param {Float64Array} stored
 * @param {number} bits
 */
function paddingOf(context, stored, bits) {
  const value = numberOf(context, "PixelPaddingValue");
  if (value === null) return new Uint8Array(stored.length);
  const limit = numberOf(context, "PixelPaddingRangeLimit") ?? value;
  const lowest = context.signed ? -(2 ** (bits - 1)) : 0;
  const ends = [value, limit].map((end) => modulo(Math.trunc(end) - lowest, 2 ** bits) + lowest);
  return Uint8Array.from(stored, (v) => Number(v >= Math.min(...ends) && v <= Math.max(...ends)));
}

/**
 * @param {number} value
 * @param {number} base
 */
function modulo(value, base) {
  return ((value % base) + base) % base;
}

/**
 * Modality LUT Sequence, else rescale slope and intercept, else the stored values (PS3.3 C.11.1).
 * @param {Context} context
 * @param {Float64Array} stored
 */
function modalityValues(context, stored) {
  const [item] = itemsOf(context, "ModalityLUTSequence");
  if (item) return lookedUp(item, stored).values;
  const [slope, intercept] = [numberOf(context, "RescaleSlope"), numberOf(context, "RescaleIntercept")];
  return !slope || intercept === null ? stored : stored.map((value) => value * slope + intercept);
}

/**
 * Whether the lowest value is white: by Presentation LUT Shape, else by Photometric Interpretation.
 * @param {Context} context
 */
function isInverse(context) {
  const shape = termOf(context, "PresentationLUTShape");
  if (shape === "IDENTITY" || shape === "INVERSE") return shape === "INVERSE";
  return termOf(context, "PhotometricInterpretation") === "MONOCHROME1";
}

/**
 * Values in [0, 1]: by the stated window, else the VOI LUT, else the data.
 * @param {Context} context
 * @param {StatedWindow | null} stated
 * @param {Float64Array} values
 * @param {Float64Array} counts
 */
function scaled(context, stated, values, counts) {
  if (stated) return statedOrBulk(windowed(values, stated), values, counts);
  const [item] = itemsOf(context, "VOILUTSequence");
  if (!item) return rangeOrBulk(values, counts);
  const { values: found, top } = lookedUp(item, values);
  return statedOrBulk(found.map((value) => clipped(value / top)), values, counts);
}

/**
 * The first window; null where a VOI LUT takes its place or its width is not one of its function.
 * @param {Context} context
 * @returns {StatedWindow | null}
 */
function windowOf(context) {
  if (itemsOf(context, "VOILUTSequence").length) return null;
  const [centre, width] = [numberOf(context, "WindowCenter"), numberOf(context, "WindowWidth")];
  const term = termOf(context, "VOILUTFunction");
  const kind = term === "SIGMOID" || term === "LINEAR_EXACT" ? term : "LINEAR";
  if (centre === null || width === null || width <= 0 || (width < 1 && kind === "LINEAR")) return null;
  return { centre, width, function: kind };
}

/**
 * @param {number} value
 */
function clipped(value) {
  return Math.min(Math.max(value, 0), 1);
}

/**
 * Apply a window by its VOI LUT Function, PS3.3 C.11.2.1.2 and C.11.2.1.3, in double precision.
 * @param {Float64Array} values
 * @param {StatedWindow} window
 * @returns {Float64Array}
 */
export function windowed(values, { centre, width, function: kind }) {
  if (kind === "SIGMOID") {
    return values.map((value) => 1 / (1 + Math.exp(Math.min(Math.max((-4 * (value - centre)) / width, -700), 700))));
  }
  if (kind === "LINEAR_EXACT") return values.map((value) => clipped((value - centre) / width + 0.5));
  if (width === 1) return values.map((value) => Number(value > centre - 0.5));
  return values.map((value) => clipped((value - (centre - 0.5)) / (width - 1) + 0.5));
}

/**
 * Look values up, PS3.3 C.11.1.1 and C.11.2.1.1, and find the highest output value of the table.
 * @param {Context} item
 * @param {Float64Array} values
 * @returns {{values: Float64Array, top: number}}
 */
function lookedUp(item, values) {
  const descriptor = numbersOf(item, "LUTDescriptor");
  if (descriptor.length !== 3) throw unreadable("LUTDescriptor", "not three numbers");
  const entries = modulo(descriptor[0], 2 ** 16) || 2 ** 16;
  const lut = lutData(item, entries);
  const at = values.map((value) => Math.min(Math.max(rounded(value) - descriptor[1], 0), lut.length - 1));
  const used = Math.max(bitLength(lut.reduce((most, value) => Math.max(most, value), 0)), 1);
  return { values: at.map((k) => lut[k]), top: 2 ** Math.min(Math.max(modulo(descriptor[2], 2 ** 16), 1), used) - 1 };
}

/**
 * @param {number} value
 */
function rounded(value) {
  return value < 0 ? -halfToEven(-value) : halfToEven(value);
}

/**
 * @param {number} value
 */
function bitLength(value) {
  return value ? Math.floor(Math.log2(value)) + 1 : 0;
}

/**
 * The entries of a table: words, or bytes where there are not enough of them for words.
 * @param {Context} item
 * @param {number} entries
 * @returns {Float64Array}
 */
function lutData(item, entries) {
  const element = elementOf(item, "LUTData");
  if (!element) throw unreadable("LUTData", "missing or empty");
  const bytes = bytesOf(item, element);
  const words = vrOf(item, "LUTData", element) === "US" || bytes.length >= 2 * entries;
  if (words && bytes.length % 2) throw unreadable("LUTData", "not readable");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all = Float64Array.from({ length: words ? bytes.length / 2 : bytes.length }, (_, k) =>
    words ? view.getUint16(2 * k, item.little) : bytes[k],
  );
  return all.subarray(0, entries);
}
