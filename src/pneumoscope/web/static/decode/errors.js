// What can be wrong with a file that should be a radiograph: the classes of pneumoscope.radiograph.errors, with the same
// sentences.

/**
 * @typedef {"UnreadableFileError" | "NotARadiographError" | "EmptyImageError" | "TooLargeError" | "NotAcceptedError" |
 *   "NotAChestError"} ErrorKind  name of the Python class
 */

/** A file could not be read as a radiograph; the message is one sentence that quotes nothing from the file but defined terms. */
export class RadiographError extends Error {
  /**
   * @param {ErrorKind} kind
   * @param {string} message
   */
  constructor(kind, message) {
    super(message);
    this.name = "RadiographError";
    /** @type {ErrorKind} */
    this.kind = kind;
  }
}

/**
 * Make the error of a file whose bytes are truncated, corrupt, or of no format that is read here.
 * @param {string} message
 * @returns {RadiographError}
 */
export function unreadableFile(message) {
  return new RadiographError("UnreadableFileError", message);
}

/**
 * Make the error of an image that is intact but not a single grey projection radiograph.
 * @param {string} message
 * @returns {RadiographError}
 */
export function notARadiograph(message) {
  return new RadiographError("NotARadiographError", message);
}

/**
 * Make the error of an image that has no pixels, or whose pixels are all the same.
 * @param {string} message
 * @returns {RadiographError}
 */
export function emptyImage(message) {
  return new RadiographError("EmptyImageError", message);
}

/**
 * Make the error of a file or an image that is larger than a radiograph can be.
 * @param {string} message
 * @returns {RadiographError}
 */
export function tooLarge(message) {
  return new RadiographError("TooLargeError", message);
}
