// Decode PNG and JPEG pictures into films: pneumoscope.radiograph.pictures. A colour profile (ICC) is ignored.

import { statedOrBulk } from "./grey_range.js";
import { decodeBy } from "./codecs.js";
import { notARadiograph, tooLarge, unreadableFile } from "./errors.js";
import { MAX_PIXELS, withCommas } from "./limits.js";
import { DAMAGED, decodePng, pngHeader } from "./png.js";
import { JpegError, jpegHeader } from "./jpeg_header.js";

/** @typedef {import("./codecs.js").LoadCodec} LoadCodec */
/** @typedef {import("./png.js").Samples} Samples */
/** @typedef {import("./radiograph.js").Radiograph} Radiograph */

const UPRIGHT = { transposed: false, flip_rows: false, flip_cols: false, left: "", right: "", top: "", bottom: "" };
const LEAST_UNUSED_BITS = 2;
const FIRST_TRANSPOSED = 5;
/** Difference of the channels of a pixel, of 255, from which it has a colour: more than JPEG leaves in grey. */
const LEAST_TINT = 8;
/** Pixels above which Pillow refuses a picture as a decompression bomb. */
const FAR_TOO_MANY = 178_956_970;

/**
 * Decode a PNG or JPEG picture, turned upright by its Exif Orientation.
 * @param {Uint8Array} bytes  the whole file
 * @param {LoadCodec} load
 * @returns {Promise<Radiograph>}
 */
export async function decodePicture(bytes, load) {
  const format = bytes[0] === 0x89 ? "PNG" : "JPEG";
  if (format === "PNG") checkSize(pngHeader(bytes));
  const samples = format === "PNG" ? decodePng(bytes) : await decodeJpeg(bytes, load);
  const upright = turned(samples);
  const { levels, shown, source } = samples.white > 255 ? deepGrey(upright.data) : grey(upright);
  const aspect = samples.orientation >= FIRST_TRANSPOSED ? 1 / samples.aspect : samples.aspect;
  const film = {
    rows: upright.rows, cols: upright.cols, levels, shown,
    values: Float32Array.from(shown, (_, k) => k), padding: new Uint8Array(shown.length),
    inverse: false, window: null, spacing: null, aspect, orientation: UPRIGHT, lossy: format === "JPEG",
  };
  return { film, ...PICTURE, file_format: format, grey_source: source, photograph: samples.camera || isColourful(upright) };
}

/** What a picture states besides its pixels: nothing. */
export const PICTURE = {
  modality: "", view_position: "", body_part: "", intent: "", row_direction: "", column_direction: "",
  contradictions: /** @type {string[]} */ ([]), age_years: /** @type {number | null} */ (null), age_stated: false,
};

/**
 * Whether a tenth of the pixels have a colour. A radiograph's own file is grey, with a few coloured letters at most; a photograph
 * of a film or of a screen has the tint of its light.
 * @param {{channels: number, data: Uint8Array | Uint16Array}} picture
 */
function isColourful({ channels, data }) {
  if (channels < 3) return false;
  let [coloured, counted] = [0, 0];
  for (let at = 0; at + 2 < data.length; at += 7 * channels, counted++) {
    const [red, green, blue] = [data[at], data[at + 1], data[at + 2]];
    if (Math.max(red, green, blue) - Math.min(red, green, blue) >= LEAST_TINT) coloured++;
  }
  return coloured >= counted / 10;
}

/**
 * Refuse a picture that declares more pixels than any radiograph.
 * @param {{rows: number, cols: number}} size
 */
