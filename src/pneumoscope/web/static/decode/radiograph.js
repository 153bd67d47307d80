// The noun Radiograph: a film with what its file states, pneumoscope.radiograph.Radiograph.

/** @typedef {import("../film/film.js").Film} Film */

/**
 * A film and what its file states about it.
 * @typedef {object} Radiograph
 * @property {Film} film
 * @property {"DICOM" | "PNG" | "JPEG"} file_format
 * @property {import("./grey_range.js").GreySource | ""} grey_source
 * @property {string} modality
 * @property {string} view_position
 * @property {string} body_part
 * @property {string} intent
 * @property {string} row_direction  "" or one of L, R, A, P, H, F
 * @property {string} column_direction
 * @property {string[]} contradictions  what the header says that cannot all be true
 * @property {number | null} age_years
 * @property {boolean} age_stated
 * @property {boolean} photograph  whether a camera took the picture, by its colours or its Exif
 */

export {};
