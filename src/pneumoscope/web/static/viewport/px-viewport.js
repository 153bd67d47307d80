// <px-viewport>: one radiograph with its heat maps and regions, looked at by mouse, touch and keyboard.

/** @import {Point} from "../film/measure.js" */
/** @import {Tool} from "./gestures.js" */
/** @import {Action, KeyMap} from "./keys.js" */
/** @import {Pointer} from "./loupe.js" */
/** @import {Measured} from "./measurements.js" */
/** @import {Picture} from "./picture.js" */
/** @import {Affine} from "./view.js" */
import { strings } from "../strings/en.js";
import { fill } from "../strings/fill.js";
import { ACTIONS } from "./actions.js";
import { toPng } from "./exporting.js";
import { Gestures } from "./gestures.js";
import { actionOf, DEFAULT_KEYS } from "./keys.js";
import { barBox, thresholdAt } from "./legend.js";
import { drawLines } from "./lines.js";
import { drawLoupe } from "./loupe.js";
import { measured, Measurements } from "./measurements.js";
import { drawCrosshair, shapeAt } from "./shapes.js";
import { Shell } from "./shell.js";
import { Stage } from "./stage.js";
import { ViewportState } from "./state.js";
import { filmTarget, screenTarget, snappedToScreen } from "./target.js";
import { inverse, mapped } from "./view.js";

const texts = strings.viewport;

/**
 * One radiograph on the screen. The element knows neither server nor worklist: its owner sets its properties and hears its events
 * `viewchange`, `windowchange`, `mapchange`, `measure`, `select`, `point`, `probe` and `message`.
 */
export class PxViewport extends ViewportState {
  static observedAttributes = ["aria-label"];

  /** The keys that the element reacts to; an empty map where its owner calls `handleKey`. @type {KeyMap} */
  keys = { ...DEFAULT_KEYS };
  /** @type {Tool} */
  #tool = "window";
  /** @type {Pointer | null} */
  #pointer = null;
  /** The point that arrow keys move. @type {Point | null} */
  #crosshair = null;
  #measurements = new Measurements();
  #frame = 0;
  /** @type {(() => void)[]} */
  #waiting = [];
  /** @type {Stage | null} */
  #stage = null;
  #shell = new Shell(this);
  #resized = new ResizeObserver(() => this.#measure());

  constructor() {
    super();
    const { stage } = this.#shell;
    new Gestures(stage, this);
    stage.addEventListener("keydown", (event) => this.#keyDown(event));
    stage.addEventListener("keyup", (event) => this.#keyUp(event));
    stage.addEventListener("blur", () => this.holdMap(false));
    stage.dataset.tool = this.#tool;
  }

  connectedCallback() {
    this.#stage ??= new Stage(this.#shell.stage, this.getAttribute("renderer") === "2d", (lost) => this.#renewed(lost));
    this.#resized.observe(this);
    this.#measure();
  }

  disconnectedCallback() {
    this.#resized.disconnect();
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#stage?.dispose();
    this.#stage = null;
  }

  attributeChangedCallback() {
    this.#shell.stage.setAttribute("aria-label", this.getAttribute("aria-label") ?? texts.name);
  }

  /** What draws the film: "webgl2" or "2d"; "" before the first frame. */
  get renderer() {
    return this.#stage?.kind ?? "";
  }

  /** What the mouse, the pen and one finger do. @type {Tool} */
  get tool() {
    return this.#tool;
  }

  set tool(tool) {
    this.#tool = tool;
    this.#shell.stage.dataset.tool = tool;
    this.#measurements.draft = null;
    this.#crosshair = null;
    this.announce(texts.tools[tool]);
    this.redraw();
  }

  /** The reading in words, which a screen reader says for the picture. */
  get description() {
    return this.#shell.description.textContent ?? "";
  }

  set description(text) {
    this.#shell.description.textContent = text;
  }

  /** The finished measurements. @type {Measured[]} */
  get measurements() {
    const { film } = this;
    return film ? this.#measurements.done.map((one) => measured(film, one)) : [];
  }

  filmChanged() {
    this.#measurements.clear();
    this.#crosshair = null;
    if (!this.film) this.description = texts.empty;
  }

  /** @param {string} text */
  announce(text) {
    this.#shell.announce(text);
  }

  /** @param {boolean} lost */
  #renewed(lost) {
    if (lost) this.emit("message", texts.renderer_lost);
    this.redraw();
  }

  #measure() {
    this.resizeTo({ width: this.clientWidth, height: this.clientHeight });
  }

