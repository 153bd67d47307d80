// The loupe: a round part of the picture, enlarged under the pointer.

/** @import {Picture} from "./picture.js" */
/** @import {Context} from "./shapes.js" */
/** @import {Stage} from "./stage.js" */
/** @import {Affine} from "./view.js" */
import { loupeTarget } from "./target.js";

const EDGE = 200; // CSS pixels
const ENLARGED = 3;

/**
 * @param {Context} context
 * @param {Stage} stage
 * @param {Picture} picture
 * @param {Affine} toScreen
 * @param {{x: number, y: number}} at
 * @param {number} ratio
 */
export function drawLoupe(context, stage, picture, toScreen, { x, y }, ratio) {
  const target = loupeTarget(toScreen, x, y, EDGE, ENLARGED, ratio);
  const pixels = stage.raster(picture, target);
  const lens = document.createElement("canvas");
  [lens.width, lens.height] = [target.width, target.height];
  lens.getContext("2d")?.putImageData(new ImageData(pixels, target.width, target.height), 0, 0);
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
