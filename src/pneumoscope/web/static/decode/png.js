// Decode PNG (ISO/IEC 15948) into samples, without the colour management of the browser: gamma and profiles are ignored, as by
// the Python package.

import { emptyImage, unreadableFile } from "./errors.js";
import { exifFacts } from "./exif.js";
import { InflateError, inflateZlib, joined } from "./inflate.js";

/**
 * Samples of a picture, as its file stores them.
 * @typedef {object} Samples
 * @property {number} rows
 * @property {number} cols
 * @property {number} channels  1 grey, 2 grey and opacity, 3 RGB, 4 RGB and opacity
 * @property {number} white  highest value of a sample: 255, or 65535 for deep grey
 * @property {Uint8Array | Uint16Array} data  row by row, the channels of a pixel together
 * @property {number} orientation  Exif Orientation, 1 to 8
 * @property {boolean} camera  whether Exif states how a camera exposed the picture
 * @property {number} aspect  height of a stored pixel over its width
 */

/** @typedef {{rows: number, cols: number, depth: number, colour: number, interlaced: boolean}} Header */

export const DAMAGED = "the PNG or JPEG file is truncated or damaged; copy it again from its source";
const CHANNELS = new Map([[0, 1], [2, 3], [3, 1], [4, 2], [6, 4]]);
const DEPTHS = new Map([[0, [1, 2, 4, 8, 16]], [2, [8, 16]], [3, [1, 2, 4, 8]], [4, [8, 16]], [6, [8, 16]]]);
/** First column, first row, step of columns, step of rows of the seven passes of Adam7. */
const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];

/**
 * Read the size and the form of a PNG without decoding it.
 * @param {Uint8Array} bytes
 * @returns {Header}
 */
export function pngHeader(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 33 || name(bytes, 12) !== "IHDR") throw unreadableFile(DAMAGED);
  const [cols, rows] = [view.getUint32(16), view.getUint32(20)];
  if (!rows || !cols) throw emptyImage("the PNG image has no rows or no columns; export it again");
  const [depth, colour, compression, filter, interlace] = bytes.subarray(24, 29);
  if (!DEPTHS.get(colour)?.includes(depth) || compression || filter || interlace > 1) throw unreadableFile(DAMAGED);
  return { rows, cols, depth, colour, interlaced: interlace === 1 };
}

/**
 * Decode a PNG.
 * @param {Uint8Array} bytes
 * @returns {Samples}
 */
export function decodePng(bytes) {
  const header = pngHeader(bytes);
  const chunks = chunksOf(bytes);
  const raw = unpacked(chunks, header);
  const { data, channels } = coloured(unfiltered(raw, header), header, chunks);
  const white = data instanceof Uint16Array ? 65535 : 255;
  return { rows: header.rows, cols: header.cols, channels, white, data, ...exifOf(chunks), aspect: aspectOf(chunks) };
}

/**
 * @param {Uint8Array} bytes
 * @param {number} at
 */
function name(bytes, at) {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

/**
 * Collect the data of the chunks by name; those of several IDAT chunks in their order.
 * @param {Uint8Array} bytes
 * @returns {Map<string, Uint8Array[]>}
 */
function chunksOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** @type {Map<string, Uint8Array[]>} */
  const chunks = new Map();
  for (let at = 8; at + 12 <= bytes.length; ) {
    const [length, kind] = [view.getUint32(at), name(bytes, at + 4)];
    if (kind === "IEND") break;
    if (kind === "IDAT" && at + 12 + length > bytes.length) throw unreadableFile(DAMAGED);
    if (["IDAT", "IHDR", "PLTE"].includes(kind) && crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) {
      throw unreadableFile(DAMAGED);
    }
    chunks.set(kind, [...(chunks.get(kind) ?? []), bytes.subarray(at + 8, at + 8 + length)]);
    at += 12 + length;
  }
  return chunks;
}

