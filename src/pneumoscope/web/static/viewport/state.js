// What a viewport shows and how: film, maps, regions, view and window, with the events that tell its owner of a change.

/** @import {Film, MapLayer, Shape} from "../film/film.js" */
/** @import {Preset, Window} from "../film/grey.js" */
/** @import {MapState} from "./picture.js" */
/** @import {Size, View} from "./view.js" */
import { greyTable, presetWindow, startWindow, valueRange } from "../film/grey.js";
import { strings } from "../strings/en.js";
import { fill } from "../strings/fill.js";
import { compact, windowText } from "./legend.js";
import { INITIAL_MAP_STATE, thresholdOf } from "./picture.js";
import { fitted, initialView, panned, rotated, zoomed } from "./view.js";

const texts = strings.viewport;
const DRAG_PX = 400; // CSS pixels of a drag that go through the range of the film's values

/** @type {View} */
const NO_VIEW = { centre_row: 0, centre_col: 0, scale: 1, rotation: 0, flip_h: false, invert: false };

/** The state of a viewport. Setting a property tells nobody; what a user does, and every method, sends an event. */
export class ViewportState extends HTMLElement {
  /** The preset that was chosen last. @type {Preset} */
  lastPreset = "initial";
  /** @type {Size} */
  size = { width: 0, height: 0 };
  /** @type {Film | null} */
  #film = null;
  /** @type {MapLayer[]} */
  #layers = [];
  /** @type {Shape[]} */
  #shapes = [];
  /** @type {View} */
  #view = NO_VIEW;
  /** @type {Window | null} */
  #window = null;
  /** @type {MapState} */
  #map = { ...INITIAL_MAP_STATE };
  /** @type {string | null} */
  #selected = null;
  /** @type {Float32Array | null} */
  #table = null;
  #fits = true;
  #held = false;
  #smooth = true;

  /** Draw soon. The element overrides this. */
  redraw() {}

  /**
   * Say a text to a screen reader. The element overrides this.
   * @param {string} text
   */
  announce(text) {
    void text;
  }

  /** Pixels of the device for a CSS pixel. */
  get ratio() {
    return globalThis.devicePixelRatio || 1;
  }

  /** The radiograph; setting it shows its initial view and removes maps and regions. @type {Film | null} */
  get film() {
    return this.#film;
  }

