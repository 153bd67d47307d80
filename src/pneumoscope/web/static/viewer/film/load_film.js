/** A film as <px-viewport> shows it, from the server's facts and bytes. */

/** @import {Api} from "../api.js" */
/** @import {FilmSummary} from "../types.js" */
/** @import {Film, MapLayer} from "../../film/film.js" */

const KEPT = 4;

/**
 * Put the server's answers together.
 *
 * @param {any} facts          GET /films/{id}
 * @param {ArrayBuffer} pixels   GET …/pixels: uint16, little-endian
 * @param {ArrayBuffer} greys    GET …/greys: shown, values, padding
 * @returns {Film}
 */
export function filmOf(facts, pixels, greys) {
  const n = facts.grey.n_levels;
  if (pixels.byteLength !== 2 * facts.rows * facts.cols)
    throw new RangeError(`${pixels.byteLength} bytes of pixels for ${facts.rows} × ${facts.cols}`);
  if (greys.byteLength !== 9 * n) throw new RangeError(`${greys.byteLength} bytes of grey tables for ${n} levels`);
  return {
    rows: facts.rows,
    cols: facts.cols,
    levels: new Uint16Array(pixels),
    shown: new Float32Array(greys, 0, n),
    values: new Float32Array(greys, 4 * n, n),
    padding: new Uint8Array(greys, 8 * n, n),
    inverse: facts.grey.inverse,
    window: facts.grey.window,
    spacing: facts.spacing,
    aspect: facts.aspect,
    orientation: facts.orientation,
    lossy: facts.lossy,
  };
}

/** Films and their facts, the last few kept so that going back is instant. */
export class FilmCache {
  /** @param {Api} api */
  constructor(api) {
    this.api = api;
    /** @type {Map<string, Promise<{facts: any, film: Film}>>} */
    this.films = new Map();
  }

  /**
   * @param {FilmSummary} film @param {string} model   whose reading decides the film's state
   * @returns {Promise<{facts: any, film: Film}>}
   */
  get({ id, replacements }, model) {
    const key = `${id}/${replacements}`;
    const known = this.films.get(key);
    if (known !== undefined) return known;
    const loading = this.load(id, model);
    this.films.set(key, loading);
    loading.catch(() => this.films.delete(key));
    for (const old of this.films.keys()) if (this.films.size > KEPT) this.films.delete(old);
    return loading;
  }

  /** @param {string} id @param {string} model */
  async load(id, model) {
    const [facts, pixels, greys] = await Promise.all([
      this.api.film(id, model),
      this.api.bytes(`/films/${id}/pixels`),
      this.api.bytes(`/films/${id}/greys`),
    ]);
    return { facts, film: filmOf(facts, pixels, greys) };
  }
}

/**
 * Fetch a heat map of a reading.
 *
 * @param {Api} api @param {string} film @param {string} model @param {string} method
 * @returns {Promise<{layer: MapLayer, cell_mm: any}>}
 */
export async function loadMap(api, film, model, method) {
  const path = `/films/${film}/readings/${encodeURIComponent(model)}/maps/${encodeURIComponent(method)}`;
  const [facts, bytes] = await Promise.all([api.json(path), api.bytes(`${path}.f32`)]);
  return { layer: layerOf(facts, new Float32Array(bytes), `${model}/${method}`, method), cell_mm: facts.cell_mm };
}

/**
 * @param {any} facts @param {Float32Array} cells @param {string} id @param {string} method
 * @returns {MapLayer}
 */
function layerOf(facts, cells, id, method) {
  if (cells.length !== facts.rows * facts.cols) throw new RangeError(`${cells.length} cells for ${facts.rows} × ${facts.cols}`);
  return {
    id,
    name: facts.name,
    cells,
    cell_rows: facts.rows,
    cell_cols: facts.cols,
    rectangle: facts.rectangle,
    looked: facts.looked === null ? null : Uint8Array.from(facts.looked.flat(), Number),
    threshold: facts.threshold,
    full_scale: facts.full_scale,
    unit: facts.unit,
    method,
  };
}
