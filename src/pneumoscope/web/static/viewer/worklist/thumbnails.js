/** Small pictures of films, drawn on canvases; only those on screen are fetched. */

/** @import {Api} from "../api.js" */

const KEPT = 300;
const AT_ONCE = 4;

/** Pictures by film, the oldest dropped first. */
export class Thumbnails {
  /** @param {Api} api */
  constructor(api) {
    this.api = api;
    /** @type {Map<string, ImageBitmap|null>} null: the film has no picture */
    this.pictures = new Map();
    /** @type {Map<string, HTMLCanvasElement>} */
    this.waiting = new Map();
    this.running = 0;
  }

  /**
   * Show a film's picture on a canvas, now or once it is there.
   *
   * @param {HTMLCanvasElement} canvas @param {string} film
   */
  show(canvas, film) {
    canvas.dataset.film = film;
    const picture = this.pictures.get(film);
    if (picture !== undefined) return draw(canvas, picture);
    this.waiting.set(film, canvas);
    this.next();
  }

  next() {
    while (this.running < AT_ONCE && this.waiting.size > 0) {
      const [film, canvas] = /** @type {[string, HTMLCanvasElement]} */ ([...this.waiting].pop());
      this.waiting.delete(film);
      if (canvas.isConnected && canvas.dataset.film === film) this.fetch(film, canvas);
    }
  }

  /** @param {string} film @param {HTMLCanvasElement} canvas */
  async fetch(film, canvas) {
    this.running += 1;
    try {
      this.keep(film, await createImageBitmap(await this.api.blob(`/films/${film}/thumbnail`)));
    } catch {
      this.keep(film, null);
    }
    this.running -= 1;
    if (canvas.dataset.film === film) draw(canvas, this.pictures.get(film) ?? null);
    this.next();
  }

  /** @param {string} film @param {ImageBitmap|null} picture */
  keep(film, picture) {
    this.pictures.set(film, picture);
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
