// The loupe: a round part of the picture, enlarged under the pointer.

/** @import {Picture} from "./picture.js" */
/** @import {Context} from "./shapes.js" */
/** @import {Stage} from "./stage.js" */
/** @import {Affine} from "./view.js" */
import { loupeTarget } from "./target.js";

const EDGE = 200; // CSS pixels
const ENLARGED = 3;

const ABOVE = 120; // CSS pixels from a finger to the middle of the lens, which it would hide

/**
 * The pointer over a viewport, in CSS pixels.
 * @typedef {{x: number, y: number, finger: boolean}} Pointer
 */

/**
 * @param {Context} context
 * @param {Stage} stage
 * @param {Picture} picture
 * @param {Affine} toScreen
 * @param {Pointer} pointer
 * @param {number} ratio
 */
export function drawLoupe(context, stage, picture, toScreen, { x, y, finger }, ratio) {
  const target = loupeTarget(toScreen, x, y, EDGE, ENLARGED, ratio);
  const lens = document.createElement("canvas");
  [lens.width, lens.height] = [target.width, target.height];
  const pixels = new ImageData(stage.raster(picture, target), target.width, target.height);
  lens.getContext("2d")?.putImageData(pixels, 0, 0);
  const middle = finger ? y + (y < ABOVE + EDGE / 2 ? ABOVE : -ABOVE) : y;
  round(context, lens, x, middle);
  if (finger) cross(context, x, middle);
}

/**
 * @param {Context} context
 * @param {HTMLCanvasElement} lens
 * @param {number} x
 * @param {number} y
 */
function round(context, lens, x, y) {
  context.save();
  context.beginPath();
  context.arc(x, y, EDGE / 2, 0, 2 * Math.PI);
  context.save();
  context.clip();
  context.drawImage(lens, x - EDGE / 2, y - EDGE / 2, EDGE, EDGE);
  context.restore();
  [context.strokeStyle, context.lineWidth] = ["#ffffff", 2];
  context.stroke();
  context.restore();
}

/**
 * @param {Context} context
 * @param {number} x
 * @param {number} y
 */
function cross(context, x, y) {
  context.beginPath();
  context.moveTo(x - 8, y);
  context.lineTo(x + 8, y);
  context.moveTo(x, y - 8);
  context.lineTo(x, y + 8);
  [context.strokeStyle, context.lineWidth] = ["#ffd54a", 1.5];
  context.stroke();
}
