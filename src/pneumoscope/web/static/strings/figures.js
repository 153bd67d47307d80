/** How figures are written, the same in every part of the front end and in Python (`pneumoscope.readings.figures`). */

/**
 * Write a probability, or a threshold or rating on its scale: three decimals, but never a rounded 0 or 1.
 *
 * @param {number} value   in [0, 1]
 * @returns {string}
 */
export function probabilityText(value) {
  if (value >= 0.9995) return ">0.999";
  return value < 0.0005 ? "<0.001" : value.toFixed(3);
}

/**
 * Write a value of a scale, such as its end or the setting of a slider: at most three decimals.
 *
 * @param {number} value
 * @returns {string}
 */
export function scaleText(value) {
  return String(Number(value.toFixed(3)));
}
