// Bounds that keep a hostile file from exhausting the phone: those of pneumoscope.radiograph.limits.

/** Pixels that an image may declare: twice those of the largest detectors. */
export const MAX_PIXELS = 40_000_000;

/** Bytes of a data set that is deflated whole: two for each pixel and 64 MiB of header. */
export const MAX_INFLATED_BYTES = 2 * MAX_PIXELS + 2 ** 26;

/** Bytes of the largest file that is opened. */
export const MAX_FILE_BYTES = MAX_INFLATED_BYTES;

/**
 * Write a whole number with commas between its thousands, as the sentences of the Python package do.
 * @param {number} value
 * @returns {string}
 */
export function withCommas(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}