const CRC = Uint32Array.from({ length: 256 }, (_, k) => {
  let value = k;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/**
 * Compute the cyclic redundancy check of a chunk.
 * @param {Uint8Array} bytes
 * @returns {number}
 */
function crc32(bytes) {
  let value = 0xffffffff;
  for (let k = 0; k < bytes.length; k++) value = CRC[(value ^ bytes[k]) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

/**
 * @param {Map<string, Uint8Array[]>} chunks
 * @param {Header} header
 */
function unpacked(chunks, header) {
  const parts = chunks.get("IDAT") ?? [];
  const needed = passesOf(header).reduce((sum, pass) => sum + pass.rows * (1 + lineBytes(header, pass.cols)), 0);
  try {
    const raw = inflateZlib(joined(parts.length ? parts : [new Uint8Array(0)]), needed + 2 ** 20, needed);
    if (raw.length >= needed) return raw;
  } catch (error) {
    if (!(error instanceof InflateError)) throw error;
  }
  throw unreadableFile(DAMAGED);
}

/**
 * List the passes that have pixels; one for a picture that is not interlaced.
 * @param {Header} header
 */
function passesOf({ rows, cols, interlaced }) {
  if (!interlaced) return [{ left: 0, top: 0, across: 1, down: 1, rows, cols }];
  return ADAM7.map(([left, top, across, down]) => ({
    left, top, across, down, rows: Math.ceil((rows - top) / down), cols: Math.ceil((cols - left) / across),
  })).filter((pass) => pass.rows > 0 && pass.cols > 0);
}

/**
 * @param {Header} header
 * @param {number} cols
 */
function lineBytes({ depth, colour }, cols) {
  return Math.ceil((cols * depth * (CHANNELS.get(colour) ?? 1)) / 8);
}

/**
 * Undo the filters, and bring the samples of every pass to their places, each sample as stored.
 * @param {Uint8Array} raw
 * @param {Header} header
 * @returns {Uint8Array | Uint16Array}
 */
function unfiltered(raw, header) {
  const channels = CHANNELS.get(header.colour) ?? 1;
  const samples = new (header.depth === 16 ? Uint16Array : Uint8Array)(header.rows * header.cols * channels);
  const back = Math.max(1, (header.depth * channels) >> 3);
  let at = 0;
  for (const pass of passesOf(header)) {
    const length = lineBytes(header, pass.cols);
    /** @type {Uint8Array} */
    let above = new Uint8Array(length);
    for (let row = 0; row < pass.rows; row++, at += length + 1) {
      const line = raw.subarray(at + 1, at + 1 + length);
      undo(raw[at], line, above, back);
      place(line, samples, header.depth, channels, ((pass.top + row * pass.down) * header.cols + pass.left) * channels, pass);
      above = line;
    }
  }
  return samples;
}

/**
 * Undo the filter of a line in place (ISO/IEC 15948, 9.2).
 * @param {number} filter
 * @param {Uint8Array} line
 * @param {Uint8Array} above
 * @param {number} back  bytes from a sample to the one before it
 */
function undo(filter, line, above, back) {
  if (filter > 4) throw unreadableFile(DAMAGED);
  if (filter === 1) for (let k = back; k < line.length; k++) line[k] += line[k - back];
  else if (filter === 2) for (let k = 0; k < line.length; k++) line[k] += above[k];
  else if (filter === 3) for (let k = 0; k < line.length; k++) line[k] += ((k < back ? 0 : line[k - back]) + above[k]) >> 1;
  else if (filter === 4) for (let k = 0; k < line.length; k++) line[k] += k < back ? above[k] : paeth(line[k - back], above[k], above[k - back]);
}

/**
 * @param {number} left
 * @param {number} above
 * @param {number} corner
 */
function paeth(left, above, corner) {
  const guess = left + above - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - above), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

/**
 * Write the samples of a line to their places.
 * @param {Uint8Array} line
 * @param {Uint8Array | Uint16Array} samples
 * @param {number} depth
 * @param {number} channels
 * @param {number} start
 * @param {{cols: number, across: number}} pass
 */
function place(line, samples, depth, channels, start, { cols, across }) {
  if (depth === 8 && across === 1) {
    samples.set(line, start);
    return;
  }
  const mask = (1 << Math.min(depth, 8)) - 1;
  for (let k = 0; k < cols * channels; k++) {
    const to = start + Math.floor(k / channels) * across * channels + (k % channels);
    const bit = k * depth;
    if (depth === 16) samples[to] = (line[2 * k] << 8) | line[2 * k + 1];
    else samples[to] = (line[bit >> 3] >> (8 - depth - (bit & 7))) & mask;
  }
}

/**
 * Turn stored samples into grey, RGB or either with opacity: palettes looked up, fewer than 8 bits scaled to 8, 16 bits of colour
 * cut to 8, transparent colours made transparent.
 * @param {Uint8Array | Uint16Array} samples
 * @param {Header} header
 * @param {Map<string, Uint8Array[]>} chunks
 * @returns {{data: Uint8Array | Uint16Array, channels: number}}
 */
function coloured(samples, header, chunks) {
  const transparent = chunks.get("tRNS")?.[0];
  if (header.colour === 3) return palette(samples, chunks.get("PLTE")?.[0], transparent);
  if (header.colour === 0 && header.depth === 16) return { data: samples, channels: 1 };
  const channels = CHANNELS.get(header.colour) ?? 1;
  const scale = header.depth < 8 ? 255 / ((1 << header.depth) - 1) : 1;
  const data = Uint8Array.from(samples, header.depth === 16 ? (v) => v >> 8 : (v) => v * scale);
  if (!transparent || header.colour > 3) return { data, channels };
  return { data: withOpacity(data, channels, keyOf(transparent, channels, header.depth)), channels: channels + 1 };
}

/**
 * The colour that is transparent, as samples of 8 bits.
 * @param {Uint8Array} transparent
 * @param {number} channels
 * @param {number} depth
 */
function keyOf(transparent, channels, depth) {
  return Array.from({ length: channels }, (_, k) => {
    const value = (transparent[2 * k] << 8) | transparent[2 * k + 1];
    return depth === 1 ? (value ? 255 : 0) : value & 255; // of 2 and 4 bits not scaled, as in Pillow
  });
}

/**
 * @param {Uint8Array} data
 * @param {number} channels
 * @param {number[]} key
 */
function withOpacity(data, channels, key) {
  const wide = new Uint8Array((data.length / channels) * (channels + 1));
  for (let from = 0, to = 0; from < data.length; from += channels, to += channels + 1) {
    let same = true;
    for (let c = 0; c < channels; c++) {
      wide[to + c] = data[from + c];
      same &&= data[from + c] === key[c];
    }
    wide[to + channels] = same ? 0 : 255;
  }
  return wide;
}

/**
 * Look samples up in the palette.
 * @param {Uint8Array | Uint16Array} samples
 * @param {Uint8Array | undefined} colours
 * @param {Uint8Array | undefined} transparent
 * @returns {{data: Uint8Array, channels: number}}
 */
function palette(samples, colours, transparent) {
  if (!colours) throw unreadableFile(DAMAGED);
  const channels = transparent ? 4 : 3;
  const data = new Uint8Array(samples.length * channels);
  for (let k = 0; k < samples.length; k++) {
    for (let c = 0; c < 3; c++) data[k * channels + c] = colours[3 * samples[k] + c] ?? 0;
    if (transparent) data[k * channels + 3] = transparent[samples[k]] ?? 255;
  }
  return { data, channels };
}

/**
 * @param {Map<string, Uint8Array[]>} chunks
 */
function exifOf(chunks) {
  const exif = chunks.get("eXIf")?.[0];
  return exif ? exifFacts(exif) : { orientation: 1, camera: false };
}

/**
 * Height of a pixel over its width by pHYs, 1 where it states none.
 * @param {Map<string, Uint8Array[]>} chunks
 */
function aspectOf(chunks) {
  const physical = chunks.get("pHYs")?.[0];
  if (!physical || physical.length < 9) return 1;
  const view = new DataView(physical.buffer, physical.byteOffset, physical.byteLength);
  const [across, down] = [view.getUint32(0), view.getUint32(4)];
  return across && down ? across / down : 1;
}