function checkSize({ rows, cols }) {
  if (rows * cols > FAR_TOO_MANY) throw tooLarge("the image declares far more pixels than any radiograph; it was not decoded");
  if (rows * cols > MAX_PIXELS) {
    throw tooLarge(`the image declares ${rows} × ${cols} pixels, more than the ${withCommas(MAX_PIXELS)} of any radiograph; it was not decoded`);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {LoadCodec} load
 * @returns {Promise<Samples>}
 */
async function decodeJpeg(bytes, load) {
  try {
    const header = jpegHeader(bytes);
    checkSize(header);
    if (header.components === 4) throw notARadiograph("the JPEG file has the four colours of print (CMYK); save it as grey or RGB");
    if (!endsWhole(bytes)) throw new JpegError("no end of image");
    const { rows, cols, components, bytes: data } = await decodeBy("libjpeg-turbo", bytes, load);
    const { orientation, camera, aspect } = header;
    return { rows, cols, channels: components, white: 255, data, orientation, camera, aspect };
  } catch (error) {
    if (error instanceof Error && error.name === "RadiographError") throw error;
    throw unreadableFile(DAMAGED); // a codec throws numbers, too
  }
}

/**
 * Whether a JPEG has its end marker: libjpeg fills what is missing with grey, where the Python package refuses the file.
 * @param {Uint8Array} bytes
 */
function endsWhole(bytes) {
  for (let k = bytes.length - 2; k > 1; k--) if (bytes[k] === 0xff && bytes[k + 1] === 0xd9) return true;
  return false;
}

/**
 * Turn samples upright by their Exif Orientation.
 * @param {Samples} samples
 * @returns {{rows: number, cols: number, channels: number, data: Uint8Array | Uint16Array}}
 */
function turned({ rows, cols, channels, data, orientation }) {
  if (orientation === 1) return { rows, cols, channels, data };
  const transposed = orientation >= FIRST_TRANSPOSED;
  const flipRows = [3, 4, 7, 8].includes(orientation);
  const flipCols = [2, 3, 6, 7].includes(orientation);
  const [newRows, newCols] = transposed ? [cols, rows] : [rows, cols];
  const out = data.slice();
  for (let row = 0, to = 0; row < newRows; row++) {
    for (let col = 0; col < newCols; col++, to += channels) {
      const [r, c] = [flipRows ? newRows - 1 - row : row, flipCols ? newCols - 1 - col : col];
      const from = (transposed ? c * cols + r : r * cols + c) * channels;
      for (let k = 0; k < channels; k++) out[to + k] = data[from + k];
    }
  }
  return { rows: newRows, cols: newCols, channels, data: out };
}

/**
 * Grey of 8 bits: colour by ITU-R 601 luma, transparency over black, in the integer arithmetic of Pillow.
 * @param {{channels: number, data: Uint8Array | Uint16Array}} picture
 * @returns {{levels: Uint16Array, shown: Float32Array, source: ""}}
 */
function grey({ channels, data }) {
  const shown = Float32Array.from({ length: 256 }, (_, k) => k / 255);
  if (channels === 1) return { levels: new Uint16Array(data), shown, source: "" };
  const levels = new Uint16Array(data.length / channels);
  for (let k = 0, at = 0; k < levels.length; k++, at += channels) {
    const opacity = channels % 2 ? 255 : data[at + channels - 1];
    if (channels < 3) levels[k] = over(data[at], opacity);
    else levels[k] = luma(over(data[at], opacity), over(data[at + 1], opacity), over(data[at + 2], opacity));
  }
  return { levels, shown, source: "" };
}

/**
 * A sample over black.
 * @param {number} sample
 * @param {number} opacity
 */
function over(sample, opacity) {
  if (opacity === 255) return sample;
  const value = sample * opacity * 128 + 0x4000;
  return ((value >>> 8) + value) >>> 15;
}

/**
 * @param {number} red
 * @param {number} green
 * @param {number} blue
 */
function luma(red, green, blue) {
  return (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >>> 16;
}

/**
 * Levels and display grey of 16 bits, and what their scale spans.
 * @param {Uint8Array | Uint16Array} samples
 * @returns {{levels: Uint16Array, shown: Float32Array, source: import("./grey_range.js").GreySource}}
 */
function deepGrey(samples) {
  const levels = Uint16Array.from(samples);
  const highest = levels.reduce((most, level) => Math.max(most, level), 0);
  const white = whiteOf(highest);
  const counts = new Float64Array(highest + 1);
  for (const level of levels) counts[level]++;
  const values = Float64Array.from(counts, (_, k) => k);
  const { shown, source } = statedOrBulk(values.map((value) => value / white), values, counts);
  return { levels, shown: Float32Array.from(shown), source: source === "bulk" ? source : white === 65535 ? "header" : "range" };
}

/**
 * @param {number} highest
 */
function whiteOf(highest) {
  const bits = highest ? Math.floor(Math.log2(highest)) + 1 : 0;
  return 16 - bits >= LEAST_UNUSED_BITS ? 2 ** Math.max(bits, 8) - 1 : 65535;
}