  /** Draw at the next frame of the screen. */
  redraw() {
    if (this.#frame || !this.#stage) return;
    this.#frame = requestAnimationFrame(() => this.#draw());
  }

  /** Wait until what was set is on the screen. @returns {Promise<void>} */
  drawn() {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.redraw();
    });
  }

  /** @returns {Picture | null} */
  get #picture() {
    const { film } = this;
    return film && { film, table: this.greys, layers: this.visibleLayers, map: this.mapState };
  }

  /** @returns {Affine | null} */
  get #toScreen() {
    return this.film && this.size.width ? snappedToScreen(this.film, this.view, this.size, this.ratio) : null;
  }

  #draw() {
    this.#frame = 0;
    const [picture, toScreen, stage] = [this.#picture, this.#toScreen, this.#stage];
    const { ratio, size } = this;
    const lines = this.#shell.lines(Math.round(size.width * ratio), Math.round(size.height * ratio), ratio);
    if (picture && toScreen && stage) {
      stage.draw(picture, screenTarget(toScreen, size, ratio, this.smooth));
      const { shapes, selected, view, window } = this;
      const measurements = this.#measurements.drawn;
      drawLines(lines, { picture, toScreen, size, ratio, shapes, selected, view, window, measurements });
      if (this.#pointer && this.#enlarges) drawLoupe(lines, stage, picture, toScreen, this.#pointer, ratio);
      if (this.#crosshair) drawCrosshair(lines, toScreen, this.#crosshair);
    } else stage?.clear();
    this.#waiting.splice(0).forEach((resolve) => resolve());
  }

  /**
   * The point of the stored grid at a point of the viewport.
   * @param {number} x
   * @param {number} y
   * @returns {Point}
   */
  pointAt(x, y) {
    const toScreen = this.#toScreen;
    if (!toScreen) return [NaN, NaN];
    const [col, row] = mapped(inverse(toScreen), x, y);
    return [row, col];
  }

  /**
   * A point of the viewport for a point of the stored grid, in CSS pixels.
   * @param {number} row
   * @param {number} col
   * @returns {[number, number]}
   */
  screenAt(row, col) {
    const toScreen = this.#toScreen;
    return toScreen ? mapped(toScreen, col, row) : [NaN, NaN];
  }

  /**
   * Draw the whole film, with its maps unless `withMap` is false, one pixel for each pixel of the film, turned as on the screen.
   * @param {{withMap?: boolean}} [options]
   * @returns {{width: number, height: number, pixels: Uint8ClampedArray}} RGBA, row by row
   */
  readPixels({ withMap = true } = {}) {
    const picture = this.#picture;
    if (!picture || !this.#stage) throw new Error("a viewport without a film has no pixels");
    const { target } = filmTarget(picture.film, this.view, false);
    const pixels = this.#stage.raster({ ...picture, layers: withMap ? picture.layers : [] }, target);
    return { width: target.width, height: target.height, pixels };
  }

  /**
   * Write the whole film as PNG at its own resolution, with square pixels, turned as on the screen, with measurements.
   * @param {{withMap?: boolean, withShapes?: boolean, caption?: string[]}} [options]  caption: lines of text below the picture
   * @returns {Promise<Blob>}
   */
  async toBlob({ withMap = true, withShapes = withMap, caption = [] } = {}) {
    const picture = this.#picture;
    if (!picture || !this.#stage) throw new Error("a viewport without a film has no picture");
    const { view, selected } = this;
    const annotations = { view, selected, shapes: withShapes ? this.shapes : [], measurements: this.#measurements.done, caption };
    return toPng(this.#stage, { ...picture, layers: withMap ? picture.layers : [] }, annotations);
  }

  // What gestures call; see `Hands`.

  /**
   * @param {number} x
   * @param {number} y
   */
  grabThreshold(x, y) {
    if (!this.visibleLayers.length) return false;
    const bar = barBox(this.size);
    return x >= bar.left - 16 && x <= bar.left + bar.width + 8 && y >= bar.top - 8 && y <= bar.top + bar.height + 8;
  }

  /** @param {number} y */
  dragThreshold(y) {
    this.changeMap({ threshold: thresholdAt(this.layers[0], this.size, y) });
  }

  pending() {
    return this.#measurements.draft !== null;
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  placePoint(x, y) {
    this.#place(this.pointAt(x, y));
  }

  /** @param {Point} point */
  #place(point) {
    const { film } = this;
    if (!film || (this.#tool !== "ruler" && this.#tool !== "angle")) return;
    const finished = this.#measurements.place(this.#tool, point);
    this.redraw();
    if (!finished) return;
    const result = measured(film, finished);
    this.emit("measure", result);
    this.announce(fill(texts.measured, { text: result.text }));
  }

  /** Whether the place under the pointer is shown enlarged: by the loupe, or because a finger that places a point hides it. */
  get #enlarges() {
    if (this.#tool === "window" || this.#tool === "pan") return false;
    return this.#tool === "loupe" || Boolean(this.#pointer?.finger);
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {boolean} finger
   */
  hover(x, y, finger = false) {
    this.#pointer = { x, y, finger };
    const point = this.pointAt(x, y);
    this.#measurements.move(point);
    if (this.#enlarges || this.pending()) this.redraw();
    if (this.film) this.emit("probe", point);
  }

  leave() {
    if (this.#enlarges) this.redraw();
    this.#pointer = null;
    this.emit("probe", null);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  clickAt(x, y) {
    const [row, col] = this.pointAt(x, y);
    if (this.#tool === "point") this.#point([row, col]);
    else this.select(shapeAt(this.shapes, [row, col])?.id ?? null);
  }

  /** @param {Point} point */
  #point([row, col]) {
    const { film } = this;
    if (!film || row < 0 || col < 0 || row >= film.rows || col >= film.cols) return;
    this.emit("point", { row, col });
    this.announce(fill(texts.point, { row: Math.floor(row) + 1, column: Math.floor(col) + 1 }));
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  doubleClick(x, y) {
    if (this.#tool !== "window" && this.#tool !== "pan") return;
    if (this.fits) this.actualSize(x, y);
    else this.fit();
  }

  // What actions call.

  /** Forget the measurement that is being placed, and the crosshair. */
  cancel() {
    this.#measurements.draft = null;
    this.#crosshair = null;
    this.redraw();
  }

  /** Remove the last measurement, or the one that is being placed. */
  undoMeasurement() {
    this.announce(this.#measurements.undo() ? texts.removed : texts.nothing_to_remove);
    this.redraw();
  }

  /**
   * Move the crosshair of a tool that needs a point, else the film.
   * @param {number} dx  CSS pixels to the right
   * @param {number} dy  CSS pixels down
   */
  step(dx, dy) {
    if (!this.film) return;
    if (this.#tool === "window" || this.#tool === "pan") {
      this.pan(-dx, -dy);
      return;
    }
    const { width, height } = this.size;
    const [x, y] = this.#crosshair ? this.screenAt(...this.#crosshair) : [width / 2, height / 2];
    const [toX, toY] = [Math.min(Math.max(x + dx / 4, 0), width), Math.min(Math.max(y + dy / 4, 0), height)];
    this.#crosshair = this.pointAt(toX, toY);
    this.hover(toX, toY);
    this.redraw();
  }

  /** Do at the crosshair what a click does. */
  placeAtCrosshair() {
    const { width, height } = this.size;
    this.#crosshair ??= this.pointAt(width / 2, height / 2);
    if (this.#tool === "ruler" || this.#tool === "angle") this.#place(this.#crosshair);
    else if (this.#tool === "point") this.#point(this.#crosshair);
    this.redraw();
  }

  /**
   * Carry out an action.
   * @param {Action} action  a name in `strings.viewport.actions`
   */
  handleKey(action) {
    ACTIONS[action](this);
  }

  /** @param {KeyboardEvent} event */
  #keyDown(event) {
    const action = actionOf(this.keys, event);
    if (!action) return;
    event.preventDefault();
    event.stopPropagation();
    this.handleKey(action);
  }

  /** @param {KeyboardEvent} event */
  #keyUp(event) {
    if (actionOf(this.keys, event) === "map_hide") this.holdMap(false);
  }
}

customElements.define("px-viewport", PxViewport);
