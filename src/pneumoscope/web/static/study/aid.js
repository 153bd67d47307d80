// The aid: a picture over the radiograph where it has the radiograph's size, else beside it.

/** @typedef {import("../film/film.js").Film} Film */
/** @typedef {import("../viewport/view.js").Affine} Affine */

/**
 * The map from the pixels of a picture in the displayed order to the stored grid (x = column, y = row).
 * @param {Film} film
 * @returns {Affine}
 */
export function displayedToStored(film) {
  const { transposed, flip_rows, flip_cols } = film.orientation;
  const [width, height] = transposed ? [film.rows, film.cols] : [film.cols, film.rows];
  const [sx, ox] = flip_cols ? [-1, width] : [1, 0];
  const [sy, oy] = flip_rows ? [-1, height] : [1, 0];
  return transposed ? [0, sx, sy, 0, oy, ox] : [sx, 0, 0, sy, ox, oy];
}

/**
 * Apply one affine map after another.
 * @param {Affine} second
 * @param {Affine} first
 * @returns {Affine}
 */
export function after([a, b, c, d, e, f], [a0, b0, c0, d0, e0, f0]) {
  return [a * a0 + c * b0, b * a0 + d * b0, a * c0 + c * d0, b * c0 + d * d0, a * e0 + c * f0 + e, b * e0 + d * f0 + f];
}

/** Shows the aid. */
export class Aid {
  /**
   * @param {HTMLElement} frame  holds the viewport
   * @param {HTMLElement} beside  holds a picture that does not fit on the radiograph
   */
  constructor(frame, beside) {
    this.canvas = document.createElement("canvas");
    this.canvas.className = "aid";
    this.canvas.setAttribute("aria-hidden", "true");
    this.canvas.hidden = true;
    frame.append(this.canvas);
    this.beside = beside;
    this.opacity = 1;
    this.held = false;
    /** @type {"none" | "over" | "beside"} */
    this.kind = "none";
  }

  /** Opacity as it is on the screen; null without an aid. */
  get shown() {
    return this.kind === "none" ? null : this.held ? 0 : this.opacity;
  }

  /**
   * Show a picture.
   * @param {Blob} blob
   * @param {Film} film
   */
  async show(blob, film) {
    const picture = await createImageBitmap(blob, { colorSpaceConversion: "none" });
    const { transposed } = film.orientation;
    const fits = picture.width === (transposed ? film.rows : film.cols) && picture.height === (transposed ? film.cols : film.rows);
    this.kind = fits ? "over" : "beside";
    this.opacity = 1;
    this.held = false;
    this.canvas.width = picture.width;
    this.canvas.height = picture.height;
    this.canvas.getContext("2d")?.drawImage(picture, 0, 0);
    picture.close();
    if (!fits) this.beside.prepend(this.canvas);
    this.beside.hidden = fits;
    this.canvas.hidden = false;
    this.update();
  }

  /**
   * Lay the picture where the film lies.
   * @param {Film} film
   * @param {Affine} toScreen
   */
  lay(film, toScreen) {
    if (this.kind === "over") this.canvas.style.transform = `matrix(${after(toScreen, displayedToStored(film)).join(",")})`;
  }

  /** @param {number} opacity  in [0, 1] */
  setOpacity(opacity) {
    this.opacity = Math.min(Math.max(Math.round(opacity * 100) / 100, 0), 1);
    this.update();
  }

  /**
   * Hide the aid for a moment.
   * @param {boolean} held
   */
  hold(held) {
    this.held = held;
    this.update();
  }

  update() {
    this.canvas.style.opacity = String(this.shown ?? 0);
  }

  /**
   * Remove the aid.
   * @param {HTMLElement} frame
   */
  clear(frame) {
    this.kind = "none";
    this.canvas.hidden = true;
    this.canvas.width = this.canvas.height = 0; // gives its memory back
    this.canvas.style.transform = "";
    frame.insertBefore(this.canvas, frame.querySelector(".marks-layer"));
    this.beside.hidden = true;
  }
}
