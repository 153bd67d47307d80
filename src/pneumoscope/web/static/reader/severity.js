// The opacity severity of a reading: how opaque each lung zone is by the heat map, and the graded sum.
// pneumoscope.readings.severity.

import { THIRDS, around, third } from "./lung_fields.js";
import { mapToRadiograph, onGrid } from "./placement.js";

/** @typedef {import("./lung_fields.js").LungFields} LungFields */
/** @typedef {import("./placement.js").Placement} Placement */
/** @typedef {{knots: [number, number][], half_width: number, coverage: number, n_patients: number, reference: string}} SeverityScale */
/** @typedef {{laterality: string, zone: string, share_opaque: number, density: number, grade: number | null}} ZoneOpacity */
/** @typedef {{zones: ZoneOpacity[], score: number | null, low: number | null, high: number | null, scale: SeverityScale | null, reason: string}} Severity */

const HIGHEST_SCORE = 18;
const NO_SCALE = "the model has no severity scale; fix one with pneumoscope calibrate-severity";
const OUTSIDE = "no interval: the image lies outside the model's domain";
const NO_AREA = "a third of a lung has no area";

/**
 * Measure the opacity severity of a radiograph.
 * @param {{placement: Placement, cells: Float32Array, cellCount: number, threshold: number}} map
 * @param {LungFields} fields
 * @param {SeverityScale | null} scale
 * @param {boolean} inside  whether the image lies inside the model's domain
 * @returns {Severity}
 */
export function severityOf(map, fields, scale, inside) {
  const none = { zones: [], score: null, low: null, high: null, scale: null };
  if (fields.state !== "found") return { ...none, reason: `lungs ${fields.state}` };
  const zones = zoneOpacities(map, fields);
  if (!zones) return { ...none, reason: NO_AREA };
  if (!scale) return { ...none, zones, reason: NO_SCALE };
  const graded = zones.map((zone) => ({ ...zone, grade: interpolated(zone.density, scale.knots) }));
  const score = graded.reduce((sum, zone) => sum + zone.grade, 0);
  if (!inside) return { zones: graded, score, low: null, high: null, scale, reason: OUTSIDE };
  const [low, high] = [Math.max(0, score - scale.half_width), Math.min(HIGHEST_SCORE, score + scale.half_width)];
  return { zones: graded, score, low, high, scale, reason: "" };
}

/**
 * Measure the six zones at the cells of the finder's square; null if a zone has no cell.
 * @param {{placement: Placement, cells: Float32Array, cellCount: number, threshold: number}} map
 * @param {LungFields} fields
 * @returns {ZoneOpacity[] | null}
 */
function zoneOpacities({ placement, cells, cellCount, threshold }, fields) {
  const { size } = fields.placement;
  const values = displayed(mapToRadiograph(onGrid(placement, size, size), cells, cellCount).values, size, placement.orientation);
  const zones = [];
  for (const [laterality, mask] of /** @type {const} */ ([["right", fields.right], ["left", fields.left]])) {
    const lung = around(mask, size);
    for (const [number, zone] of THIRDS.entries()) {
      let [count, opaque, sum] = [0, 0, 0];
      for (let k = 0; k < mask.length; k++) {
        if (!mask[k] || third(Math.floor(k / size) + 0.5, lung) !== number) continue;
        count++;
        opaque += Number(values[k] >= Math.fround(threshold));
        sum += Math.min(values[k], 1);
      }
      if (!count) return null;
      zones.push({ laterality, zone, share_opaque: opaque / count, density: sum / count, grade: null });
    }
  }
  return zones;
}

/**
 * Turn a square of the stored order into the displayed order.
 * @param {Float32Array} values
 * @param {number} size
 * @param {import("../film/film.js").Orientation} orientation
 */
function displayed(values, size, { transposed, flip_rows: flipRows, flip_cols: flipCols }) {
  if (!transposed && !flipRows && !flipCols) return values;
  const out = new Float32Array(values.length);
  for (let row = 0, k = 0; row < size; row++) {
    const r = flipRows ? size - 1 - row : row;
    for (let col = 0; col < size; col++, k++) {
      const c = flipCols ? size - 1 - col : col;
      out[k] = transposed ? values[c * size + r] : values[r * size + c];
    }
  }
  return out;
}

/**
 * Interpolate linearly between knots, constant beyond them.
 * @param {number} x
 * @param {[number, number][]} knots
 */
function interpolated(x, knots) {
  if (x <= knots[0][0]) return knots[0][1];
  for (let k = 1; k < knots.length; k++) {
    const [[x0, y0], [x1, y1]] = [knots[k - 1], knots[k]];
    if (x < x1) return ((y1 - y0) / (x1 - x0)) * (x - x0) + y0;
  }
  return knots[knots.length - 1][1];
}
