/** Small pictures of films, drawn on canvases; only those on screen are fetched. */

/** @import {Api} from "../api.js" */
/** @import {FilmSummary} from "../types.js" */

const KEPT = 300;
const AT_ONCE = 4;

/** @typedef {{film: string, canvas: HTMLCanvasElement, stop: AbortController}} Wanted */

/** Pictures by film and file, the oldest dropped first. */
export class Thumbnails {
  /** @param {Api} api */
  constructor(api) {
    this.api = api;
    /** @type {Map<string, ImageBitmap|null>} null: the film has no picture */
    this.pictures = new Map();
    /** @type {Map<string, Wanted>} */
    this.waiting = new Map();
    /** @type {Map<string, Wanted>} */
    this.running = new Map();
    /** Films that were closed, or are about to be: nothing is asked of them. @type {Set<string>} */
    this.gone = new Set();
  }

  /**
   * Show a film's picture on a canvas, now or once it is there.
   *
   * @param {HTMLCanvasElement} canvas @param {FilmSummary} film
   */
  show(canvas, { id, replacements }) {
    const key = `${id}/${replacements}`; // the picture of an earlier file is not that of this one
    canvas.dataset.picture = key;
    const picture = this.pictures.get(key);
    if (picture !== undefined) return draw(canvas, picture);
    if (this.gone.has(id)) return undefined;
    const running = this.running.get(key);
    if (running !== undefined) running.canvas = canvas;
    else this.waiting.set(key, { film: id, canvas, stop: new AbortController() });
    return this.next();
  }

  /** Stop fetching what no row shows any more: films that were closed, or have scrolled away. */
  prune() {
    for (const [key, { canvas, stop }] of this.running) {
      if (canvas.isConnected && canvas.dataset.picture === key) continue;
      this.running.delete(key);
      stop.abort();
    }
    this.next();
  }

  /** Ask for nothing of a film that was closed. @param {string} film */
  forget(film) {
    this.gone.add(film);
    for (const wanted of [this.waiting, this.running])
      for (const [key, { film: of, stop }] of wanted)
        if (of === film) {
          wanted.delete(key);
          stop.abort();
        }
  }

  next() {
    while (this.running.size < AT_ONCE && this.waiting.size > 0) {
      const [key, wanted] = /** @type {[string, Wanted]} */ ([...this.waiting].pop());
      this.waiting.delete(key);
      if (wanted.canvas.isConnected && wanted.canvas.dataset.picture === key) this.fetch(key, wanted);
    }
  }

  /** @param {string} key @param {Wanted} wanted */
  async fetch(key, wanted) {
    const { signal } = wanted.stop;
    this.running.set(key, wanted);
    try {
      this.keep(key, await createImageBitmap(await this.api.blob(`/films/${wanted.film}/thumbnail`, { signal })));
    } catch {
      if (signal.aborted) return;
      this.keep(key, null);
    }
    if (signal.aborted) return;
    this.running.delete(key);
    if (wanted.canvas.dataset.picture === key) draw(wanted.canvas, this.pictures.get(key) ?? null);
    this.next();
  }

  /** @param {string} key @param {ImageBitmap|null} picture */
  keep(key, picture) {
    this.pictures.set(key, picture);
    for (const [old, dropped] of this.pictures) {
      if (this.pictures.size <= KEPT) break;
      this.pictures.delete(old);
      dropped?.close();
    }
  }
}

/** @param {HTMLCanvasElement} canvas @param {ImageBitmap|null} picture */
function draw(canvas, picture) {
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  canvas.classList.toggle("missing", picture === null);
  if (picture === null) return;
  const scale = Math.min(canvas.width / picture.width, canvas.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  context.drawImage(picture, (canvas.width - width) / 2, (canvas.height - height) / 2, width, height);
}
