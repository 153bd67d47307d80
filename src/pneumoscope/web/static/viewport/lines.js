// All that is drawn over a film on the screen: regions, measurements, letters, remarks, scale and colour bar.

/** @import {Shape} from "../film/film.js" */
/** @import {Window} from "../film/grey.js" */
/** @import {Measurement} from "./measurements.js" */
/** @import {Picture} from "./picture.js" */
/** @import {Context} from "./shapes.js" */
/** @import {Affine, Size, View} from "./view.js" */
import { drawColourBar, drawLetters, drawRemarks, drawScale } from "./legend.js";
import { drawMeasurements, drawShapes } from "./shapes.js";

/**
 * A picture on the screen, with what belongs to it.
 * @typedef {object} Scene
 * @property {Picture} picture
 * @property {Affine} toScreen
 * @property {Size} size  in CSS pixels
 * @property {number} ratio  pixels of the device for a CSS pixel
 * @property {Shape[]} shapes
 * @property {string | null} selected
 * @property {View} view
 * @property {Window | null} window
 * @property {Measurement[]} measurements
 */

/**
 * @param {Context} context
 * @param {Scene} scene
 */
export function drawLines(context, { picture, toScreen, size, ratio, shapes, selected, view, window, measurements }) {
  const { film, layers, map } = picture;
  drawShapes(context, toScreen, shapes, selected);
  drawMeasurements(context, film, toScreen, measurements);
  drawLetters(context, film, view, size);
  drawRemarks(context, film, view, window, size, ratio);
  drawScale(context, film, view, size);
  if (layers.length) drawColourBar(context, film, layers[0], map, size);
}
