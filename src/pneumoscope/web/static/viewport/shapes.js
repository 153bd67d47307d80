// Draw regions and measurements over a film, and find the region at a point. The kinds differ in line and label, not in colour alone.

/** @import {Box, Film, Shape} from "../film/film.js" */
/** @import {Point} from "../film/measure.js" */
/** @import {Measurement} from "./measurements.js" */
/** @import {Affine} from "./view.js" */
import { measured } from "./measurements.js";
import { mapped } from "./view.js";

/** @typedef {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} Context */

export const FONT = "600 13px system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif";

/**
 * @typedef {object} Style
 * @property {string} colour
 * @property {number} width
 * @property {number[]} dash
 * @property {boolean} [light]  whether the dark casing is dashed too
 * @property {boolean} [below]  whether the label stands below the region
 */

/** @type {Record<Shape["kind"], Style>} */
const STYLES = {
  finding: { colour: "#5adcff", width: 2, dash: [] },
  reference: { colour: "#ffd54a", width: 2, dash: [8, 5], below: true },
  lungs: { colour: "#9be59b", width: 2, dash: [3, 6], light: true },
  zone: { colour: "#c9d1d9", width: 1.5, dash: [2, 8], light: true },
  mark: { colour: "#ff8ad8", width: 2, dash: [12, 3, 2, 3], below: true },
};
const LABEL_HEIGHT = 14;
const MEASURE = "#ffe08a";
const CASING = "rgb(0 0 0 / 75%)";
const TICK = 5;

/**
 * The corners of a shape's polygons on the stored grid.
 * @param {Shape} shape
 * @returns {number[][][]}
 */
function polygons({ box, outline }) {
  if (outline) return outline;
  return box ? [corners(box)] : [];
}

/** @param {Box} box */
function corners({ top, left, bottom, right }) {
  return [[top, left], [top, right], [bottom, right], [bottom, left]];
}

/**
 * @param {Context} context
 * @param {Affine} toScreen
 * @param {Shape[]} shapes
 * @param {string | null} selected  id of the shape with a thicker line
 */
export function drawShapes(context, toScreen, shapes, selected) {
  for (const shape of shapes) {
    const style = STYLES[shape.kind];
    const chosen = shape.id === selected;
    const screen = polygons(shape).map((polygon) => polygon.map(([row, col]) => mapped(toScreen, col, row)));
    const width = chosen ? style.width + 2 : style.width;
    for (const points of screen) stroke(context, points, true, width, style.colour, style.dash, style.light);
    if (shape.label && screen.length) labelShape(context, shape.label, screen.flat(), style);
  }
}

/**
 * Write the label above or below a region, where that is on the canvas.
 * @param {Context} context
 * @param {string} text
 * @param {number[][]} points
 * @param {Style} style
 */
function labelShape(context, text, points, { colour, below }) {
  const [xs, ys] = [points.map((point) => point[0]), points.map((point) => point[1])];
  const bottom = context.canvas.height / context.getTransform().a;
  const x = Math.max(...xs) > 0 ? within(context, text, Math.min(...xs)) : Math.min(...xs);
  const above = Math.min(...ys) - 5;
  const under = Math.max(...ys) + LABEL_HEIGHT + 2;
  label(context, text, x, (below && under < bottom) || above < LABEL_HEIGHT ? under : above, colour);
}

/**
 * Where a text begins that shall begin at x and end on the canvas; x where that is off the canvas.
 * @param {Context} context
 * @param {string} text
 * @param {number} x
 */
function within(context, text, x) {
  const right = context.canvas.width / context.getTransform().a;
  context.font = FONT;
  return x < right ? Math.max(Math.min(x, right - context.measureText(text).width - 4), 4) : x;
}

/**
 * @param {Context} context
 * @param {Film} film
 * @param {Affine} toScreen
 * @param {Measurement[]} measurements
 */
export function drawMeasurements(context, film, toScreen, measurements) {
  for (const measurement of measurements) {
    const points = measurement.points.map(([row, col]) => mapped(toScreen, col, row));
    stroke(context, points, false, 2, MEASURE, []);
    for (const [x, y] of points) {
      const cross = [[x - TICK, y], [x + TICK, y]];
      stroke(context, cross, false, 1.5, MEASURE, []);
      stroke(context, cross.map(([cx]) => [x, y + cx - x]), false, 1.5, MEASURE, []);
    }
    const complete = measurement.points.length === (measurement.kind === "angle" ? 3 : 2);
    const [x, y] = points[points.length - 1];
    if (!complete) continue;
    const { text } = measured(film, measurement);
    label(context, text, within(context, text, x + 10), y - 8, MEASURE);
  }
}

/**
 * Mark the point that the keyboard moves.
 * @param {Context} context
 * @param {Affine} toScreen
 * @param {Point} point
 */
export function drawCrosshair(context, toScreen, [row, col]) {
  const [x, y] = mapped(toScreen, col, row);
  for (const [dx, dy] of [[1, 0], [0, 1], [-1, 0], [0, -1]]) {
    const line = [[x + 4 * dx, y + 4 * dy], [x + 18 * dx, y + 18 * dy]];
    stroke(context, line, false, 2, "#ffffff", []);
  }
}

/**
 * Draw a line with a dark casing, which is visible on black and on white.
 * @param {Context} context
 * @param {number[][]} points
 * @param {boolean} closed
 * @param {number} width
 * @param {string} colour
 * @param {number[]} dash
 * @param {boolean} [light]
 */
function stroke(context, points, closed, width, colour, dash, light = false) {
  context.beginPath();
  points.forEach(([x, y], k) => (k ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (closed) context.closePath();
  context.lineJoin = "miter";
  context.setLineDash(light ? dash : []);
  [context.strokeStyle, context.lineWidth] = [CASING, width + 2];
  context.stroke();
  context.setLineDash(dash);
  [context.strokeStyle, context.lineWidth] = [colour, width];
  context.stroke();
  context.setLineDash([]);
}

/**
 * Write a text with a dark outline.
 * @param {Context} context
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {string} colour
 */
export function label(context, text, x, y, colour) {
  context.font = FONT;
  context.lineJoin = "round";
  [context.strokeStyle, context.lineWidth] = ["rgb(0 0 0 / 85%)", 4];
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}

/**
 * The smallest shape with a box that contains a point of the stored grid, or null.
 * @param {Shape[]} shapes
 * @param {Point} point
 * @returns {Shape | null}
 */
export function shapeAt(shapes, [row, col]) {
  const area = (/** @type {Shape} */ { box }) => (box ? (box.bottom - box.top) * (box.right - box.left) : Infinity);
  const hit = shapes.filter(({ box }) => box && row >= box.top && row < box.bottom && col >= box.left && col < box.right);
  return hit.sort((a, b) => area(a) - area(b))[0] ?? null;
}
