/** What is outlined on a film: findings, lungs, zones and the reference's regions. */

import { strings } from "../../strings/en.js";

const words = strings.viewer;

/** @import {Shape} from "../../film/film.js" */
/** @import {Reading} from "../types.js" */

/** @param {number} index @returns {string} */
export const findingId = (index) => `finding-${index + 1}`;

/** @param {Reading} reading @returns {Shape[]} */
export function findingShapes(reading) {
  return reading.findings.map((finding, index) => ({
    id: findingId(index),
    kind: "finding",
    label: String(index + 1),
    box: finding.box,
    outline: null,
  }));
}

/**
 * @param {{right: number[][][], left: number[][][]}} lungs   GET …/lungs
 * @returns {Shape[]}
 */
export function lungShapes(lungs) {
  return /** @type {const} */ (["right", "left"])
    .filter((side) => lungs[side].length > 0)
    .map((side) => ({ id: `lung-${side}`, kind: "lungs", label: words.lung[side], box: null, outline: lungs[side] }));
}

/**
 * @param {{laterality: "right"|"left", zone: "upper"|"mid"|"lower", outline: number[][][]}} zone   one item of GET …/zones
 * @returns {Shape}
 */
export function zoneShape({ laterality, zone, outline }) {
  return { id: `zone-${laterality}-${zone}`, kind: "zone", label: words.zoneName(laterality, zone), box: null, outline };
}

/**
 * What the readers of the reference standard drew: its outlines, or its boxes where it has no outlines.
 *
 * @param {{boxes: import("../types.js").Box[], outlines: number[][][]}} regions   GET …/regions
 * @returns {Shape[]}
 */
export function referenceShapes({ boxes, outlines }) {
  const drawn =
    outlines.length > 0
      ? outlines.map((outline) => ({ box: null, outline: [outline] }))
      : boxes.map((box) => ({ box, outline: null }));
  return drawn.map((shape, index) => ({
    id: `reference-${index + 1}`,
    kind: "reference",
    label: words.reference.region(index + 1),
    ...shape,
  }));
}
