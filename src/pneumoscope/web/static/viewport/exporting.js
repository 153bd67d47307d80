// A picture of the whole film as a file, at the film's resolution: with heat map, regions, colour bar and lines of text.

/** @import {Shape} from "../film/film.js" */
/** @import {Measurement} from "./measurements.js" */
/** @import {Picture} from "./picture.js" */
/** @import {Stage} from "./stage.js" */
/** @import {View} from "./view.js" */
import { drawColourBar, drawLetters, drawScale, remarks } from "./legend.js";
import { drawMeasurements, drawShapes, label } from "./shapes.js";
import { filmTarget } from "./target.js";
import { extent, prescaled } from "./view.js";

/**
 * What is drawn over the film and below it.
 * @typedef {object} Annotations
 * @property {View} view
 * @property {Shape[]} shapes
 * @property {string | null} selected
 * @property {Measurement[]} measurements
 * @property {string[]} caption  lines of text below the picture
 */

const USUAL_EDGE = 900; // the edge of a film for which lines and letters have the size that they have on a screen
const LARGEST_AREA = 16_700_000; // pixels that a canvas may have on every browser
const CAPTION_LINE = 20;

/**
 * @param {Stage} stage
 * @param {Picture} picture
 * @param {Annotations} annotations
 * @returns {Promise<Blob>} PNG
 */
export async function toPng(stage, picture, annotations) {
  const canvas = drawn(stage, picture, annotations);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("the browser could not write the picture"))), "image/png");
  });
}

/**
 * @param {Stage} stage
 * @param {Picture} picture
 * @param {Annotations} annotations
 */
function drawn(stage, picture, { view, shapes, selected, measurements, caption }) {
  const { film } = picture;
  const { target, fromFilm } = filmTarget(film, view, true);
  const shrink = Math.min(1, Math.sqrt(LARGEST_AREA / (target.width * target.height)));
  const [width, height] = [Math.floor(target.width * shrink), Math.floor(target.height * shrink)];
  const zoom = Math.max(1, Math.max(width, height) / USUAL_EDGE);
  const toFilm = prescaled(target.toFilm, target.width / width);
  const line = Math.max(2, Math.round(2 * zoom));
  const pixels = stage.raster(picture, { ...target, width, height, toFilm, line, hatch: Math.round(9 * zoom) });

  const canvas = document.createElement("canvas");
  const below = caption.length ? (caption.length * CAPTION_LINE + 12) * zoom : 0;
  [canvas.width, canvas.height] = [width, Math.round(height + below)];
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no 2-D canvas");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.putImageData(new ImageData(pixels, width, height), 0, 0);
  context.scale(zoom, zoom);
  const toCanvas = fromFilm.map((entry) => (entry * width) / target.width / zoom);
  const size = { width: width / zoom, height: height / zoom };
  drawShapes(context, /** @type {typeof fromFilm} */ (toCanvas), shapes, selected);
  drawMeasurements(context, film, /** @type {typeof fromFilm} */ (toCanvas), measurements);
  drawLetters(context, film, view, size);
  drawScale(context, film, { ...view, scale: size.width / extent(film, view).width }, size);
  picture.layers.slice(0, 1).forEach((layer) => drawColourBar(context, film, layer, picture.map, size));
  remarks(film, view).forEach((text, k) => label(context, text, 10, 22 + k * 18, "#ffcf5c"));
  caption.forEach((text, k) => label(context, text, 10, size.height + (k + 1) * CAPTION_LINE, "#ffffff"));
  return canvas;
}
