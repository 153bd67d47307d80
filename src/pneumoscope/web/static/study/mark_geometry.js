// Marks on the stored grid and on the screen: hit tests, moving, sizing.

import { inverse, mapped } from "../viewport/view.js";

/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {import("../film/film.js").Film} Film */
/** @typedef {import("../film/film.js").Box} Box */
/** @typedef {import("../viewport/view.js").Affine} Affine */
/** @typedef {{x: number, y: number}} Point */
/** @typedef {{left: number, top: number, right: number, bottom: number}} Rectangle  on the screen */

const SMALLEST_DRAG = 6;
const NEW_EDGE = 48;
const SMALLEST_EDGE = 8;

/**
 * Map a point of the screen to the stored grid, as [row, col].
 * @param {Affine} toScreen
 * @param {Point} point
 * @returns {[number, number]}
 */
export function stored(toScreen, { x, y }) {
  const [col, row] = mapped(inverse(toScreen), x, y);
  return [row, col];
}

/**
 * Whether a place lies on the film.
 * @param {Film} film
 * @param {number} row
 * @param {number} col
 */
export function onFilm(film, row, col) {
  return row >= 0 && row <= film.rows && col >= 0 && col <= film.cols;
}

/**
 * Where the point of a mark lies on the screen.
 * @param {Affine} toScreen
 * @param {Mark} mark
 * @returns {Point}
 */
export function pointOf(toScreen, mark) {
  const [x, y] = mapped(toScreen, mark.col, mark.row);
  return { x, y };
}

/**
 * Where the rectangle of a mark lies on the screen.
 * @param {Affine} toScreen
 * @param {Box} region
 * @returns {Rectangle}
 */
export function rectangleOf(toScreen, region) {
  const [ax, ay] = mapped(toScreen, region.left, region.top);
  const [bx, by] = mapped(toScreen, region.right, region.bottom);
  return { left: Math.min(ax, bx), right: Math.max(ax, bx), top: Math.min(ay, by), bottom: Math.max(ay, by) };
}

/**
 * Make a mark without a rectangle.
 * @param {number} row
 * @param {number} col
 * @returns {Mark}
 */
export function pointMark(row, col) {
  return { row, col, rating: null, region: null };
}

/**
 * Span the rectangle of a mark between two points of the screen; its point is the centre. A short drag is a click.
 * @param {Film} film
 * @param {Affine} toScreen
 * @param {Mark} mark
 * @param {Point} from
 * @param {Point} to
 * @returns {Mark}
 */
export function spanned(film, toScreen, mark, from, to) {
  if (Math.hypot(to.x - from.x, to.y - from.y) < SMALLEST_DRAG) return mark;
  const [r0, c0] = stored(toScreen, from);
  const [r1, c1] = stored(toScreen, to);
  return withRegion(film, mark, { top: Math.min(r0, r1), bottom: Math.max(r0, r1), left: Math.min(c0, c1), right: Math.max(c0, c1) });
}

/**
 * @param {Film} film
 * @param {Mark} mark
 * @param {Box} box
 * @returns {Mark}
 */
function withRegion(film, mark, box) {
  const region = { top: clamp(box.top, film.rows), bottom: clamp(box.bottom, film.rows), left: clamp(box.left, film.cols), right: clamp(box.right, film.cols) };
  if (region.bottom <= region.top || region.right <= region.left) return mark;
  return { ...mark, row: (region.top + region.bottom) / 2, col: (region.left + region.right) / 2, region };
}

/**
 * Move a mark by CSS pixels; it stays on the film as a whole.
 * @param {Film} film
 * @param {Affine} toScreen
 * @param {Mark} mark
 * @param {number} dx
 * @param {number} dy
 * @returns {Mark}
 */
export function moved(film, toScreen, mark, dx, dy) {
  const at = pointOf(toScreen, mark);
  const [row, col] = stored(toScreen, { x: at.x + dx, y: at.y + dy });
  const box = mark.region ?? { top: mark.row, bottom: mark.row, left: mark.col, right: mark.col };
  const down = Math.min(Math.max(row - mark.row, -box.top), film.rows - box.bottom);
  const across = Math.min(Math.max(col - mark.col, -box.left), film.cols - box.right);
  const region = mark.region && { top: box.top + down, bottom: box.bottom + down, left: box.left + across, right: box.right + across };
  return { ...mark, row: mark.row + down, col: mark.col + across, region };
}

/**
 * Make the rectangle of a mark wider and higher by CSS pixels; a mark without one gets one.
 * @param {Film} film
 * @param {Affine} toScreen
 * @param {Mark} mark
 * @param {number} wider
 * @param {number} higher
 * @returns {Mark}
 */
export function sized(film, toScreen, mark, wider, higher) {
  const { x, y } = pointOf(toScreen, mark);
  const now = mark.region ? rectangleOf(toScreen, mark.region) : { left: x - NEW_EDGE / 2, right: x + NEW_EDGE / 2, top: y - NEW_EDGE / 2, bottom: y + NEW_EDGE / 2 };
  const half = mark.region ? { x: wider / 2, y: higher / 2 } : { x: 0, y: 0 };
  const width = Math.max(now.right - now.left + 2 * half.x, SMALLEST_EDGE);
  const height = Math.max(now.bottom - now.top + 2 * half.y, SMALLEST_EDGE);
  const centre = { x: (now.left + now.right) / 2, y: (now.top + now.bottom) / 2 };
  const from = { x: centre.x - width / 2, y: centre.y - height / 2 };
  return spanned(film, toScreen, mark, from, { x: from.x + width, y: from.y + height });
}

/**
 * The corners of a rectangle, each with the corner opposite to it.
 * @param {Rectangle} rectangle
 * @returns {{at: Point, opposite: Point}[]}
 */
export function corners({ left, right, top, bottom }) {
  return [
    { at: { x: left, y: top }, opposite: { x: right, y: bottom } },
    { at: { x: right, y: top }, opposite: { x: left, y: bottom } },
    { at: { x: right, y: bottom }, opposite: { x: left, y: top } },
    { at: { x: left, y: bottom }, opposite: { x: right, y: top } },
  ];
}

/**
 * Find the mark under a point of the screen: the nearest point within reach, else the smallest rectangle around it.
 * @param {Affine} toScreen
 * @param {readonly Mark[]} marks
 * @param {Point} at
 * @param {number} reach  CSS pixels
 * @returns {number} -1 where there is none
 */
export function markAt(toScreen, marks, at, reach) {
  const near = marks.map((mark, index) => ({ index, away: distance(pointOf(toScreen, mark), at) })).filter(({ away }) => away <= reach);
  if (near.length) return near.reduce((best, one) => (one.away < best.away ? one : best)).index;
  const around = marks.flatMap((mark, index) => {
    const box = mark.region && rectangleOf(toScreen, mark.region);
    return box && inside(box, at) ? [{ index, area: (box.right - box.left) * (box.bottom - box.top) }] : [];
  });
  return around.length ? around.reduce((best, one) => (one.area < best.area ? one : best)).index : -1;
}

/**
 * @param {Point} one
 * @param {Point} other
 */
export function distance(one, other) {
  return Math.hypot(one.x - other.x, one.y - other.y);
}

/**
 * @param {Rectangle} box
 * @param {Point} at
 */
function inside(box, at) {
  return at.x >= box.left && at.x <= box.right && at.y >= box.top && at.y <= box.bottom;
}

/**
 * @param {number} value
 * @param {number} most
 */
function clamp(value, most) {
  return Math.min(Math.max(value, 0), most);
}
