// Compose the reading of a radiograph from the outputs of the graph, as a line of the JSON form 5 and a heat map for the
// viewport.

import { CAUTION } from "../decode/acceptance.js";
import { findingsOf } from "./findings.js";
import { areaShare, lungBox, lungFields } from "./lung_fields.js";
import { columnOf } from "./population.js";
import { severityOf } from "./severity.js";

/** @typedef {import("./card.js").Card} Card */
/** @typedef {import("../decode/radiograph.js").Radiograph} Radiograph */
/** @typedef {import("./population.js").PopulationChoice} PopulationChoice */
/** @typedef {import("../film/film.js").MapLayer} MapLayer */
/** @typedef {Record<string, Float32Array>} Outputs  of one image, by name */
/** @typedef {ReturnType<typeof compose>["line"]} Line  of the JSON form 5 */

const SCHEMA = 5;
const SEVERITY_NAME = "opacity severity by the heat map, not a radiologist's score";
const ROUNDING = 1e-4;

/** The model gave an output that no reading can be made of; `kind` is the name of the Python class. */
export class ModelOutputError extends Error {
  kind = "ModelOutputError";
}

/**
 * Compose a reading.
 * @param {Card} card
 * @param {Radiograph} radiograph
 * @param {Outputs} outputs
 * @param {PopulationChoice | null} choice
 * @param {string[]} cautions
 * @param {{path: string, sha256: string}} file
 */
export function compose(card, radiograph, outputs, choice, cautions, file) {
  check(card, outputs);
  const at = columnOf(card, choice);
  const settings = card.settings[at];
  const fields = lungFields(radiograph.film, outputs.lungs, outputs.lung_quality, outputs.lungs_found[0]);
  const map = mapOf(card, radiograph, outputs, settings.finding_threshold, lungBox(fields));
  const probability = outputs.probability[at];
  const positive = outputs.decision[at] > 0;
  const found = positive ? findingsOf(map.placement, map.cells, map.cellCount, map.threshold, probability, fields) : [];
  const domain = domainOf(settings.domain_limit, outputs.distance[0], fields.state !== "not found", radiograph.photograph);
  const line = {
    schema: SCHEMA, path: file.path, file_sha256: file.sha256, target: card.target,
    probability: rounded(probability, 6), log_odds: rounded(Math.fround(outputs.logits[1] - outputs.logits[0]), 6),
    decision: positive ? "positive" : "negative",
    abstains: outputs.abstains[at] > 0 || cautions.includes(CAUTION.FEW_GREY_LEVELS),
    population: choice && { ...choice, cautious: choice.value === null },
    operating_point: { threshold: settings.threshold, rule: settings.rule },
    domain,
    cautions: [...cautions, ...(choice && choice.value === null && radiograph.age_stated ? [CAUTION.AGE] : [])],
    findings: found.map((one) => ({ ...one, rating: rounded(one.rating, 4) })),
    severity: severityLine(severityOf(map, fields, card.severity, domain === null || domain.inside)),
    lung_fields: {
      state: fields.state, quality: rounded(fields.quality, 4), area_share: rounded(areaShare(fields), 4), box: lungBox(fields),
    },
    map: { target: card.target, method: card.map.method, scale: card.map.scale, threshold: settings.finding_threshold },
    rows: radiograph.film.rows, cols: radiograph.film.cols, model: card.model, error: null,
  };
  return { line, layer: layerOf(card, map, outputs, fields.state === "found"), lungs: fields };
}

/**
 * The line of a file that could not be read.
 * @param {Card} card
 * @param {{path: string, sha256: string}} file
 * @param {{kind: string, message: string}} error
 */
export function errorLine(card, file, error) {
  return {
    schema: SCHEMA, path: file.path, file_sha256: file.sha256, target: card.target, probability: null, log_odds: null, decision: null,
    abstains: null, population: null, operating_point: null, domain: null, cautions: [], findings: [], severity: null,
    lung_fields: null, map: null, rows: null, cols: null, model: card.model, error,
  };
}

/**
 * Round to so many decimals.
 * @param {number} value
 * @param {number} decimals
 */
function rounded(value, decimals) {
  return Number(value.toFixed(decimals));
}

/**
 * Refuse outputs that are not finite or outside of their range, and answers that the card does not prescribe.
 * @param {Card} card
 * @param {Outputs} outputs
 */
function check(card, outputs) {
  for (const [name, values] of Object.entries(outputs)) {
    if (areFinite(values)) continue;
    throw new ModelOutputError(`the model gave a value that is not finite (${name}); the radiograph was not read`);
  }
  const ranges = { lung_quality: [0, 1 + ROUNDING], lungs_found: [0, 2], distance: [0, Infinity], probability: [0, 1] };
  for (const [name, [low, high]] of Object.entries(ranges)) {
    if (outputs[name].every((value) => value >= low && value <= high)) continue;
    throw new ModelOutputError(`the model gave a ${name} outside its range for this radiograph; the radiograph was not read`);
  }
  if (!card.settings.every((settings, at) => prescribed(settings, outputs, at))) {
    throw new ModelOutputError("the graph of the model gave another answer than its card prescribes; the radiograph was not read");
  }
}

