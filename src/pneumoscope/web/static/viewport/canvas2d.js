// Draw pictures on a 2-D canvas: the fallback where WebGL2 is missing, lost, or too small for a film. The arithmetic is that of
// the shaders.

/** @import {MapLayer} from "../film/film.js" */
/** @import {Picture, Renderer, Target} from "./picture.js" */
import { covers, lookedAt, toSquare, valueAt } from "../film/placement.js";
import { COLOURS, colourIndex } from "./colours.js";
import { HATCH, thresholdOf } from "./picture.js";
import { mapped } from "./view.js";

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

/**
 * @param {Uint8ClampedArray} pixels
 * @param {Picture} picture
 * @param {MapLayer} layer
 * @param {Target} target
 */
function blend(pixels, picture, layer, target) {
  const { film, map } = picture;
  const inside = insideTest(picture, layer, target);
  for (let y = 0; y < target.height; y++) {
    for (let x = 0; x < target.width; x++) {
      const [col, row] = mapped(target.toFilm, x + 0.5, y + 0.5);
      if (col < 0 || row < 0 || col >= film.cols || row >= film.rows) continue;
      const colour = colourAt(picture, layer, row, col);
      const at = 4 * (y * target.width + x);
      if (!colour) {
        if (map.unseen && (x + y) % target.hatch < Math.max(1, target.line >> 1)) mixIn(pixels, at, HATCH, 0, HATCH[3]);
      } else if (map.contours && inside(x, y) && onBorder(inside, x, y, target.line)) {
        pixels.fill(255, at, at + 3);
      } else if (colour.index >= 0) {
        mixIn(pixels, at, COLOURS[layer.colours ?? "inferno"], 3 * colour.index, map.opacity);
      }
    }
  }
}

/**
 * The index of the colour at a point, −1 where it is below the threshold; null where the model did not look.
 * @param {Picture} picture
 * @param {MapLayer} layer
 * @param {number} row
 * @param {number} col
 */
function colourAt({ film, map }, layer, row, col) {
  if (!covers(layer, row, col)) return null;
  const [across, down] = toSquare(layer, film.orientation, row, col);
  if (!lookedAt(layer, across, down)) return null;
  const value = valueAt(layer, across, down, map.smooth);
  const coloured = map.whole || strength(layer, value) >= thresholdOf(layer, map);
  return { index: coloured ? colourIndex(value, layer.full_scale, layer.colours ?? "inferno") : -1 };
}

/**
 * What is compared with the threshold: the value, or for a diverging map its amount.
 * @param {MapLayer} layer
 * @param {number} value
 */
function strength(layer, value) {
  return layer.colours === "diverging" ? Math.abs(value) : value;
}

/**
 * Whether a pixel of the target is at or above the threshold; what is outside of the film counts as inside.
 * @param {Picture} picture
 * @param {MapLayer} layer
 * @param {Target} target
 */
function insideTest({ film, map }, layer, target) {
  const threshold = thresholdOf(layer, map);
  return (/** @type {number} */ x, /** @type {number} */ y) => {
    const [col, row] = mapped(target.toFilm, x + 0.5, y + 0.5);
    if (col < 0 || row < 0 || col >= film.cols || row >= film.rows) return true;
    if (!covers(layer, row, col)) return 0 >= threshold;
    const [across, down] = toSquare(layer, film.orientation, row, col);
    return strength(layer, valueAt(layer, across, down, map.smooth)) >= threshold;
  };
}

/**
 * Whether a pixel is not inside that is at most `reach` steps away.
 * @param {(x: number, y: number) => boolean} inside
 * @param {number} x
 * @param {number} y
 * @param {number} reach
 */
function onBorder(inside, x, y, reach) {
  for (let dy = -reach; dy <= reach; dy++) {
    const width = reach - Math.abs(dy);
    for (let dx = -width; dx <= width; dx++) if (!inside(x + dx, y + dy)) return true;
  }
  return false;
}

/**
 * @param {Uint8ClampedArray} pixels
 * @param {number} at
 * @param {ArrayLike<number>} colours
 * @param {number} from
 * @param {number} opacity
 */
function mixIn(pixels, at, colours, from, opacity) {
  for (let k = 0; k < 3; k++) pixels[at + k] += (colours[from + k] - pixels[at + k]) * opacity;
}
