// Read what matters here from Exif: how the picture is turned, and whether a camera took it.

const ORIENTATION = 0x0112;
const EXIF_DIRECTORY = 0x8769;
/** Exposure time, f-number and focal length: written by cameras, not by scanners or viewers. */
const OF_CAMERAS = [0x829a, 0x829d, 0x920a];

/**
 * Read Exif from its TIFF header on.
 * @param {Uint8Array} exif
 * @returns {{orientation: number, camera: boolean}}  orientation: 1 to 8; 1 where it is missing or none of these
 */
export function exifFacts(exif) {
  const facts = { orientation: 1, camera: false };
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  if (exif.length < 8) return facts;
  const little = view.getUint16(0) === 0x4949;
  for (const [tag, at] of entries(view, view.getUint32(4, little), little)) {
    const value = view.getUint16(at + 8, little);
    if (tag === ORIENTATION && value >= 1 && value <= 8) facts.orientation = value;
    if (tag === EXIF_DIRECTORY) facts.camera ||= hasExposure(view, view.getUint32(at + 8, little), little);
  }
  return facts;
}

/**
 * @param {DataView} view
 * @param {number} directory
 * @param {boolean} little
 */
function hasExposure(view, directory, little) {
  return entries(view, directory, little).some(([tag]) => OF_CAMERAS.includes(tag));
}

/**
 * The tags of a directory, each with its position.
 * @param {DataView} view
 * @param {number} directory
 * @param {boolean} little
 * @returns {[number, number][]}
 */
function entries(view, directory, little) {
  if (directory + 2 > view.byteLength) return [];
  const count = Math.min(view.getUint16(directory, little), Math.floor((view.byteLength - directory - 2) / 12));
  return Array.from({ length: count }, (_, k) => [view.getUint16(directory + 2 + 12 * k, little), directory + 2 + 12 * k]);
}