/**
 * @param {Float32Array} values
 */
function areFinite(values) {
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum += values[k] * 0; // NaN for an infinite value, too
  return sum === 0;
}

/**
 * Whether an answer is the one that the card prescribes for the probability and the distance.
 * @param {import("./card.js").Settings} settings
 * @param {Outputs} outputs
 * @param {number} at
 */
function prescribed({ threshold, grey_zone: zone, domain_limit: limit }, outputs, at) {
  const probability = outputs.probability[at];
  const unsure = zone !== null && probability >= zone[0] && probability < zone[1];
  const inside = outputs.lungs_found[0] > 0 && (limit === null || outputs.distance[0] <= limit);
  const answers = [[outputs.decision, probability >= threshold], [outputs.abstains, unsure], [outputs.inside_domain, inside]];
  return answers.every(([values, expected]) => /** @type {Float32Array} */ (values)[at] === Number(expected));
}

/**
 * The heat map of the target, with the placement of its square.
 * @param {Card} card
 * @param {Radiograph} radiograph
 * @param {Outputs} outputs
 * @param {number} threshold
 * @param {import("../film/film.js").Box} box
 */
function mapOf(card, { film }, outputs, threshold, box) {
  const all = outputs[card.map.output];
  const count = all.length / 2;
  const cells = all.slice(card.map.index * count, (card.map.index + 1) * count);
  const rectangle = card.map.covers === "lungs" ? box : { top: 0, left: 0, bottom: film.rows, right: film.cols };
  const placement = { rows: film.rows, cols: film.cols, rectangle, size: card.map.size_px, orientation: film.orientation };
  return { cells, cellCount: Math.sqrt(count), placement, threshold };
}

/**
 * Whether the image resembles the training images. A photograph of a film or a screen does not, although the distance of its
 * features alone would miss most photographs of screens.
 * @param {number | null} limit
 * @param {number} distance
 * @param {boolean} lungs
 * @param {boolean} photograph
 */
function domainOf(limit, distance, lungs, photograph) {
  if (limit === null) return null;
  const far = distance > limit;
  const reasons = [
    ...(photograph ? ["a photograph, not the radiograph's own file"] : []),
    ...(lungs ? [] : ["no lungs found"]),
    ...(far ? [`unlike the training images (distance ${distance.toFixed(2)}, limit ${limit.toFixed(2)})`] : []),
  ];
  return { inside: lungs && !far && !photograph, distance: rounded(distance, 4), limit: rounded(limit, 4), reason: reasons.join("; ") || null };
}

/**
 * @param {import("./severity.js").Severity} severity
 */
function severityLine({ zones, score, low, high, scale, reason }) {
  const short = (/** @type {number | null} */ value) => (value === null ? null : rounded(value, 2));
  return {
    name: SEVERITY_NAME, score: short(score), low: short(low), high: short(high), coverage: scale?.coverage ?? null,
    n_patients: scale?.n_patients ?? null, reference: scale?.reference ?? null, reason: reason || null,
    zones: zones.map((zone) => ({
      ...zone, share_opaque: rounded(zone.share_opaque, 4), density: rounded(zone.density, 4),
      grade: zone.grade === null ? null : rounded(zone.grade, 4),
    })),
  };
}

/**
 * The heat map as a layer of the viewport.
 * @param {Card} card
 * @param {ReturnType<typeof mapOf>} map
 * @param {Outputs} outputs
 * @param {boolean} found  whether both lungs were found
 * @returns {MapLayer}
 */
function layerOf(card, { cells, cellCount, placement, threshold }, outputs, found) {
  return {
    id: "map", name: `${card.map.method} · ${card.name}`, cells, cell_rows: cellCount, cell_cols: cellCount,
    rectangle: placement.rectangle, looked: card.map.pooled === "lungs" && found ? pooledCells(outputs.looked_at, cellCount) : null,
    threshold, full_scale: 1, unit: card.map.method === "evidence" ? "probability" : "share of full scale", method: card.map.method,
  };
}

/**
 * The cells of the map that hold lung: those in which the lung channel of the scored square is above 0 somewhere.
 * @param {Float32Array} square  grey, then lungs
 * @param {number} cellCount
 */
function pooledCells(square, cellCount) {
  const channel = square.subarray(square.length / 2);
  const size = Math.sqrt(channel.length);
  const looked = new Uint8Array(cellCount ** 2);
  for (let k = 0; k < channel.length; k++) {
    if (!(channel[k] > 0)) continue;
    const [row, col] = [Math.floor(((Math.floor(k / size) + 0.5) * cellCount) / size), Math.floor((((k % size) + 0.5) * cellCount) / size)];
    looked[row * cellCount + col] = 1;
  }
  return looked;
}
