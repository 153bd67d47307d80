// Decode the pixel data of a DICOM image into stored values: pneumoscope.radiograph.stored_values.

import { decodeBy, decodeLossless } from "./codecs.js";
import { emptyImage, notARadiograph, tooLarge, unreadableFile } from "./errors.js";
import { bytesOf, integerOf, unreadable } from "./header.js";
import { decodeExtended } from "./jpeg_extended.js";
import { jpegHeader } from "./jpeg_header.js";
import { joined } from "./inflate.js";
import { MAX_PIXELS, withCommas } from "./limits.js";
import { decodeRle } from "./rle.js";
import { SYNTAX, syntaxName } from "./transfer_syntax.js";

/** @typedef {import("./header.js").Context} Context */
/** @typedef {import("./codecs.js").LoadCodec} LoadCodec */
/** @typedef {Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array} Cells */
/** @typedef {{values: Cells, bits: number}} Stored  stored values in order, and Bits Stored */
/** @typedef {{rows: number, cols: number, allocated: number, bits: number, shift: number}} Layout */
/** @typedef {{cells: Cells, precision: number, misread: boolean}} Decoded  `misread`: unsigned values of signed pixels, or the reverse */

/**
 * Refuse an image that has no pixels, or more than any radiograph, before it is decoded.
 * @param {Context} context
 */
export function checkSize(context) {
  const [rows, cols] = [integerOf(context, "Rows", 0), integerOf(context, "Columns", 0)];
  if (rows < 1 || cols < 1) throw emptyImage(`the DICOM image has ${rows} rows and ${cols} columns; export it again`);
  if (rows * cols > MAX_PIXELS) {
    throw tooLarge(
      `the DICOM image declares ${rows} × ${cols} pixels, more than the ${withCommas(MAX_PIXELS)} of any radiograph; it was not decoded`,
    );
  }
}

/**
 * Decode the pixel data and cut the stored value out of each pixel cell.
 * @param {Context} context
 * @param {string} syntax  Transfer Syntax UID
 * @param {LoadCodec} load
 * @returns {Promise<Stored>}
 */
export async function storedValues(context, syntax, load) {
  const layout = layoutOf(context, syntax);
  let decoded;
  try {
    decoded = await decode(context, syntax, layout, load);
  } catch (error) {
    if (error instanceof Error && error.name === "RadiographError") throw error;
    throw undecoded(context, syntax, layout); // a codec throws numbers, too
  }
  return { values: cut(decoded, layout, context.signed, SYNTAX[syntax]?.codec !== undefined), bits: layout.bits };
}

/**
 * Bits Stored, and the number of bits below the pixel, once the Image Pixel attributes are complete and agree.
 * @param {Context} context
 * @param {string} syntax
 * @returns {Layout}
 */
function layoutOf(context, syntax) {
  let [bits, allocated] = [integerOf(context, "BitsStored"), integerOf(context, "BitsAllocated")];
  let high = integerOf(context, "HighBit", bits - 1);
  if (![0, 1].includes(integerOf(context, "PixelRepresentation"))) throw unreadable("PixelRepresentation", "neither 0 nor 1");
  if (bits < 8 || bits > 16) throw notARadiograph(`the DICOM image stores ${bits} bits a pixel; 8 to 16 are read`);
  if (![8, 16, 32].includes(allocated)) {
    throw notARadiograph(`the DICOM image allocates ${allocated} bits a pixel; 8, 16 or 32 are read`);
  }
  if (SYNTAX[syntax]?.codec === "jpeg") [allocated, bits, high] = [8, 8, 7];
  if (!(bits - 1 <= high && high < allocated)) {
    throw unreadable("HighBit", `${high}, which does not fit ${bits} bits stored of ${allocated} bits allocated`);
  }
  return { rows: integerOf(context, "Rows"), cols: integerOf(context, "Columns"), allocated, bits, shift: high - bits + 1 };
}

/**
 * @param {Context} context
 * @param {string} syntax
 * @param {Layout} layout
 */
function undecoded(context, syntax, layout) {
  const needed = (layout.rows * layout.cols * layout.allocated) / 8;
  const there = context.data.elements.x7fe00010.length;
  const start = `the DICOM pixel data could not be decoded (${syntaxName(syntax)})`;
  if (SYNTAX[syntax] && !SYNTAX[syntax].encapsulated && there < needed) {
    return unreadableFile(
      `${start}: they are truncated to ${there} of ${needed} bytes, or Rows and Columns are wrong; send the file again from its source`,
    );
  }
  return unreadableFile(`${start}: they are truncated, damaged, or not what the header states; send the file again`);
}

/**
 * @param {Context} context
 * @param {string} syntax
 * @param {Layout} layout
 * @param {LoadCodec} load
 * @returns {Promise<Decoded>}
 */
async function decode(context, syntax, layout, load) {
  const form = SYNTAX[syntax];
  if (!form) throw new Error("an unknown transfer syntax");
  if (!form.encapsulated) return whole(native(context, layout), context, layout.allocated);
  const frame = frameOf(context);
  if (form.codec === undefined) {
    const bytes = decodeRle(frame, layout.rows * layout.cols, layout.allocated / 8);
    return whole(bytes, context, layout.allocated);
  }
  if (form.codec === "lossless" || form.codec === "extended") return jpegProcess(frame, form.codec, layout, context, load);
  return byCodec(frame, form.codec === "jpeg" ? "libjpeg-turbo" : form.codec, layout, context, load);
}

