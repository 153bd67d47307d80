// Read the marker segments of a JPEG (ITU-T T.81 B.1.1): its size, its process, and the orientation and resolution that it
// states.

import { exifFacts } from "./exif.js";

/**
 * What the segments before the first scan state.
 * @typedef {object} JpegHeader
 * @property {number} process  code of the frame header: 0xc0 baseline, 0xc1 extended, 0xc2 progressive, 0xc3 lossless
 * @property {number} precision  bits of a sample
 * @property {number} rows
 * @property {number} cols
 * @property {number} components
 * @property {number} orientation  Exif Orientation, 1 to 8
 * @property {boolean} camera  whether Exif states how a camera exposed the picture
 * @property {number} aspect  height of a stored pixel over its width
 */

/** Code of the frame header of JPEG-LS (ITU-T T.87 C.1.1). */
const JPEG_LS = 0xf7;

/** The marker segments of a JPEG are damaged or cut. */
export class JpegError extends Error {}

/**
 * Read the header of a JPEG.
 * @param {Uint8Array} bytes
 * @returns {JpegHeader}
 */
export function jpegHeader(bytes) {
  const header = { process: 0, precision: 0, rows: 0, cols: 0, components: 0, orientation: 0, camera: false, aspect: 1 };
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new JpegError("no start of image");
  for (let at = 2; ; ) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++;
    if (at + 4 > bytes.length || bytes[at] !== 0xff) throw new JpegError("no marker segment");
    const code = bytes[at + 1];
    const segment = bytes.subarray(at + 4, at + 2 + ((bytes[at + 2] << 8) | bytes[at + 3]));
    if (code === 0xda) break;
    if ((code >= 0xc0 && code <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(code)) || code === JPEG_LS) frame(header, code, segment);
    else if (code === 0xe0) resolution(header, segment);
    else if (code === 0xe1) exif(header, segment);
    at += 4 + segment.length;
  }
  if (!header.process) throw new JpegError("a scan before its frame header");
  header.orientation ||= 1;
  return header;
}

/**
 * @param {JpegHeader} header
 * @param {number} code
 * @param {Uint8Array} segment
 */
function frame(header, code, segment) {
  const [precision, rows, cols] = [segment[0], (segment[1] << 8) | segment[2], (segment[3] << 8) | segment[4]];
  Object.assign(header, { process: code, precision, rows, cols, components: segment[5] });
}

/**
 * Density of JFIF (ITU-T T.871), across and down.
 * @param {JpegHeader} header
 * @param {Uint8Array} segment
 */
function resolution(header, segment) {
  if (text(segment, 0, 4) !== "JFIF" || segment.length < 12) return;
  const [across, down] = [(segment[8] << 8) | segment[9], (segment[10] << 8) | segment[11]];
  if (across && down) header.aspect = across / down;
}

/**
 * Orientation of Exif, else of XMP, of the first segment that states one.
 * @param {JpegHeader} header
 * @param {Uint8Array} segment
 */
function exif(header, segment) {
  if (header.orientation) return;
  if (text(segment, 0, 6) === "Exif\0\0") {
    const { orientation, camera } = exifFacts(segment.subarray(6));
    header.camera ||= camera;
    if (orientation > 1) header.orientation = orientation;
  } else if (text(segment, 0, 28) === "http://ns.adobe.com/xap/1.0/") {
    header.orientation = xmpOrientation(text(segment, 29, segment.length));
  }
}

/**
 * Read tiff:Orientation from a packet of XMP.
 * @param {string} packet
 * @returns {number}  1 to 8; 0 where none is stated
 */
export function xmpOrientation(packet) {
  const stated = Number(/tiff:Orientation(?:="|>)([0-9])/.exec(packet)?.[1] ?? 0);
  return stated <= 8 ? stated : 0;
}

/**
 * @param {Uint8Array} bytes
 * @param {number} from
 * @param {number} to
 */
function text(bytes, from, to) {
  return Array.from(bytes.subarray(from, to), (code) => String.fromCharCode(code)).join("");
}
