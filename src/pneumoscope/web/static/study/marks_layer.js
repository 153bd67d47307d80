// The marks over the radiograph: drawn as SVG, made and changed by mouse and touch.

import { strings } from "../strings/en.js";
import { fill } from "../strings/fill.js";
import { corners, distance, markAt, moved, onFilm, pointMark, pointOf, rectangleOf, spanned, stored } from "./mark_geometry.js";

/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {import("../film/film.js").Film} Film */
/** @typedef {import("../viewport/view.js").Affine} Affine */
/** @typedef {import("./mark_geometry.js").Point} Point */
/** @typedef {{film: Film, toScreen: Affine}} Place */

const SVG = "http://www.w3.org/2000/svg";
const REACH = { mouse: 12, pen: 14, touch: 24 };
const CROSS = 9;
const HANDLE = 9;

/**
 * What a drag does: it makes a mark, moves one, or changes the rectangle of one.
 * @typedef {object} Drag
 * @property {number} pointer
 * @property {Point} from
 * @property {number} index  of the mark; -1 for a new one
 * @property {Mark} before
 * @property {Mark} now
 * @property {Point | null} anchor  the corner that stays where it is; null: the mark is moved
 */

/** Draws marks, and turns pointers into changes of marks. */
export class MarksLayer {
  /**
   * @param {HTMLElement} frame  holds the viewport; the layer lies over it
   * @param {object} options
   * @param {() => Place | null} options.place  the film and where it lies on the screen
   * @param {() => boolean} options.active  whether pointers mark
   * @param {(index: number, mark: Mark, made: boolean) => void} options.onChange  a mark was made or changed
   * @param {(index: number) => void} options.onSelect
   */
  constructor(frame, { place, active, onChange, onSelect }) {
    this.frame = frame;
    this.place = place;
    this.active = active;
    this.onChange = onChange;
    this.onSelect = onSelect;
    /** @type {readonly Mark[]} */
    this.marks = [];
    this.selected = -1;
    /** @type {Drag | null} */
    this.drag = null;
    this.svg = document.createElementNS(SVG, "svg");
    this.svg.setAttribute("class", "marks-layer");
    this.svg.setAttribute("aria-hidden", "true"); // the marks are a list in the form
    frame.append(this.svg);
    frame.addEventListener("pointerdown", (event) => this.down(event), { capture: true });
    frame.addEventListener("pointermove", (event) => this.move(event), { capture: true });
    frame.addEventListener("pointerup", (event) => this.up(event), { capture: true });
    frame.addEventListener("pointercancel", () => this.cancel(), { capture: true });
  }

  /**
   * Show marks.
   * @param {readonly Mark[]} marks
   * @param {number} selected  -1: none
   */
  show(marks, selected) {
    this.marks = marks;
    this.selected = selected;
    this.draw();
  }

  /** Draw the marks where the film lies now. */
  draw() {
    const place = this.place();
    const { drag } = this;
    const marks = drag ? replaced(this.marks, drag.index, drag.now) : this.marks;
    const selected = drag ? (drag.index < 0 ? marks.length - 1 : drag.index) : this.selected;
    this.svg.replaceChildren(...(place ? marks.map((mark, k) => drawn(place.toScreen, mark, k + 1, k === selected)) : []));
  }

  /** @param {PointerEvent} event */
  down(event) {
    const place = this.place();
    if (!place || !this.active()) return;
    // A second finger means zoom and pan, which are the viewport's.
    if (this.drag || !event.isPrimary) return this.cancel();
    if (event.button !== 0) return;
    const from = this.pointIn(event);
    this.drag = this.begun(place, event.pointerId, from, reachOf(event));
    if (this.drag) this.draw();
  }