  set film(film) {
    this.#film = film;
    [this.#layers, this.#shapes, this.#selected] = [[], [], null];
    this.filmChanged();
    this.#initial();
    this.redraw();
  }

  /** Called when another film is set. The element overrides this. */
  filmChanged() {}

  /** The heat maps, from below. @type {MapLayer[]} */
  get layers() {
    return this.#layers;
  }

  set layers(layers) {
    this.#layers = [...layers];
    this.redraw();
  }

  /** The regions. @type {Shape[]} */
  get shapes() {
    return this.#shapes;
  }

  set shapes(shapes) {
    this.#shapes = [...shapes];
    if (!shapes.some(({ id }) => id === this.#selected)) this.#selected = null;
    this.redraw();
  }

  /** The id of the selected region, or null. @type {string | null} */
  get selected() {
    return this.#selected;
  }

  set selected(id) {
    this.#selected = id;
    this.redraw();
  }

  /** What is shown of the film. @type {View} */
  get view() {
    return { ...this.#view };
  }

  set view(view) {
    const inverted = view.invert !== this.#view.invert;
    this.#fits = false;
    this.#view = { ...view };
    if (inverted) this.#table = null;
    this.redraw();
  }

  /** The window on the film's values; null for the initial view. @type {Window | null} */
  get window() {
    return this.#window && { ...this.#window };
  }

  set window(window) {
    this.#window = window && { ...window };
    this.#table = null;
    this.redraw();
  }

  /** How heat maps are shown; setting some of its fields keeps the others. @type {MapState} */
  get mapState() {
    return { ...this.#map };
  }

  set mapState(state) {
    this.#map = { ...this.#map, ...state };
    this.redraw();
  }

  /** Whether enlarged pixels are interpolated. */
  get smooth() {
    return this.#smooth;
  }

  set smooth(smooth) {
    this.#smooth = smooth;
    this.redraw();
  }

  /** The display grey of each level, as shown. */
  get greys() {
    if (this.#film) this.#table ??= greyTable(this.#film, this.#window, this.#view.invert);
    return this.#table ?? new Float32Array();
  }

  /** Whether the whole film is shown, and stays so when the viewport changes its size. */
  get fits() {
    return this.#fits;
  }

  /** The layers that are visible now. */
  get visibleLayers() {
    return this.#map.visible && !this.#held ? this.#layers : [];
  }

  #initial() {
    [this.#window, this.#table, this.#fits, this.lastPreset] = [null, null, true, "initial"];
    if (this.#film) this.#view = initialView(this.#film, this.size);
  }

  /**
   * Take a new size; a film that fits keeps fitting.
   * @param {Size} size
   */
  resizeTo(size) {
    this.size = size;
    if (this.#film && this.#fits) this.#view = fitted(this.#film, this.#view, size);
    this.redraw();
  }

  /**
   * @param {string} name
   * @param {unknown} detail
   */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  /** @param {View} view */
  #look(view) {
    if (view.invert !== this.#view.invert) this.#table = null;
    this.#view = view;
    this.redraw();
    this.emit("viewchange", this.view);
  }

  /** Show the whole film. */
  fit() {
    if (!this.#film) return;
    this.#fits = true;
    this.#look(fitted(this.#film, this.#view, this.size));
    this.#sayZoom();
  }

  /**
   * Show at least one pixel of the screen for each pixel of the film.
   * @param {number} [x]  point of the viewport that stays where it is, in CSS pixels; by default the middle
   * @param {number} [y]
   */
  actualSize(x, y) {
    if (this.#film) this.zoomAt(1 / (Math.min(1, this.#film.aspect) * this.ratio * this.#view.scale), x, y);
  }

  /**
   * Enlarge by a factor.
   * @param {number} factor
   * @param {number} [x]  point of the viewport that stays where it is, in CSS pixels; by default the middle
   * @param {number} [y]
   */
  zoomAt(factor, x = this.size.width / 2, y = this.size.height / 2) {
    if (!this.#film) return;
    this.#fits = false;
    this.#look(zoomed(this.#film, this.#view, this.size, factor, x, y));
    this.#sayZoom();
  }

  #sayZoom() {
    this.announce(fill(texts.zoom, { percent: Math.round(this.#view.scale * this.ratio * 100) }));
  }

  /**
   * Move the film.
   * @param {number} dx  CSS pixels to the right
   * @param {number} dy  CSS pixels down
   */
  pan(dx, dy) {
    if (!this.#film) return;
    this.#fits = false;
    this.#look(panned(this.#film, this.#view, dx, dy));
  }

  /** Rotate by a quarter, clockwise or back. @param {1 | -1} quarters */
  rotate(quarters = 1) {
    this.#turn(rotated(this.#view, quarters));
    this.announce(fill(texts.rotated, { degrees: this.#view.rotation }));
  }

  /** Mirror what is on the screen, left and right. */
  flip() {
    this.#turn({ ...this.#view, flip_h: !this.#view.flip_h });
    this.announce(this.#view.flip_h ? texts.flipped : texts.not_flipped);
  }

  /** @param {View} view */
  #turn(view) {
    if (!this.#film) return;
    this.#look(this.#fits ? fitted(this.#film, view, this.size) : view);
  }

  /** Exchange black and white; padding stays black. */
  invert() {
    if (!this.#film) return;
    this.#look({ ...this.#view, invert: !this.#view.invert });
    this.announce(this.#view.invert ? texts.inverted : texts.not_inverted);
  }

  /** @param {Window | null} window */
  #windowTo(window) {
    this.window = window;
    this.emit("windowchange", this.window);
    this.announce(windowText(this.#window));
  }

  /** Choose a window by a preset. @param {Preset} name */
  preset(name) {
    if (!this.#film) return;
    this.lastPreset = name;
    this.#windowTo(presetWindow(this.#film, name));
    this.announce(`${texts.presets[name]}. ${windowText(this.#window)}`);
  }

  /** Choose the window that spreads 98 % of the pixels over the greys. */
  autoWindow() {
    this.preset("auto");
  }

  /**
   * Change the window: wider to the right, darker downwards, in proportion to the range of the film's values.
   * @param {number} dx  CSS pixels
   * @param {number} dy
   */
  dragWindow(dx, dy) {
    if (!this.#film) return;
    const { centre, width } = this.#window ?? startWindow(this.#film);
    const step = valueRange(this.#film) / DRAG_PX;
    const darker = this.#film.inverse !== this.#view.invert ? -1 : 1;
    const narrowest = this.#film.window?.function === "LINEAR" ? 1 : step / 100;
    this.#windowTo({ centre: centre + darker * dy * step, width: Math.max(width + dx * step, narrowest) });
  }

  /** Go back to the initial view, polarity included. */
  reset() {
    if (!this.#film) return;
    this.#initial();
    this.redraw();
    this.emit("viewchange", this.view);
    this.emit("windowchange", null);
    this.announce(texts.presets.initial);
  }

  /** Change how heat maps are shown. @param {Partial<MapState>} change */
  changeMap(change) {
    this.#map = { ...this.#map, ...change };
    this.redraw();
    this.emit("mapchange", this.mapState);
    this.announce(this.#mapText());
  }

  #mapText() {
    const [layer] = this.#layers;
    if (!this.#map.visible || !layer) return texts.map_off;
    const threshold = compact(thresholdOf(layer, this.#map));
    return fill(texts.map_on, { percent: Math.round(this.#map.opacity * 100), threshold });
  }

  /** Hide the maps as long as a key or a button is held. @param {boolean} hidden */
  holdMap(hidden) {
    if (this.#held === hidden) return;
    this.#held = hidden;
    this.redraw();
  }

  /** Select a region and tell its id. @param {string | null} id */
  select(id) {
    this.selected = id;
    this.emit("select", id);
    const shape = this.#shapes.find((one) => one.id === id);
    if (shape) this.announce(fill(texts.selected, { label: shape.label }));
  }

  /** Select the next region that has a box, or the one before. @param {1 | -1} direction */
  selectNext(direction) {
    const boxes = this.#shapes.filter(({ box, kind }) => box && kind !== "lungs" && kind !== "zone");
    if (!boxes.length) return;
    const at = boxes.findIndex(({ id }) => id === this.#selected);
    const next = at < 0 && direction < 0 ? boxes.length - 1 : (at + direction + boxes.length) % boxes.length;
    this.select(boxes[next].id);
  }
}
