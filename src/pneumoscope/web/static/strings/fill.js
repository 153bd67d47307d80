// Put values into the texts of a strings file.

/**
 * Replace each {name} of a text by the value of that name.
 * @param {string} text
 * @param {Record<string, string | number>} values
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
