// The canvas of a viewport: WebGL2 where it works, a 2-D canvas where WebGL2 is missing, lost or too small for the film.

/** @import {Film} from "../film/film.js" */
/** @import {Picture, Renderer, Target} from "./picture.js" */
import { canvasRenderer } from "./canvas2d.js";
import { webglRenderer } from "./webgl.js";

export class Stage {
  /** @type {Renderer | null} */
  #webgl = null;
  /** @type {Renderer | null} */
  #plain = null;
  #lost = false;

  /**
   * @param {HTMLElement} parent  takes the canvas
   * @param {boolean} plain  whether to do without WebGL2
   * @param {(lost: boolean) => void} onChange  called when the WebGL context is lost and when it is back
   */
  constructor(parent, plain, onChange) {
    this.parent = parent;
    const canvas = document.createElement("canvas");
    if (!plain) this.#webgl = webglRenderer(canvas);
    if (!this.#webgl) return;
    this.#show(canvas);
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault(); // without it the context does not come back
      this.#lost = true;
      onChange(true);
    });
    canvas.addEventListener("webglcontextrestored", () => {
      this.#webgl = webglRenderer(canvas);
      this.#lost = false;
      onChange(false);
    });
  }

  /** The kind of the renderer that was used last. */
  get kind() {
    return this.parent.querySelector("canvas.film")?.getAttribute("data-kind") ?? "";
  }

  /**
   * Draw on the screen.
   * @param {Picture} picture
   * @param {Target} target
   */
  draw(picture, target) {
    const renderer = this.#rendererOf(picture.film);
    const { canvas } = renderer;
    this.#show(canvas);
    canvas.dataset.kind = renderer.kind;
    if (canvas.width !== target.width) canvas.width = target.width;
    if (canvas.height !== target.height) canvas.height = target.height;
    renderer.draw(picture, target);
  }

  /**
   * Draw into an array of RGBA.
   * @param {Picture} picture
   * @param {Target} target
   */
  raster(picture, target) {
    return this.#rendererOf(picture.film).raster(picture, target);
  }

  /** Remove what is shown. */
  clear() {
    this.parent.querySelector("canvas.film")?.remove();
  }

  /**
   * @param {Film} film
   * @returns {Renderer}
   */
  #rendererOf(film) {
    if (this.#webgl && !this.#lost && this.#webgl.accepts(film)) return this.#webgl;
    this.#plain ??= canvasRenderer(document.createElement("canvas"));
    return this.#plain;
  }

  /** @param {HTMLCanvasElement} canvas */
  #show(canvas) {
    if (canvas.parentElement === this.parent) return;
    this.clear();
    canvas.className = "film";
    canvas.setAttribute("aria-hidden", "true");
    this.parent.prepend(canvas);
  }

  dispose() {
    this.#webgl?.dispose();
    this.#webgl = null;
    this.clear();
  }
}
