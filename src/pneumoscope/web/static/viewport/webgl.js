// Draw pictures with WebGL2: the levels as a texture of 16-bit integers, the table of greys and the cells of the maps as textures of
// floats. The greys of the canvas are kept in a texture, so that a change of a heat map does not draw the film again.

/** @import {Film, MapLayer} from "../film/film.js" */
/** @import {MapState, Picture, Renderer, Target} from "./picture.js" */
import { boundsOf, reachInCells } from "./border.js";
import { COLOURS } from "./colours.js";
import { HATCH, thresholdOf } from "./picture.js";
import { COPY, GREY, LAYER, VERTEX } from "./shaders.js";

/**
 * A linked program and the places of its uniforms.
 * @typedef {{program: WebGLProgram, uniform: (name: string) => WebGLUniformLocation | null}} Program
 */

/** @typedef {{cells: WebGLTexture, looked: WebGLTexture, palette: WebGLTexture}} LayerTextures */

const TABLE_COLS = 256;
const GREYS_UNIT = 0;

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {Renderer | null} null where WebGL2 is missing
 */
export function webglRenderer(canvas) {
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false, stencil: false });
  if (!gl) return null;
  return new WebGLRenderer(canvas, gl);
}

/** @implements {Renderer} */
class WebGLRenderer {
  kind = /** @type {const} */ ("webgl2");

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {WebGL2RenderingContext} gl
   */
  constructor(canvas, gl) {
    this.canvas = canvas;
    this.gl = gl;
    this.largest = Number(gl.getParameter(gl.MAX_TEXTURE_SIZE));
    this.programs = { grey: linked(gl, GREY), copy: linked(gl, COPY), layer: linked(gl, LAYER) };
    this.screen = new Greys(gl);
    /** @type {WeakMap<MapLayer, LayerTextures>} */
    this.layers = new WeakMap();
    /** @type {Film | null} */
    this.film = null;
    /** @type {Float32Array | null} */
    this.table = null;
    this.levels = texture(gl);
    this.greyTable = texture(gl);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.PACK_ALIGNMENT, 1);
    gl.bindVertexArray(gl.createVertexArray());
  }

  /** @param {Film} film */
  accepts(film) {
    return Math.max(film.rows, film.cols) <= this.largest;
  }

  /**
   * @param {Picture} picture
   * @param {Target} target
   */
  draw(picture, target) {
    this.#load(picture);
    this.#greys(this.screen, picture, target);
    this.#compose(picture, target, this.screen, null);
  }

  /**
   * @param {Picture} picture
   * @param {Target} target
   */
  raster(picture, target) {
    const { gl } = this;
    this.#load(picture);
    const greys = new Greys(gl);
    const colours = texture(gl);
    const buffer = gl.createFramebuffer();
    gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, target.width, target.height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, buffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, colours, 0);
    this.#greys(greys, picture, target);
    this.#compose(picture, target, greys, buffer);
    const pixels = new Uint8ClampedArray(target.width * target.height * 4);
    gl.readPixels(0, 0, target.width, target.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.deleteFramebuffer(buffer);
    gl.deleteTexture(colours);
    greys.dispose();
    return upsideDown(pixels, target.width * 4);
  }

  dispose() {
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  /** @param {Picture} picture */
  #load({ film, table }) {
    const { gl } = this;
    if (this.film !== film) {
      gl.bindTexture(gl.TEXTURE_2D, this.levels);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R16UI, film.cols, film.rows, 0, gl.RED_INTEGER, gl.UNSIGNED_SHORT, film.levels);
      this.film = film;
    }
    if (this.table !== table) {
      const rows = Math.ceil(table.length / TABLE_COLS);
      const padded = new Float32Array(rows * TABLE_COLS);
      padded.set(table);
      gl.bindTexture(gl.TEXTURE_2D, this.greyTable);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.R32F, TABLE_COLS, rows, 0, gl.RED, gl.FLOAT, padded);
      this.table = table;
    }
  }

  /**
   * @param {Greys} greys
   * @param {Picture} picture
   * @param {Target} target
   */
  #greys(greys, picture, target) {
    if (!greys.prepare(picture, target)) return;
    const { gl } = this;
    const { program, uniform } = this.programs.grey;
    gl.useProgram(program);
    place(gl, uniform, picture.film, target);
    bind(gl, uniform("levels"), 0, this.levels);
    bind(gl, uniform("table"), 1, this.greyTable);
    gl.uniform1i(uniform("smoothing"), Number(target.smooth));
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /**
   * @param {Picture} picture
   * @param {Target} target
   * @param {Greys} greys
   * @param {WebGLFramebuffer | null} buffer  null: the canvas
   */
  #compose(picture, target, greys, buffer) {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, buffer);
    gl.viewport(0, 0, target.width, target.height);
    gl.useProgram(this.programs.copy.program);
    bind(gl, this.programs.copy.uniform("greys"), GREYS_UNIT, greys.texture);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    for (const layer of picture.layers) this.#layer(picture, layer, target);
    gl.disable(gl.BLEND);
  }

  /**
   * @param {Picture} picture
   * @param {MapLayer} layer
   * @param {Target} target
   */
  #layer({ film, map }, layer, target) {
    const { gl } = this;
    const { program, uniform } = this.programs.layer;
    const textures = this.#texturesOf(layer);
    const { left, top, right, bottom } = layer.rectangle;
    const { transposed, flip_cols, flip_rows } = film.orientation;
    gl.useProgram(program);
    place(gl, uniform, film, target);
    bind(gl, uniform("cells"), 0, textures.cells);
    bind(gl, uniform("looked"), 1, textures.looked);
    bind(gl, uniform("palette"), 2, textures.palette);
    gl.uniform2i(uniform("grid"), layer.cell_cols, layer.cell_rows);
    gl.uniform4f(uniform("rectangle"), left, top, right, bottom);
    gl.uniform3i(uniform("turn"), Number(transposed), Number(flip_cols), Number(flip_rows));
    gl.uniform1i(uniform("reach"), target.line);
    gl.uniform1i(uniform("hatch"), target.hatch);
    gl.uniform1f(uniform("reachInCells"), reachInCells(layer, target));
    shade(gl, uniform, layer, map);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  /**
   * @param {MapLayer} layer
   * @returns {LayerTextures}
   */
  #texturesOf(layer) {
    const known = this.layers.get(layer);
    if (known) return known;
    const { gl } = this;
    const { cell_cols: cols, cell_rows: rows } = layer;
    const cells = texture(gl);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, cols, rows, 0, gl.RGBA, gl.FLOAT, boundsOf(layer));
    const looked = texture(gl);
    const seen = layer.looked ?? new Uint8Array(cols * rows).fill(1);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8UI, cols, rows, 0, gl.RED_INTEGER, gl.UNSIGNED_BYTE, seen);
    const palette = texture(gl);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB8, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, COLOURS[layer.colours ?? "inferno"]);
    this.layers.set(layer, { cells, looked, palette });
    return { cells, looked, palette };
  }
}

