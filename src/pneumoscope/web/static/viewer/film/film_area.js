/** The film: head, tools, and one or two viewports with a common view. */

import "../../viewport/px-viewport.js";

import { strings } from "../../strings/en.js";
import { Curtain } from "../compare/curtain.js";
import { button, fill, h, icon } from "../dom.js";
import { Toolbar } from "./toolbar.js";
import { PRESETS } from "../../film/grey.js";

const words = strings.viewer;
const SURROUNDINGS = 1.6; // width of what is shown over the width of a box

/** @import {Film, MapLayer, Shape} from "../../film/film.js" */
/** @import {Keymap} from "../keys/keymap.js" */
/** @typedef {"single"|"side"|"curtain"|"difference"} Mode */
/** @typedef {import("../../viewport/px-viewport.js").PxViewport} PxViewport */

/** Emits "select" (shape id), "step" (1 or −1), "back", "mode" and "action". */
export class FilmArea extends EventTarget {
  /** @param {Keymap} keymap */
  constructor(keymap) {
    super();
    /** @type {Mode} */
    this.mode = "single";
    /** @type {Film|null} */
    this.film = null;
    this.first = this.pane("first");
    this.second = this.pane("second");
    this.curtain = new Curtain();
    this.toolbar = new Toolbar(keymap, [...PRESETS]);
    this.title = h("h2", { class: "film-title" });
    this.badges = h("span", { class: "film-badges" });
    this.cover = h("div", { class: "cover", hidden: true });
    this.compareBar = h("div", { class: "compare-bar", hidden: true });
    this.captions = h("div", { class: "captions", hidden: true }, h("p"), h("p"));
    this.stage = h(
      "div",
      { class: "stage", "data-mode": "single" },
      this.first.frame,
      this.second.frame,
      this.curtain.element,
      this.cover,
    );
    this.second.frame.hidden = true;
    this.element = h(
      "section",
      { class: "film-area", "aria-label": words.film },
      h(
        "header",
        { class: "film-head" },
        button(words.backToList, () => this.emit("back"), { icon: "list", class: "back" }),
        button(words.previousFilm, () => this.emit("step", -1), { icon: "up" }),
        button(words.nextFilm, () => this.emit("step", 1), { icon: "down" }),
        this.title,
        this.badges,
        h("span", { class: "push" }),
        this.toolbar.mapTools,
      ),
      this.toolbar.element,
      this.compareBar,
      this.captions,
      this.stage,
    );
    this.listen();
  }

  /** @param {string} name */
  pane(name) {
    const viewport = /** @type {PxViewport} */ (document.createElement("px-viewport"));
    viewport.keys = {}; // the page has the keys, wherever the focus is
    return { viewport, frame: h("div", { class: `pane ${name}` }, viewport) };
  }

  get viewport() {
    return this.first.viewport;
  }

  get viewports() {
    return [this.first.viewport, this.second.viewport];
  }

  listen() {
    for (const [viewport, other] of [this.viewports, [...this.viewports].reverse()]) {
      viewport.addEventListener("viewchange", () => this.follow(viewport, other));
      viewport.addEventListener("windowchange", () => this.follow(viewport, other));
      viewport.addEventListener("select", (event) => this.emit("select", /** @type {CustomEvent} */ (event).detail));
      viewport.addEventListener("message", (event) => this.emit("message", /** @type {CustomEvent} */ (event).detail));
    }
    this.curtain.addEventListener("move", () => this.cutCurtain());
    this.toolbar.addEventListener("action", (event) => this.emit("action", /** @type {CustomEvent} */ (event).detail));
    this.toolbar.addEventListener("preset", (event) => this.viewport.preset(/** @type {CustomEvent} */ (event).detail));
    this.toolbar.addEventListener("mode", (event) => this.emit("mode", /** @type {CustomEvent} */ (event).detail));
  }

  /**
   * Give the other viewport the view and the window of the one that was moved.
   *
   * @param {PxViewport} from @param {PxViewport} to
   */
  follow(from, to) {
    this.toolbar.show({ invert: from.view?.invert === true, flip: from.view?.flip_h === true });
    if (this.following || (this.mode !== "side" && this.mode !== "curtain") || to.film === null || from.view === null) return;
    this.following = true;
    to.view = { ...from.view };
    to.window = from.window === null ? null : { ...from.window };
    this.following = false;
  }

