// Read one file: decode, review, resample, run the graph, compose.

import { review } from "../decode/acceptance.js";
import { decode } from "../decode/decode.js";
import { compose, errorLine } from "./compose.js";
import { choosePopulation } from "./population.js";
import { squashed } from "./triangle_filter.js";

/** @typedef {import("./card.js").Card} Card */
/** @typedef {import("./card.js").Population} Population */
/** @typedef {import("./model.js").Model} Model */
/** @typedef {import("../decode/radiograph.js").Radiograph} Radiograph */
/**
 * @typedef {object} Answer
 * @property {Radiograph | null} radiograph  null where the file could not be decoded
 * @property {ReturnType<typeof compose>["line"] | ReturnType<typeof errorLine>} line
 * @property {import("../film/film.js").MapLayer | null} layer
 * @property {{right: Uint8Array, left: Uint8Array, size: number} | null} lungs
 */

/**
 * Read a file; what can be wrong with it is in the line.
 * @param {Card} card
 * @param {Model} model
 * @param {import("../decode/codecs.js").LoadCodec} load
 * @param {Uint8Array} bytes
 * @param {string} path  name of the file in the line
 * @param {Population | null} population  as the user states it
 * @returns {Promise<Answer>}
 */
export async function read(card, model, load, bytes, path, population) {
  const file = { path, sha256: await sha256(bytes) };
  let radiograph = null;
  try {
    radiograph = await decode(bytes, load);
    const cautions = review(radiograph);
    const choice = choosePopulation(card, radiograph.age_years, population);
    const outputs = await model.run(squashed(radiograph.film, card.input.size_px));
    const { line, layer, lungs } = compose(card, radiograph, outputs, choice, cautions, file);
    return { radiograph, line, layer, lungs: { right: lungs.right, left: lungs.left, size: lungs.placement.size } };
  } catch (error) {
    if (!(error instanceof Error && "kind" in error)) throw error;
    const line = errorLine(card, file, { kind: String(error.kind), message: error.message });
    return { radiograph, line, layer: null, lungs: null };
  }
}

/**
 * SHA-256 of bytes, hexadecimal.
 * @param {Uint8Array} bytes
 * @returns {Promise<string>}
 */
async function sha256(bytes) {
  const digest = await crypto.subtle.digest("SHA-256", /** @type {Uint8Array<ArrayBuffer>} */ (bytes));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
