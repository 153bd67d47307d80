// Build elements: attributes, text and children; text is always text, never markup.

/**
 * @param {string} tag
 * @param {Record<string, string | boolean | ((event: any) => void)>} [properties]  attributes; `onNAME` listens; true is an empty
 *   attribute, false none
 * @param {...(Node | string | null)} children
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else if (value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/**
 * A button.
 * @param {string} text
 * @param {(event: MouseEvent) => void} pressed
 * @param {Record<string, string | boolean>} [properties]
 */
export function button(text, pressed, properties = {}) {
  return element("button", { type: "button", onclick: pressed, ...properties }, text);
}

/**
 * A slider with its name and the value in words.
 * @param {string} name
 * @param {{min: number, max: number, step: number, value: number}} range
 * @param {(value: number) => string} words
 * @param {(value: number) => void} changed
 */
export function slider(name, { min, max, step, value }, words, changed) {
  const output = element("span", {}, words(value));
  const input = /** @type {HTMLInputElement} */ (
    element("input", { type: "range", min: `${min}`, max: `${max}`, step: `${step}`, value: `${value}`, "aria-valuetext": words(value) })
  );
  const show = (/** @type {number} */ number) => {
    output.textContent = words(number);
    input.setAttribute("aria-valuetext", words(number));
  };
  input.addEventListener("input", () => {
    show(Number(input.value));
    changed(Number(input.value));
  });
  const label = element("label", { class: "slider" }, element("span", {}, name, " ", output), input);
  return { label, set: (/** @type {number} */ number) => ((input.value = String(number)), show(number)) };
}