  /** @param {string} label */
  showLoading(label) {
    this.title.textContent = label;
    fill(this.badges);
    for (const caption of this.captions.children) caption.textContent = "";
    for (const viewport of this.viewports) viewport.description = words.loadingFilm;
    this.showCover("spinner", words.loadingFilm, "");
  }

  /** @param {string} symbol @param {string} title @param {string} text @param {...HTMLElement} actions */
  showCover(symbol, title, text, ...actions) {
    this.cover.hidden = false;
    fill(this.cover, icon(symbol), h("h2", {}, title), text !== "" && h("p", {}, text), ...actions);
  }

  /** @param {HTMLElement|null} badge   how the film was decided */
  showBadge(badge) {
    fill(this.badges, badge);
  }

  /** @param {Film} film @param {string} label */
  showFilm(film, label) {
    this.film = film;
    this.title.textContent = label;
    this.cover.hidden = true;
    for (const viewport of this.viewports) viewport.film = film;
    this.toolbar.show({ tool: this.viewport.tool, invert: false, flip: false });
  }

  /** @param {Mode} mode */
  setMode(mode) {
    this.mode = mode;
    this.stage.dataset.mode = mode;
    const two = mode === "side" || mode === "curtain";
    this.second.frame.hidden = !two;
    this.curtain.element.hidden = mode !== "curtain";
    this.captions.hidden = !two;
    this.compareBar.hidden = mode === "single";
    this.cutCurtain();
    this.toolbar.show({ mode });
    if (two) requestAnimationFrame(() => requestAnimationFrame(() => this.align()));
  }

  /** Give both viewports one view, once they have their new sizes. */
  align() {
    if (this.viewport.fits) this.viewport.fit();
    this.follow(this.first.viewport, this.second.viewport);
  }

  /** Bring a box into the middle of the screen, with its surroundings. @param {import("../types.js").Box} box */
  zoomTo(box) {
    const { viewport } = this;
    const { clientWidth, clientHeight } = viewport;
    const scale = Math.min(clientWidth / (box.right - box.left), clientHeight / (box.bottom - box.top)) / SURROUNDINGS;
    viewport.view = { ...viewport.view, centre_row: (box.top + box.bottom) / 2, centre_col: (box.left + box.right) / 2, scale };
    this.follow(viewport, this.second.viewport);
  }

  cutCurtain() {
    this.second.frame.style.clipPath = this.mode === "curtain" ? `inset(0 0 0 ${100 * this.curtain.at}%)` : "";
  }

  /** @param {import("../panels/map_panel.js").MapState} state */
  setMap(state) {
    const whole = this.mode === "difference" || state.whole;
    const contours = state.contours && this.mode !== "difference";
    this.first.viewport.mapState = { ...this.first.viewport.mapState, ...state, whole, contours };
    this.second.viewport.mapState = { ...this.second.viewport.mapState, ...state, threshold: null }; // the other map has its own unit
    this.toolbar.show({ map_toggle: state.visible });
  }

  /** @param {Shape[]} first @param {Shape[]} second @param {string|null} selected */
  setShapes(first, second, selected) {
    this.first.viewport.shapes = first;
    this.second.viewport.shapes = second;
    this.select(selected);
  }

  /** @param {string|null} id */
  select(id) {
    this.viewport.selected = id;
  }

  /** @param {MapLayer|null} first @param {MapLayer|null} second */
  setLayers(first, second) {
    this.first.viewport.layers = first === null ? [] : [first];
    this.second.viewport.layers = second === null ? [] : [second];
  }

  /**
   * Say whose maps the two viewports show, and what each model answered.
   *
   * @param {MapLayer[]} layers @param {import("../types.js").Reading[]} readings
   */
  showCaptions(layers, readings) {
    for (const [index, layer] of layers.entries())
      this.captions.children[index].textContent = words.compare.side(index, layer.name, readings[index]);
  }

  /**
   * Make a picture of the whole film, with its map even where the map is hidden on screen.
   *
   * @param {boolean} withMap @param {string[]} caption   lines below the film
   * @returns {Promise<Blob>}   PNG
   */
  async picture(withMap, caption) {
    const { viewport } = this;
    const before = viewport.mapState;
    viewport.mapState = { ...before, visible: withMap };
    try {
      return await viewport.toBlob({ withMap, caption });
    } finally {
      viewport.mapState = before;
    }
  }

  /** @param {string} name @param {any} [detail] */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
