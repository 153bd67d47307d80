// Rulers and angles: placed point by point, or by dragging.

/** @import {Film} from "../film/film.js" */
/** @import {Point} from "../film/measure.js" */
import { angle, distance } from "../film/measure.js";
import { strings } from "../strings/en.js";
import { fill } from "../strings/fill.js";

const texts = strings.viewport;

/** @typedef {"ruler" | "angle"} MeasurementKind */

/**
 * @typedef {object} Measurement
 * @property {MeasurementKind} kind
 * @property {Point[]} points  on the stored grid: the two ends of a ruler; one arm, the corner and the other arm of an angle
 */

/**
 * A measurement with its result.
 * @typedef {Measurement & {value: number, unit: "mm" | "px" | "°", calibration: string, text: string}} Measured
 */

const POINTS = { ruler: 2, angle: 3 };

/**
 * @param {Film} film
 * @param {Measurement} measurement
 * @returns {Measured}
 */
export function measured(film, { kind, points }) {
  if (kind === "angle") {
    const value = angle(film, points[0], points[1], points[2]);
    return { kind, points, value, unit: "°", calibration: "", text: fill(texts.angle, { value: value.toFixed(1) }) };
  }
  const length = distance(film, points[0], points[1]);
  const text = fill(length.unit === "mm" ? texts.length : texts.length_px, {
    value: length.value.toFixed(1),
    kind: texts.spacing[length.kind],
  });
  return { kind, points, value: length.value, unit: length.unit, calibration: length.kind, text };
}

/** The measurements of a film, and the one that is being placed. */
export class Measurements {
  /** @type {Measurement[]} */
  done = [];
  /** @type {(Measurement & {floating: Point}) | null} */
  draft = null;

  /** What is drawn: the measurements and the draft with the point under the pointer. */
  get drawn() {
    const { draft } = this;
    return draft ? [...this.done, { kind: draft.kind, points: [...draft.points, draft.floating] }] : this.done;
  }

  /**
   * Move the point that is not placed yet.
   * @param {Point} point
   */
  move(point) {
    if (this.draft) this.draft.floating = point;
  }

  /**
   * Place a point; returns the measurement when it was the last one.
   * @param {MeasurementKind} kind
   * @param {Point} point
   * @returns {Measurement | null}
   */
  place(kind, point) {
    if (this.draft?.kind !== kind) this.draft = { kind, points: [], floating: point };
    const { points } = this.draft;
    points.push(point);
    this.draft.floating = point;
    if (points.length < POINTS[kind]) return null;
    const finished = { kind, points };
    this.done.push(finished);
    this.draft = null;
    return finished;
  }

  /** Give up the draft, else the last measurement; returns whether there was one. */
  undo() {
    if (this.draft) {
      this.draft = null;
      return true;
    }
    return this.done.pop() !== undefined;
  }

  clear() {
    this.done = [];
    this.draft = null;
  }
}