/** Greys of a target in a texture of bytes. */
class Greys {
  /** @param {WebGL2RenderingContext} gl */
  constructor(gl) {
    this.gl = gl;
    this.texture = texture(gl);
    this.buffer = gl.createFramebuffer();
    this.key = "";
    /** @type {Float32Array | null} */
    this.table = null;
    this.size = "";
  }

  /**
   * Bind the texture for drawing; false where it has the picture already.
   * @param {Picture} picture
   * @param {Target} target
   */
  prepare({ table, film }, { width, height, toFilm, smooth }) {
    const { gl } = this;
    const key = [width, height, smooth, film.rows, film.cols, ...toFilm].join();
    if (this.table === table && this.key === key) return false;
    [this.table, this.key] = [table, key];
    if (this.size !== `${width}×${height}`) this.#resize(width, height);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.buffer);
    gl.viewport(0, 0, width, height);
    return true;
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  #resize(width, height) {
    const { gl } = this;
    this.size = `${width}×${height}`;
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, width, height, 0, gl.RED, gl.UNSIGNED_BYTE, null);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.buffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.texture, 0);
  }

  dispose() {
    this.gl.deleteTexture(this.texture);
    this.gl.deleteFramebuffer(this.buffer);
  }
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {Program["uniform"]} uniform
 * @param {Film} film
 * @param {Target} target
 */
function place(gl, uniform, film, { toFilm: [a, b, c, d, e, f], height }) {
  gl.uniform4f(uniform("linear"), a, b, c, d);
  gl.uniform2f(uniform("origin"), e, f);
  gl.uniform2i(uniform("film"), film.cols, film.rows);
  gl.uniform1f(uniform("height"), height);
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {Program["uniform"]} uniform
 * @param {MapLayer} layer
 * @param {MapState} map
 */
function shade(gl, uniform, layer, map) {
  const [red, green, blue, opacity] = HATCH;
  gl.uniform1f(uniform("threshold"), thresholdOf(layer, map));
  gl.uniform1f(uniform("fullScale"), layer.full_scale);
  gl.uniform1f(uniform("opacity"), map.opacity);
  gl.uniform1i(uniform("smoothing"), Number(map.smooth));
  gl.uniform1i(uniform("whole"), Number(map.whole));
  gl.uniform1i(uniform("contours"), Number(map.contours));
  gl.uniform1i(uniform("unseen"), Number(map.unseen));
  gl.uniform1i(uniform("diverging"), Number(layer.colours === "diverging"));
  gl.uniform4f(uniform("hatching"), red / 255, green / 255, blue / 255, opacity);
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {string} fragment
 * @returns {Program}
 */
function linked(gl, fragment) {
  const program = gl.createProgram();
  for (const [kind, source] of /** @type {const} */ ([[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment]])) {
    const shader = gl.createShader(kind);
    if (!shader) throw new Error("the WebGL context is lost");
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "a shader does not link");
  /** @type {Map<string, WebGLUniformLocation | null>} */
  const places = new Map();
  const uniform = (/** @type {string} */ name) => {
    if (!places.has(name)) places.set(name, gl.getUniformLocation(program, name));
    return places.get(name) ?? null;
  };
  return { program, uniform };
}

/** @param {WebGL2RenderingContext} gl */
function texture(gl) {
  const made = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, made);
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
  for (const wrap of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, wrap, gl.CLAMP_TO_EDGE);
  return made;
}

/**
 * @param {WebGL2RenderingContext} gl
 * @param {WebGLUniformLocation | null} place
 * @param {number} unit
 * @param {WebGLTexture} bound
 */
function bind(gl, place, unit, bound) {
  gl.activeTexture(gl.TEXTURE0 + unit);
  gl.bindTexture(gl.TEXTURE_2D, bound);
  gl.uniform1i(place, unit);
}

/**
 * Reverse the order of rows.
 * @param {Uint8ClampedArray<ArrayBuffer>} pixels
 * @param {number} stride
 */
function upsideDown(pixels, stride) {
  const turned = new Uint8ClampedArray(pixels.length);
  for (let from = 0; from < pixels.length; from += stride) {
    turned.set(pixels.subarray(from, from + stride), pixels.length - stride - from);
  }
  return turned;
}
