// Which radiographs are read, which with a caution, and which are refused: pneumoscope.radiograph.acceptance with its default
// policy.

import { LATERAL_VIEWS, NOT_A_TERM, PROJECTION_MODALITIES, TERMS, isChest } from "./attributes.js";
import { RadiographError } from "./errors.js";
import { greyLevelsUsed } from "./grey_levels.js";
import { planeOf } from "./orientation.js";

/** @typedef {import("./radiograph.js").Radiograph} Radiograph */

const FEWEST_GREY_LEVELS = 64;

/** Why a reading should be taken with care: the words of every output. */
export const CAUTION = {
  ORIENTATION: "orientation not stated",
  SIDE: "no side stated: patient's right assumed on the left",
  TURNED: "stored turned or mirrored",
  GREY_SCALE: "grey scale taken from the data",
  AGE: "age not readable",
  PHOTOGRAPH: "photograph of a film or a screen",
  FEW_GREY_LEVELS: `uses fewer than ${FEWEST_GREY_LEVELS} of 256 grey levels`,
};

/**
 * Decide whether a radiograph is read, and with which cautions.
 * @param {Radiograph} radiograph
 * @returns {string[]}  cautions that belong to every reading of it
 */
export function review(radiograph) {
  const cautions = [];
  refuse(radiograph);
  if (radiograph.file_format === "DICOM" && planeOf(directionsOf(radiograph)) === "unknown") cautions.push(CAUTION.ORIENTATION);
  if (["PNG", "JPEG"].includes(radiograph.file_format)) cautions.push(CAUTION.SIDE);
  const { transposed, flip_rows: flipRows, flip_cols: flipCols } = radiograph.film.orientation;
  if (transposed || flipRows || flipCols) cautions.push(CAUTION.TURNED);
  if (radiograph.grey_source === "bulk") cautions.push(CAUTION.GREY_SCALE);
  if (greyLevelsUsed(radiograph.film) < FEWEST_GREY_LEVELS) cautions.push(CAUTION.FEW_GREY_LEVELS);
  if (radiograph.photograph) cautions.push(CAUTION.PHOTOGRAPH);
  return cautions;
}

/**
 * @param {Radiograph} radiograph
 */
function directionsOf({ row_direction: row, column_direction: column }) {
  return { row, column };
}

/**
 * Refuse what the models cannot read; the body part first.
 * @param {Radiograph} radiograph
 */
function refuse(radiograph) {
  const [part, modality] = [quotable("BodyPartExamined", radiograph.body_part), quotable("Modality", radiograph.modality)];
  if (part && !isChest(radiograph.body_part)) {
    throw refused(`the DICOM Body Part Examined is ${part}, not the chest`, "body-part", "NotAChestError");
  }
  if (radiograph.file_format === "DICOM" && !PROJECTION_MODALITIES.includes(modality)) {
    throw refused(`the DICOM Modality is ${modality || "missing"}, not one of ${PROJECTION_MODALITIES.join(", ")}`, "modality");
  }
  if (radiograph.intent === "FOR PROCESSING") {
    throw refused("the image is raw detector data (FOR PROCESSING), not for presentation", "raw");
  }
  if (LATERAL_VIEWS.includes(radiograph.view_position)) {
    throw refused(`the View Position is ${radiograph.view_position}, not a frontal view`, "lateral");
  }
  if (planeOf(directionsOf(radiograph)) === "sagittal" && !radiograph.contradictions.length) {
    throw refused("the Patient Orientation is that of a lateral view, not of a frontal one", "lateral");
  }
  if (radiograph.contradictions.length) {
    const sentence = `the DICOM header contradicts itself or leaves sides in doubt: ${radiograph.contradictions.join(" and ")}`;
    throw refused(sentence, "contradiction");
  }
}

/**
 * @param {string} sentence
 * @param {string} option  of the command line that accepts such an image
 * @param {"NotAcceptedError" | "NotAChestError"} kind
 */
function refused(sentence, option, kind = "NotAcceptedError") {
  return new RadiographError(kind, `${sentence}; to read it, say --${option} mark`);
}

/**
 * Text of a header that may be quoted: a defined term in upper case, or the statement that it is none.
 * @param {"BodyPartExamined" | "Modality"} keyword
 * @param {string} text
 */
function quotable(keyword, text) {
  const term = text.toUpperCase();
  return !term || TERMS[keyword]?.includes(term) ? term : NOT_A_TERM;
}
