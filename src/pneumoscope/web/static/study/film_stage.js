// The radiograph on the screen with the reader's marks and the aid.

import { greyRange } from "./grey_range.js";
import { Aid } from "./aid.js";
import { MarksLayer } from "./marks_layer.js";
import { toScreen } from "../viewport/view.js";

/** @typedef {import("../film/film.js").Film} Film */
/** @typedef {import("../viewport/px-viewport.js").PxViewport} PxViewport */
/** @typedef {import("../viewport/keys.js").Action} Action */
/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {import("./types.js").Screen} Screen */
/** @typedef {"point" | "window" | "pan"} Tool */

/** The viewport with marks and aid. */
export class FilmStage {
  /**
   * @param {object} parts
   * @param {PxViewport} parts.viewport
   * @param {HTMLElement} parts.frame  holds the viewport
   * @param {HTMLElement} parts.beside  holds an aid that does not fit on the radiograph
   * @param {(index: number, mark: Mark, made: boolean) => void} parts.onMark
   * @param {(index: number) => void} parts.onSelect
   */
  constructor({ viewport, frame, beside, onMark, onSelect }) {
    this.viewport = viewport;
    this.frame = frame;
    this.viewport.keys = {};
    this.marking = false;
    this.aid = new Aid(frame, beside);
    this.layer = new MarksLayer(frame, {
      place: () => this.place,
      active: () => this.marking && this.tool === "point",
      onChange: onMark,
      onSelect,
    });
    viewport.addEventListener("viewchange", () => this.laid());
    new ResizeObserver(() => this.laid()).observe(frame);
  }

  /** The film and where it lies; null without a film. */
  get place() {
    const { film, view } = this.viewport;
    const { clientWidth: width, clientHeight: height } = this.viewport;
    return film ? { film, toScreen: toScreen(film, view, { width, height }) } : null;
  }

  /** @returns {Tool} */
  get tool() {
    return /** @type {Tool} */ (this.viewport.tool);
  }

  /** @param {Tool} tool */
  set tool(tool) {
    this.viewport.tool = tool;
  }

  /** What is on the screen, for the trail. @returns {Screen} */
  get screen() {
    const { film, view, window } = this.viewport;
    const share = film && window ? greyRange(film).share(window) : { centre: null, width: null };
    return {
      window_centre: share.centre,
      window_width: share.width,
      inverted: view.invert,
      zoom: film ? view.scale : null,
      overlay_opacity: this.aid.shown,
    };
  }

  /**
   * Show a radiograph in its initial view.
   * @param {Film} film
   * @param {Blob | null} aid
   * @param {boolean} marking  whether the study asks for marks
   */
  async show(film, aid, marking) {
    this.marking = marking;
    this.aid.clear(this.frame);
    if (this.viewport.film !== film) this.viewport.film = film;
    this.tool = marking ? "point" : "window";
    if (aid) await this.aid.show(aid, film);
    await painted();
    this.laid();
  }

  /** Remove the radiograph. */
  clear() {
    this.aid.clear(this.frame);
    this.viewport.film = null;
    this.viewport.shapes = [];
    this.layer.show([], -1);
  }

  /** Draw marks and aid where the film lies now. */
  laid() {
    const { place } = this;
    if (place) this.aid.lay(place.film, place.toScreen);
    this.layer.draw();
  }

  /**
   * @param {Action} action
   */
  act(action) {
    this.viewport.handleKey(action);
  }

  /**
   * The place of the film in the middle of the view.
   * @returns {[number, number]}
   */
  get middle() {
    return [this.viewport.view.centre_row, this.viewport.view.centre_col];
  }
}

/** Wait until what was set is on the screen; a page in the background does not paint, and does not wait. */
function painted() {
  if (document.hidden) return Promise.resolve();
  return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(undefined))));
}
