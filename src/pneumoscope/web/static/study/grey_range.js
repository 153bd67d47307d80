// The range of the modality values of a film, of which a window is given as shares to the server.

/** @typedef {import("../film/film.js").Film} Film */

/**
 * Find the range of values of a film's levels, padding left out.
 * @param {Film} film
 */
export function greyRange(film) {
  let low = Infinity;
  let high = -Infinity;
  film.values.forEach((value, level) => {
    if (film.padding[level]) return;
    low = Math.min(low, value);
    high = Math.max(high, value);
  });
  const span = high - low || 1;
  return {
    low,
    high,
    /** @param {{centre: number, width: number}} window */
    share: ({ centre, width }) => ({ centre: (centre - low) / span, width: width / span }),
  };
}
