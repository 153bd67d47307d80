// Ratings on a scale, and a number that is typed digit by digit.

/** @typedef {import("./types.js").Scale} Scale */

/** Up to this many ratings are shown as buttons; a longer scale is a slider. */
export const MOST_BUTTONS = 11;

/**
 * Count the ratings of a scale.
 * @param {Scale} scale
 * @returns {number}
 */
export function countOf(scale) {
  return Math.floor((scale.high - scale.low) / scale.step + 1e-9) + 1;
}

/**
 * List the ratings of a scale.
 * @param {Scale} scale
 * @returns {number[]}
 */
export function valuesOf(scale) {
  return Array.from({ length: countOf(scale) }, (_, k) => rounded(scale.low + k * scale.step));
}

/**
 * Whether a rating is on the scale, as the server decides it.
 * @param {Scale} scale
 * @param {number} rating
 * @returns {boolean}
 */
export function allows(scale, rating) {
  if (!Number.isFinite(rating) || rating < scale.low || rating > scale.high) return false;
  const steps = (rating - scale.low) / scale.step;
  return Math.abs(steps - Math.round(steps)) < 1e-6;
}

/**
 * Write a rating, with its word where the scale has words.
 * @param {Scale} scale
 * @param {number} rating
 * @returns {string}
 */
export function written(scale, rating) {
  const label = scale.labels[Math.round((rating - scale.low) / scale.step)];
  return label ? `${rating} · ${label}` : String(rating);
}

/** @param {number} value */
function rounded(value) {
  return Number(value.toFixed(9));
}

/** A rating that is typed: digits that follow one another are one number, until `end` is called or the number has no room. */
export class TypedRating {
  /** @param {Scale} scale */
  constructor(scale) {
    this.scale = scale;
    this.text = "";
  }

  /** Whether digits were typed since the last end. */
  get open() {
    return this.text !== "";
  }

  /**
   * Type a character.
   * @param {string} character  a digit, or "."
   * @returns {number | null} the rating; null where the text is none on the scale (yet)
   */
  type(character) {
    if (character === "." && (Number.isInteger(this.scale.step) || this.text.includes("."))) return this.rating;
    const longer = this.text + character;
    this.text = Number(longer) > this.scale.high ? character : longer;
    return this.rating;
  }

  /** Remove the last character. */
  back() {
    this.text = this.text.slice(0, -1);
    return this.rating;
  }

  /** The rating that the text stands for; null where it is none on the scale. */
  get rating() {
    const value = Number(this.text);
    return this.text !== "" && allows(this.scale, value) ? value : null;
  }

  /** End the number: the next digit begins another one. */
  end() {
    this.text = "";
  }
}