  /**
   * @param {Place} place
   * @param {number} pointer
   * @param {Point} from
   * @param {number} reach
   * @returns {Drag | null}
   */
  begun({ film, toScreen }, pointer, from, reach) {
    const chosen = this.marks[this.selected];
    if (chosen?.region) {
      const corner = corners(rectangleOf(toScreen, chosen.region)).find(({ at }) => distance(at, from) <= reach);
      if (corner) return { pointer, from, index: this.selected, before: chosen, now: chosen, anchor: corner.opposite };
    }
    const index = markAt(toScreen, this.marks, from, reach);
    if (index >= 0) return { pointer, from, index, before: this.marks[index], now: this.marks[index], anchor: null };
    const [row, col] = stored(toScreen, from);
    if (!onFilm(film, row, col)) return null;
    const mark = pointMark(row, col);
    return { pointer, from, index: -1, before: mark, now: mark, anchor: from };
  }

  /** @param {PointerEvent} event */
  move(event) {
    const place = this.place();
    if (!this.drag || !place || event.pointerId !== this.drag.pointer) return;
    const at = this.pointIn(event);
    const { anchor, before, from } = this.drag;
    this.drag.now = anchor
      ? spanned(place.film, place.toScreen, before, anchor, at)
      : moved(place.film, place.toScreen, before, at.x - from.x, at.y - from.y);
    this.draw();
  }

  /** @param {PointerEvent} event */
  up(event) {
    const { drag } = this;
    if (!drag || event.pointerId !== drag.pointer) return;
    this.drag = null;
    const far = distance(drag.from, this.pointIn(event)) >= 3;
    if (drag.index < 0) this.onChange(this.marks.length, drag.now, true);
    else if (far) this.onChange(drag.index, drag.now, false);
    else this.onSelect(drag.index);
    this.draw();
  }

  cancel() {
    this.drag = null;
    this.draw();
  }

  /**
   * @param {PointerEvent} event
   * @returns {Point}
   */
  pointIn(event) {
    const box = this.frame.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
}

/** @param {PointerEvent} event */
function reachOf(event) {
  return event.pointerType === "touch" ? REACH.touch : event.pointerType === "pen" ? REACH.pen : REACH.mouse;
}

/**
 * @param {readonly Mark[]} marks
 * @param {number} index
 * @param {Mark} mark
 */
function replaced(marks, index, mark) {
  return index < 0 ? [...marks, mark] : marks.map((one, k) => (k === index ? mark : one));
}

/**
 * Draw one mark: a cross, its rectangle, its number with the confidence.
 * @param {Affine} toScreen
 * @param {Mark} mark
 * @param {number} number
 * @param {boolean} selected
 */
function drawn(toScreen, mark, number, selected) {
  const { x, y } = pointOf(toScreen, mark);
  const group = svg("g", { class: selected ? "mark selected" : "mark" });
  const cross = `M${x - CROSS} ${y}H${x - 3}M${x + 3} ${y}H${x + CROSS}M${x} ${y - CROSS}V${y - 3}M${x} ${y + 3}V${y + CROSS}`;
  const box = mark.region && rectangleOf(toScreen, mark.region);
  /** @type {[string, object][]} */
  const shapes = [["path", { d: cross }]];
  if (box) shapes.push(["rect", { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top }]);
  // Each line twice, dark below light, so that it is seen on black and on white.
  for (const layer of ["under", "over"]) {
    for (const [tag, attributes] of shapes) group.append(svg(tag, { ...attributes, class: layer }));
  }
  if (box && selected) group.append(...corners(box).map(({ at }) => handle(at)));
  const label = svg("text", { x: (box ? box.right : x + CROSS) + 4, y: (box ? box.top : y - CROSS) + 4 });
  const confidence = mark.rating === null ? "?" : mark.rating;
  label.textContent = fill(strings.study.reading.markLabel, { number, confidence });
  group.append(label);
  return group;
}

/** @param {Point} at */
function handle(at) {
  return svg("rect", { x: at.x - HANDLE / 2, y: at.y - HANDLE / 2, width: HANDLE, height: HANDLE, class: "handle" });
}

/**
 * @param {string} tag
 * @param {object} attributes
 */
function svg(tag, attributes) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}
