// Parse the radiograph that the server sends: a header in JSON, then tables and pixels (`pneumoscope.reader_study.pixels.film_bytes`).

/** @typedef {import("../film/film.js").Film} Film */

/**
 * Parse a radiograph.
 * @param {ArrayBuffer} content
 * @returns {Film}
 */
export function parseFilm(content) {
  const length = new DataView(content).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(content, 4, length)));
  const { rows, cols, n_levels: n } = head;
  let place = 4 + length;
  /** @param {number} bytes */
  const next = (bytes) => {
    const start = place;
    place += bytes;
    return start;
  };
  const shown = new Float32Array(content, next(4 * n), n);
  const values = new Float32Array(content, next(4 * n), n);
  const levels = new Uint16Array(content, next(2 * rows * cols), rows * cols);
  const padding = new Uint8Array(content, next(n), n);
  const { inverse, window, aspect, orientation } = head;
  // Spacing and kind of compression are facts of the file that the server does not tell to readers.
  return { rows, cols, levels, shown, values, padding, inverse, window, spacing: null, aspect, orientation, lossy: false };
}
