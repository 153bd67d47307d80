// What a viewport says about its picture, on the picture: letters of the patient's directions, marks of what was changed, and the
// colour bar of a heat map.

/** @import {Film, MapLayer} from "../film/film.js" */
/** @import {Window} from "../film/grey.js" */
/** @import {MapState} from "./picture.js" */
/** @import {Context} from "./shapes.js" */
/** @import {Size, View} from "./view.js" */
import { byUser, turnedLetters } from "../film/orientation.js";
import { cellSize } from "../film/placement.js";
import { strings } from "../strings/en.js";
import { fill } from "../strings/fill.js";
import { colourIndex, css } from "./colours.js";
import { thresholdOf } from "./picture.js";
import { label } from "./shapes.js";

const texts = strings.viewport;
const WHITE = "#ffffff";
const MUTED = "#cfd6dd";
const LINE = 18;
const MARGIN = 10;
const BAR = { width: 14, height: 180 };

/**
 * @param {Context} context
 * @param {Film} film
 * @param {View} view
 * @param {Size} size
 */
export function drawLetters(context, { orientation }, view, { width, height }) {
  const letters = turnedLetters(orientation, byUser(view.rotation, view.flip_h));
  context.textBaseline = "middle";
  context.textAlign = "left";
  label(context, letters.left, MARGIN, height / 2, WHITE);
  context.textAlign = "right";
  label(context, letters.right, width - MARGIN, height / 2, WHITE);
  context.textAlign = "center";
  label(context, letters.top, width / 2, MARGIN + 6, WHITE);
  label(context, letters.bottom, width / 2, height - MARGIN - 6, WHITE);
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
}

/**
 * Whether the lower edge has no room for the window, the letter and the scale on one line.
 * @param {Size} size
 */
function narrow({ width }) {
  return width < 640;
}

/**
 * The baseline of a line of text at the lower edge, counted from below; on a narrow screen the letter has a line of its own.
 * @param {Size} size
 * @param {number} number
 */
function line(size, number) {
  return size.height - MARGIN - (number + (narrow(size) ? 1 : 0)) * LINE;
}

/**
 * What was changed about the picture, and what its pixels lack.
 * @param {Film} film
 * @param {View} view
 * @returns {string[]}
 */
export function remarks(film, view) {
  return [
    view.flip_h ? texts.flipped : "",
    view.rotation ? fill(texts.rotated, { degrees: view.rotation }) : "",
    view.invert ? texts.inverted : "",
    film.lossy ? texts.lossy : "",
  ].filter(Boolean);
}

/**
 * The window as text.
 * @param {Window | null} window
 */
export function windowText(window) {
  if (!window) return texts.initial_window;
  return fill(texts.window, { centre: compact(window.centre), width: compact(window.width) });
}

/**
 * @param {Context} context
 * @param {Film} film
 * @param {View} view
 * @param {Window | null} window
 * @param {Size} size
 * @param {number} ratio  pixels of the device for a CSS pixel
 */
export function drawRemarks(context, film, view, window, size, ratio) {
  remarks(film, view).forEach((text, k) => label(context, text, MARGIN, MARGIN + 12 + k * LINE, "#ffcf5c"));
  const zoom = fill(texts.zoom, { percent: Math.round(view.scale * ratio * 100) });
  label(context, `${windowText(window)} · ${zoom}`, MARGIN, line(size, 0), MUTED);
}

/**
 * Draw a line of a round length in millimetres, with the kind of calibration; nothing where the film states no spacing.
 * @param {Context} context
 * @param {Film} film
 * @param {View} view
 * @param {Size} size
 */
export function drawScale(context, { spacing }, view, size) {
  if (!spacing) return;
  const perMm = view.scale / spacing.col_mm; // CSS pixels, along and across: the screen shows the film's true aspect
  const value = roundLength((0.2 * size.width) / perMm);
  const [right, below] = [size.width - MARGIN, line(size, narrow(size) ? 1 : 0)];
  const y = below - LINE;
  const left = right - value * perMm;
  for (const [colour, thickness] of /** @type {const} */ ([["#000000", 5], [WHITE, 2]])) {
    context.beginPath();
    context.moveTo(left, y - 5);
    context.lineTo(left, y);
    context.lineTo(right, y);
    context.lineTo(right, y - 5);
    [context.strokeStyle, context.lineWidth] = [colour, thickness];
    context.stroke();
  }
  context.textAlign = "right";
  label(context, fill(texts.length, { value: compact(value), kind: texts.spacing[spacing.kind] }), right, below, MUTED);
  context.textAlign = "left";
}

/**
 * The largest of 1, 2, 5, 10, 20, 50 … that is at most a length.
 * @param {number} most
 */
