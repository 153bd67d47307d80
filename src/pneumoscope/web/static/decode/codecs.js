// The third-party decoders, each started for one image, so that their memory is given back with it.

import charls from "../vendor/charls.js";
import libjpegTurbo from "../vendor/libjpeg-turbo.js";
import openjpeg from "../vendor/openjpeg.js";
import { Decoder as LosslessDecoder } from "../vendor/jpeg-lossless.js";
import { jpegHeader } from "./jpeg_header.js";
import { MAX_PIXELS } from "./limits.js";

/** @typedef {"charls" | "openjpeg" | "libjpeg-turbo"} CodecName */
/** @typedef {(name: CodecName) => Promise<WebAssembly.Module>} LoadCodec  gives the compiled WebAssembly of a codec */
/**
 * @typedef {object} Decoded
 * @property {number} rows
 * @property {number} cols
 * @property {number} bits  of a sample
 * @property {number} components
 * @property {boolean} signed
 * @property {Uint8Array} bytes  samples in order, of one byte, or of two (little-endian) if `bits` is above 8
 */

const START = { charls, openjpeg, "libjpeg-turbo": libjpegTurbo };
const DECODER = { charls: "JpegLSDecoder", openjpeg: "J2KDecoder", "libjpeg-turbo": "JPEGDecoder" };

/**
 * Decode a JPEG-LS, JPEG 2000 or JPEG image of 8 bits.
 * @param {CodecName} name
 * @param {Uint8Array} packed
 * @param {LoadCodec} load
 * @returns {Promise<Decoded>}
 */
export async function decodeBy(name, packed, load) {
  const module = await load(name);
  /** @type {string[]} */
  const complaints = [];
  const codec = await START[name]({
    instantiateWasm: (/** @type {WebAssembly.Imports} */ imports, /** @type {(instance: WebAssembly.Instance) => void} */ received) => {
      WebAssembly.instantiate(module, imports).then(received);
      return {};
    },
    print: (/** @type {string} */ text) => complaints.push(text),
    printErr: (/** @type {string} */ text) => complaints.push(text),
  });
  const decoder = new codec[DECODER[name]]();
  decoder.getEncodedBuffer(packed.length).set(packed);
  if (name === "openjpeg") {
    decoder.readHeader();
    checkPixels(decoder.getFrameInfo().height, decoder.getFrameInfo().width);
  } else {
    const { rows, cols } = jpegHeader(packed);
    checkPixels(rows, cols);
  }
  decoder.decode();
  const frame = decoder.getFrameInfo();
  return {
    rows: frame.height,
    cols: frame.width,
    bits: frame.bitsPerSample,
    components: frame.componentCount,
    signed: Boolean(frame.isSigned),
    bytes: decoder.getDecodedBuffer().slice(),
  };
}

/**
 * Refuse an image that declares more pixels than any radiograph, whatever the header around it states, before it is decoded.
 * @param {number} rows
 * @param {number} cols
 */
function checkPixels(rows, cols) {
  if (rows * cols > MAX_PIXELS) throw new Error("more pixels than any radiograph");
}

/**
 * Decode a JPEG Lossless image (ITU-T T.81, process 14).
 * @param {Uint8Array} packed
 * @returns {Uint8Array | Uint16Array}  samples in order
 */
export function decodeLossless(packed) {
  const decoder = new LosslessDecoder();
  const copy = packed.slice();
  const samples = decoder.decode(copy.buffer, 0, copy.length);
  if (!samples) throw new Error("no samples were decoded");
  return samples;
}
