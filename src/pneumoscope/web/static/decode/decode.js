// Read a radiograph of any supported format from bytes: pneumoscope.radiograph.read_film.

import { decodeDicom, looksLikeDicom } from "./dicom.js";
import { emptyImage, tooLarge, unreadableFile } from "./errors.js";
import { DAMAGED } from "./png.js";
import { MAX_FILE_BYTES, withCommas } from "./limits.js";
import { decodePicture } from "./pictures.js";

/** @typedef {import("./radiograph.js").Radiograph} Radiograph */

/**
 * Read a DICOM CR, DX or RG, PNG or JPEG radiograph; the format is recognised by the content.
 * @param {Uint8Array} bytes  the whole file
 * @param {import("./codecs.js").LoadCodec} load  gives a codec when it is needed
 * @returns {Promise<Radiograph>}
 */
export async function decode(bytes, load) {
  if (!bytes.length) throw unreadableFile("the file is empty; an intact DICOM, PNG or JPEG file is needed");
  if (bytes.length > MAX_FILE_BYTES) {
    throw tooLarge(`the file has more than ${withCommas(MAX_FILE_BYTES)} bytes, more than any radiograph; it was not read`);
  }
  const radiograph = looksLikeDicom(bytes) ? await decodeDicom(bytes, load) : await decodePicture(checked(bytes), load);
  const { levels, shown, rows, cols } = radiograph.film;
  if (isConstant(levels, shown)) {
    throw emptyImage(`every one of the ${rows} × ${cols} pixels has the same grey level; export the image again`);
  }
  return radiograph;
}

/**
 * Refuse bytes that are no picture of a supported format.
 * @param {Uint8Array} bytes
 */
function checked(bytes) {
  const png = [0x89, 0x50, 0x4e, 0x47].every((code, k) => bytes[k] === code);
  const jpeg = [0xff, 0xd8, 0xff].every((code, k) => bytes[k] === code);
  if (png && ![0x0d, 0x0a, 0x1a, 0x0a].every((code, k) => bytes[4 + k] === code)) throw unreadableFile(DAMAGED);
  if (!png && !jpeg) throw unreadableFile("the file is neither DICOM nor PNG nor JPEG; convert it to one of them");
  return bytes;
}

/**
 * @param {Uint16Array} levels
 * @param {Float32Array} shown
 */
function isConstant(levels, shown) {
  const first = shown[levels[0]];
  return levels.every((level) => shown[level] === first);
}