/**
 * Pixel cells of data that are not compressed.
 * @param {Context} context
 * @param {Layout} layout
 * @returns {Uint8Array}  little-endian
 */
function native(context, { rows, cols, allocated }) {
  const element = context.data.elements.x7fe00010;
  const size = (rows * cols * allocated) / 8;
  const bytes = bytesOf(context, element).slice(0, size);
  if (bytes.length < size) throw new Error("not enough pixel data");
  const swapped = context.little ? 1 : allocated > 8 ? allocated / 8 : element.vr === "OW" ? 2 : 1;
  if (swapped > 1) for (let k = 0; k + swapped <= bytes.length; k += swapped) bytes.subarray(k, k + swapped).reverse();
  return bytes;
}

/**
 * The one frame: all fragments of the pixel data, joined.
 * @param {Context} context
 * @returns {Uint8Array}
 */
function frameOf({ data }) {
  const fragments = data.elements.x7fe00010.fragments ?? [];
  if (!fragments.length) throw new Error("no fragments");
  return joined(fragments.map(({ position, length }) => data.byteArray.subarray(position, position + length)));
}

/**
 * Cells of the given number of bits, in the signedness of the pixels.
 * @param {Uint8Array} bytes  little-endian
 * @param {Context} context
 * @param {number} container
 * @returns {Decoded}
 */
function whole(bytes, { signed }, container) {
  const buffer = /** @type {ArrayBuffer} */ ((bytes.byteOffset ? bytes.slice() : bytes).buffer);
  const count = bytes.length / (container / 8);
  const kinds = { 8: [Uint8Array, Int8Array], 16: [Uint16Array, Int16Array], 32: [Uint32Array, Int32Array] };
  const Kind = kinds[/** @type {8 | 16 | 32} */ (container)][Number(signed)];
  return { cells: new Kind(buffer, 0, count), precision: container, misread: false };
}

/**
 * @param {Uint8Array} frame
 * @param {import("./codecs.js").CodecName} name
 * @param {Layout} layout
 * @param {Context} context
 * @param {LoadCodec} load
 * @returns {Promise<Decoded>}
 */
async function byCodec(frame, name, { rows, cols }, context, load) {
  const decoded = await decodeBy(name, frame, load);
  if (!decoded.bytes.length) throw new Error("nothing was decoded");
  if (decoded.components !== 1 || decoded.rows !== rows || decoded.cols !== cols) {
    throw unreadableFile(
      `the DICOM pixel data are of shape (${decoded.rows}, ${decoded.cols}), not the declared ${rows} × ${cols}`,
    );
  }
  const { cells } = whole(decoded.bytes, context, decoded.bits > 8 ? 16 : 8);
  const misread = name === "openjpeg" ? decoded.signed !== context.signed : name === "charls" && context.signed;
  return { cells, precision: decoded.bits, misread };
}

/**
 * JPEG Extended and JPEG Lossless, of 8 to 16 bits.
 * @param {Uint8Array} frame
 * @param {"lossless" | "extended"} codec
 * @param {Layout} layout
 * @param {Context} context
 * @param {LoadCodec} load
 * @returns {Promise<Decoded>}
 */
async function jpegProcess(frame, codec, { rows, cols, allocated }, context, load) {
  const header = jpegHeader(frame);
  if (header.rows !== rows || header.cols !== cols || header.components !== 1) {
    throw new Error("the JPEG frame is not of the size that the DICOM header states");
  }
  if (codec === "extended" && header.precision === 8) {
    const { bytes } = await decodeBy("libjpeg-turbo", frame, load);
    return whole(allocated === 16 ? widened(bytes) : bytes, context, allocated);
  }
  const samples = codec === "extended" ? decodeExtended(frame) : decodeLossless(frame);
  const bytes = allocated === 8 ? Uint8Array.from(samples) : widened(samples);
  return whole(bytes, context, allocated);
}

/**
 * Samples as bytes of 16 bit cells.
 * @param {Uint8Array | Uint16Array} samples
 */
function widened(samples) {
  return new Uint8Array(Uint16Array.from(samples).buffer);
}

/**
 * The `bits` bits above the lowest `shift` bits of each cell, in place.
 * @param {Decoded} decoded
 * @param {Layout} layout
 * @param {boolean} signed
 * @param {boolean} compressed
 * @returns {Cells}
 */
function cut({ cells, precision, misread }, { bits, shift }, signed, compressed) {
  const container = cells.BYTES_PER_ELEMENT * 8;
  if (misread && precision < container) lowBits(cells, precision, 0, signed);
  if (compressed && container > bits) lowBits(cells, bits, 0, signed);
  if (container > bits) lowBits(cells, bits, shift && fits(cells, bits, signed) ? 0 : shift, signed);
  return cells;
}

/**
 * @param {Cells} cells
 * @param {number} bits
 * @param {number} shift
 * @param {boolean} signed
 */
function lowBits(cells, bits, shift, signed) {
  const [left, right] = [32 - bits - shift, 32 - bits];
  if (signed) for (let k = 0; k < cells.length; k++) cells[k] = (cells[k] << left) >> right;
  else for (let k = 0; k < cells.length; k++) cells[k] = (cells[k] << left) >>> right;
}

/**
 * Whether no cell uses more than `bits` bits.
 * @param {Cells} cells
 * @param {number} bits
 * @param {boolean} signed
 */
function fits(cells, bits, signed) {
  const [low, high] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  return cells.every((/** @type {number} */ value) => value >= low && value <= high);
}