export function roundLength(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return ([5, 2].find((step) => step * power <= most) ?? 1) * power;
}

/**
 * The box of the colour bar on the screen: on the right, above the letter of the edge.
 * @param {Size} size
 */
export function barBox({ width, height }) {
  const below = height / 2 - 2 * LINE;
  const length = Math.max(40, Math.min(BAR.height, below - 2 * LINE));
  return { left: width - MARGIN - BAR.width, top: Math.max(below - length, LINE), width: BAR.width, height: length };
}

/**
 * Draw the colours of a layer from its smallest to its largest value, with the threshold and the size of a cell.
 * @param {Context} context
 * @param {Film} film
 * @param {MapLayer} layer
 * @param {MapState} map
 * @param {Size} size
 */
export function drawColourBar(context, film, layer, map, size) {
  const bar = barBox(size);
  const least = layer.colours === "diverging" ? -layer.full_scale : 0;
  const valueOf = (/** @type {number} */ share) => least + share * (layer.full_scale - least);
  const threshold = thresholdOf(layer, map);
  for (let y = 0; y < bar.height; y++) {
    const value = valueOf(1 - (y + 0.5) / bar.height);
    const strength = layer.colours === "diverging" ? Math.abs(value) : value;
    context.fillStyle = css(layer.colours ?? "inferno", colourIndex(value, layer.full_scale, layer.colours ?? "inferno"));
    const coloured = map.whole || strength >= threshold;
    context.fillRect(bar.left + (coloured ? 0 : bar.width - 3), bar.top + y, coloured ? bar.width : 3, y < bar.height - 1 ? 1.5 : 1);
  }
  outline(context, bar);
  ticks(context, bar, layer, threshold, least);
  captions(context, film, layer, map, size);
}

/**
 * @param {Context} context
 * @param {ReturnType<typeof barBox>} bar
 */
function outline(context, bar) {
  [context.strokeStyle, context.lineWidth] = [WHITE, 1];
  context.strokeRect(bar.left - 0.5, bar.top - 0.5, bar.width + 1, bar.height + 1);
}

/**
 * @param {Context} context
 * @param {ReturnType<typeof barBox>} bar
 * @param {MapLayer} layer
 * @param {number} threshold
 * @param {number} least
 */
function ticks(context, bar, layer, threshold, least) {
  context.textAlign = "right";
  context.textBaseline = "middle";
  const at = (/** @type {number} */ value) => bar.top + (1 - share(value, least, layer.full_scale)) * bar.height;
  const close = 14;
  for (const value of least < 0 ? [least, 0, layer.full_scale] : [0, layer.full_scale]) {
    if (Math.abs(at(value) - at(threshold)) > close) label(context, compact(value), bar.left - 8, at(value), MUTED);
  }
  const y = at(threshold);
  context.fillStyle = WHITE;
  context.beginPath();
  context.moveTo(bar.left - 1, y);
  context.lineTo(bar.left - 8, y - 5);
  context.lineTo(bar.left - 8, y + 5);
  context.fill();
  context.fillRect(bar.left, y - 1, bar.width, 2);
  label(context, fill(texts.threshold, { value: compact(threshold) }), bar.left - 12, y, WHITE);
}

/**
 * What the colours mean, in the lower right corner, above the scale.
 * @param {Context} context
 * @param {Film} film
 * @param {MapLayer} layer
 * @param {MapState} map
 * @param {Size} size
 */
function captions(context, film, layer, map, size) {
  const { height, width, unit } = cellSize(film, layer);
  const lines = [layer.unit, fill(texts.cells, { height: compact(height), width: compact(width), unit })];
  if (map.unseen) lines.push(texts.not_looked);
  const bottom = line(size, (narrow(size) ? 1 : 0) + (film.spacing ? 2 : 0));
  context.textAlign = "right";
  context.textBaseline = "alphabetic";
  lines.reverse().forEach((text, k) => label(context, text, size.width - MARGIN, bottom - k * LINE, MUTED));
  context.textAlign = "left";
}

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
function share(value, least, most) {
  return Math.min(Math.max((value - least) / (most - least), 0), 1);
}

/**
 * The threshold at a height of the colour bar.
 * @param {MapLayer} layer
 * @param {Size} size
 * @param {number} y
 */
export function thresholdAt(layer, size, y) {
  const bar = barBox(size);
  const least = layer.colours === "diverging" ? -layer.full_scale : 0;
  const value = least + (1 - Math.min(Math.max((y - bar.top) / bar.height, 0), 1)) * (layer.full_scale - least);
  return layer.colours === "diverging" ? Math.abs(value) : value;
}

/**
 * A number with three significant digits, without an exponent for usual sizes.
 * @param {number} value
 */
export function compact(value) {
  if (Math.abs(value) >= 1000) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
