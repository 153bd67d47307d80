// Draw pictures on a 2-D canvas: the fallback where WebGL2 is missing, lost, or too small for a film. The arithmetic is that of
// the shaders.

/** @import {Picture, Renderer, Target} from "./picture.js" */
import { blend } from "./blend.js";

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {Renderer}
 */
export function canvasRenderer(canvas) {
  const context = canvas.getContext("2d", { alpha: false });
  if (!context) throw new Error("no 2-D canvas");
  const greys = cachedGreys();
  return {
    canvas,
    kind: "2d",
    accepts: () => true,
    draw(picture, target) {
      const pixels = composed(picture, target, greys(picture, target));
      context.putImageData(new ImageData(pixels, target.width, target.height), 0, 0);
    },
    raster: (picture, target) => composed(picture, target, greyRaster(picture, target)),
    dispose() {},
  };
}

/** Keep the greys of the last target: a change of the heat map leaves them. */
function cachedGreys() {
  /** @type {{table: Float32Array, key: string, greys: Uint8Array} | null} */
  let last = null;
  return (/** @type {Picture} */ picture, /** @type {Target} */ target) => {
    const key = [target.width, target.height, target.smooth, ...target.toFilm].join();
    if (last?.table !== picture.table || last.key !== key) {
      last = { table: picture.table, key, greys: greyRaster(picture, target) };
    }
    return last.greys;
  };
}

/**
 * The greys of a target: each pixel is the mean over its area on the film; black outside of the film.
 * @param {Picture} picture
 * @param {Target} target
 * @returns {Uint8Array}
 */
function greyRaster({ film, table }, target) {
  const greys = new Uint8Array(target.width * target.height);
  const sideways = target.toFilm[0] === 0; // the film's rows run along the target's columns
  const [alongX, alongY] = sideways
    ? [spans(target, "x", "row", film.rows), spans(target, "y", "col", film.cols)]
    : [spans(target, "x", "col", film.cols), spans(target, "y", "row", film.rows)];
  const [stepX, stepY] = sideways ? [film.cols, 1] : [1, film.cols];
  for (let y = 0; y < target.height; y++) {
    if (alongY.first[y] < 0) continue;
    for (let x = 0; x < target.width; x++) {
      if (alongX.first[x] < 0) continue;
      const mean = areaMean(film.levels, table, alongX, x, stepX, alongY, y, stepY);
      greys[y * target.width + x] = Math.round(mean * 255);
    }
  }
  return greys;
}

/**
 * For each pixel along an axis of the target: the first and the last pixel of the film in its extent, and the extent itself.
 * @typedef {{first: Int32Array, last: Int32Array, low: Float64Array, high: Float64Array}} Spans
 */

/**
 * @param {Target} target
 * @param {"x" | "y"} axis  of the target
 * @param {"row" | "col"} along  axis of the film that belongs to it
 * @param {number} count  of the film's pixels along it
 * @returns {Spans}
 */
function spans({ width, height, toFilm: [a, b, c, d, e, f], smooth }, axis, along, count) {
  const length = axis === "x" ? width : height;
  const step = axis === "x" ? (along === "col" ? a : b) : along === "col" ? c : d;
  const offset = along === "col" ? e : f;
  const half = Math.max(Math.abs(step), smooth ? 1 : 0) / 2;
  const [first, last] = [new Int32Array(length).fill(-1), new Int32Array(length)];
  const [low, high] = [new Float64Array(length), new Float64Array(length)];
  for (let k = 0; k < length; k++) {
    const at = (k + 0.5) * step + offset;
    if (at < 0 || at >= count) continue;
    [low[k], high[k]] = [Math.max(at - half, 0), Math.min(at + half, count)];
    first[k] = Math.floor(low[k]);
    last[k] = Math.min(Math.ceil(high[k]), count) - 1;
  }
  return { first, last, low, high };
}

/**
 * @param {Uint16Array} levels
 * @param {Float32Array} table
 * @param {Spans} acrossSpans
 * @param {number} x
 * @param {number} stepX
 * @param {Spans} downSpans
 * @param {number} y
 * @param {number} stepY
 */
function areaMean(levels, table, acrossSpans, x, stepX, downSpans, y, stepY) {
  let [sum, weights] = [0, 0];
  for (let j = downSpans.first[y]; j <= downSpans.last[y]; j++) {
    const weightY = Math.min(downSpans.high[y], j + 1) - Math.max(downSpans.low[y], j);
    for (let i = acrossSpans.first[x]; i <= acrossSpans.last[x]; i++) {
      const weight = weightY * (Math.min(acrossSpans.high[x], i + 1) - Math.max(acrossSpans.low[x], i));
      sum += weight * table[levels[j * stepY + i * stepX]];
      weights += weight;
    }
  }
  return weights ? sum / weights : 0;
}

/**
 * Blend the layers over the greys.
 * @param {Picture} picture
 * @param {Target} target
 * @param {Uint8Array} greys
 * @returns {Uint8ClampedArray<ArrayBuffer>}
 */
function composed(picture, target, greys) {
  const pixels = new Uint8ClampedArray(greys.length * 4);
  for (let k = 0; k < greys.length; k++) {
    pixels[4 * k] = pixels[4 * k + 1] = pixels[4 * k + 2] = greys[k];
    pixels[4 * k + 3] = 255;
  }
  for (const layer of picture.layers) blend(pixels, picture, layer, target);
  return pixels;
}
