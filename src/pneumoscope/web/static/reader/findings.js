// Extract findings, marked opacities, from a heat map: pneumoscope.readings.finding.

import { where } from "./lung_fields.js";
import { mapToRadiograph } from "./placement.js";

/** @typedef {import("./lung_fields.js").LungFields} LungFields */
/** @typedef {import("./placement.js").Placement} Placement */
/** @typedef {import("./placement.js").Samples} Samples */
/**
 * @typedef {object} Finding  as in the JSON form
 * @property {import("../film/film.js").Box} box
 * @property {{row: number, col: number}} peak
 * @property {number} area_px
 * @property {number} rating
 * @property {import("./lung_fields.js").Laterality | null} laterality
 * @property {import("./lung_fields.js").Zone | null} zone
 */
/** @typedef {{top: number, left: number, bottom: number, right: number, count: number, peak: number, highest: number}} Patch */

const FINEST = 256;
const MIN_AREA_SHARE = 0.002;

/**
 * Extract the connected regions (8 neighbours) at or above a threshold, highest rating first.
 * @param {Placement} placement  of the model's square
 * @param {Float32Array} cells
 * @param {number} cellCount
 * @param {number} threshold
 * @param {number} probability
 * @param {LungFields} fields
 * @returns {Finding[]}
 */
export function findingsOf(placement, cells, cellCount, threshold, probability, fields) {
  const { rows, cols } = placement;
  const step = Math.max(1, Math.floor(Math.max(rows, cols) / FINEST));
  const samples = mapToRadiograph(placement, cells, cellCount, step);
  const findings = patches(samples, Math.fround(threshold)) // NumPy compares in single precision
    .filter(({ count }) => count * step ** 2 >= MIN_AREA_SHARE * rows * cols)
    .map((patch) => finding(patch, samples.cols, step, placement, probability, fields));
  return findings.sort((a, b) => b.rating - a.rating);
}

/**
 * @param {Patch} patch
 * @param {number} sampleCols
 * @param {number} step
 * @param {Placement} placement
 * @param {number} probability
 * @param {LungFields} fields
 * @returns {Finding}
 */
function finding(patch, sampleCols, step, { rows, cols }, probability, fields) {
  const pixel = (/** @type {number} */ sample, /** @type {number} */ size) => Math.min(sample * step + (step >> 1), size - 1);
  const peak = { row: pixel(Math.floor(patch.peak / sampleCols), rows), col: pixel(patch.peak % sampleCols, cols) };
  const { laterality, zone } = where(fields, peak.row + 0.5, peak.col + 0.5) ?? { laterality: null, zone: null };
  return {
    box: {
      top: patch.top * step, left: patch.left * step,
      bottom: Math.min(patch.bottom * step, rows), right: Math.min(patch.right * step, cols),
    },
    peak, area_px: patch.count * step ** 2, rating: probability * Math.min(patch.highest, 1), laterality, zone,
  };
}

/**
 * Find the connected regions of samples at or above a threshold, in the order of their first samples.
 * @param {Samples} samples
 * @param {number} threshold
 * @returns {Patch[]}
 */
function patches({ rows, cols, values }, threshold) {
  const seen = new Uint8Array(values.length);
  const found = [];
  for (let start = 0; start < values.length; start++) {
    if (seen[start] || !(values[start] >= threshold)) continue;
    const members = [start];
    seen[start] = 1;
    for (let k = 0; k < members.length; k++) {
      for (const next of neighbours(members[k], rows, cols)) {
        if (seen[next] || !(values[next] >= threshold)) continue;
        seen[next] = 1;
        members.push(next);
      }
    }
    found.push(patch(members.sort((a, b) => a - b), cols, values));
  }
  return found;
}

/**
 * @param {number} at
 * @param {number} rows
 * @param {number} cols
 */
function neighbours(at, rows, cols) {
  const [row, col] = [Math.floor(at / cols), at % cols];
  const near = [];
  for (let r = Math.max(row - 1, 0); r <= Math.min(row + 1, rows - 1); r++) {
    for (let c = Math.max(col - 1, 0); c <= Math.min(col + 1, cols - 1); c++) near.push(r * cols + c);
  }
  return near;
}

/**
 * @param {number[]} members  in ascending order
 * @param {number} cols
 * @param {Float32Array} values
 * @returns {Patch}
 */
function patch(members, cols, values) {
  const box = { top: Infinity, left: Infinity, bottom: -Infinity, right: -Infinity };
  let peak = members[0];
  for (const at of members) {
    const [row, col] = [Math.floor(at / cols), at % cols];
    box.top = Math.min(box.top, row);
    box.bottom = Math.max(box.bottom, row + 1);
    box.left = Math.min(box.left, col);
    box.right = Math.max(box.right, col + 1);
    if (values[at] > values[peak]) peak = at;
  }
  return { ...box, count: members.length, peak, highest: values[peak] };
}
