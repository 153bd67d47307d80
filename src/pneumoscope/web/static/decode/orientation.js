// How the stored rows and columns of a radiograph lie in the patient: pneumoscope.radiograph.Orientation, DICOM Patient
// Orientation.

/** @typedef {import("../film/film.js").Orientation} FilmOrientation */
/** @typedef {"unknown" | "coronal" | "sagittal" | "other"} Plane */
/** @typedef {{row: string, column: string}} Directions  "" or one of L, R, A, P, H, F */

/** @type {Record<string, string>} */
const AXES = { L: "lateral", R: "lateral", A: "depth", P: "depth", H: "height", F: "height" };
/** @type {Record<string, string>} */
const OPPOSITE = { "": "", L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };

/**
 * Parse the two values of Patient Orientation: unknown directions where no value is given, null where the values are no two
 * directions of different axes.
 * @param {string[]} values
 * @returns {Directions | null}
 */
export function parseDirections(values) {
  if (!values.some(Boolean)) return { row: "", column: "" };
  if (values.length !== 2 || values.some((value) => !/^[LRAPHF]+$/.test(value))) return null;
  const [row, column] = values.map((value) => value[0]);
  return AXES[row] === AXES[column] ? null : { row, column };
}

/**
 * Plane of the picture: coronal in a frontal view, sagittal in a lateral one.
 * @param {Directions} directions
 * @returns {Plane}
 */
export function planeOf({ row, column }) {
  if (!row || !column) return "unknown";
  const axes = [AXES[row], AXES[column]];
  if (!axes.includes("height")) return "other";
  return axes.includes("lateral") ? "coronal" : "sagittal";
}

/**
 * The turn to the displayed order, and the letters at the edges of the displayed picture.
 * @param {Directions} directions
 * @returns {FilmOrientation}
 */
export function orientationOf(directions) {
  const turnable = ["coronal", "sagittal"].includes(planeOf(directions));
  const transposed = turnable && ["H", "F"].includes(directions.row);
  const [down, across] = transposed ? [directions.row, directions.column] : [directions.column, directions.row];
  const [flipRows, flipCols] = [turnable && down === "H", turnable && across === "R"];
  const [bottom, right] = [flipRows ? OPPOSITE[down] : down, flipCols ? OPPOSITE[across] : across];
  return {
    transposed, flip_rows: flipRows, flip_cols: flipCols, left: OPPOSITE[right], right, top: OPPOSITE[bottom], bottom,
  };
}
