/** Build elements with text, attributes and listeners; data never becomes markup. */

const ICONS = new URL("./icons.svg", import.meta.url).pathname;

/** @typedef {Node|string|null|undefined|false} Child */
/** @typedef {{[name: string]: any}} Attributes  `on` holds listeners; booleans and `value` are set as properties */

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children   strings become text nodes; null, undefined and false are left out
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  append(element, children);
  return element;
}

/**
 * @param {HTMLElement} element
 * @param {string} name
 * @param {any} value
 */
function setAttribute(element, name, value) {
  if (value === null || value === undefined) return;
  if (name === "on") for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
  else if (typeof value === "boolean" || name === "value") Reflect.set(element, name, value);
  else element.setAttribute(name, String(value));
}

/**
 * @param {Element} element
 * @param {Child[]} children
 */
function append(element, children) {
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
}

/**
 * Replace what an element holds.
 *
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
}

/**
 * Make an icon, hidden from the reader of the screen: the button that holds it has the words.
 *
 * @param {string} name   id of a symbol in icons.svg
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${ICONS}#${name}`);
  svg.append(use);
  return svg;
}

/** Text that only a screen reader says. @param {string} text */
export const spoken = (text) => h("span", { class: "visually-hidden" }, text);

/**
 * Make a button.
 *
 * @param {string} label          its words
 * @param {() => void} onPress
 * @param {{icon?: string, quiet?: boolean, primary?: boolean, class?: string, title?: string, disabled?: boolean}} [look]
 *     `icon`: the words are then read out and shown as a tooltip, unless `quiet` is false
 * @returns {HTMLButtonElement}
 */
export function button(label, onPress, look = {}) {
  const iconOnly = look.icon !== undefined && look.quiet !== false;
  const kind = look.primary ? "button primary" : "button";
  return h(
    "button",
    {
      type: "button",
      class: `${kind}${iconOnly ? " icon-only" : ""} ${look.class ?? ""}`.trim(),
      title: look.title ?? (iconOnly ? label : null),
      "aria-label": iconOnly ? label : null,
      disabled: look.disabled ?? false,
      on: { click: onPress },
    },
    look.icon !== undefined && icon(look.icon),
    !iconOnly && h("span", {}, label),
  );
}

/**
 * Make a labelled select.
 *
 * @param {string} label
 * @param {[string, string][]} options   value and words
 * @param {string} value
 * @param {(value: string) => void} onChange
 * @param {boolean} [hidden]   the label is only read out
 * @returns {HTMLLabelElement}
 */
export function select(label, options, value, onChange, hidden = false) {
  const list = h("select", {
    on: { change: (/** @type {Event} */ event) => onChange(/** @type {HTMLSelectElement} */ (event.target).value) },
  });
  for (const [key, words] of options) list.append(h("option", { value: key, selected: key === value }, words));
  return h("label", { class: "field" }, h("span", { class: hidden ? "visually-hidden" : "field-label" }, label), list);
}

/**
 * Make a checkbox that looks like a switch.
 *
 * @param {string} label
 * @param {boolean} checked
 * @param {(checked: boolean) => void} onChange
 * @param {string} [name]   kept as data-name, to find the switch again
 * @returns {HTMLLabelElement}
 */
export function toggle(label, checked, onChange, name) {
  const box = h("input", {
    type: "checkbox",
    role: "switch",
    class: "switch",
    "data-name": name,
    checked,
    on: { change: (/** @type {Event} */ event) => onChange(/** @type {HTMLInputElement} */ (event.target).checked) },
  });
  return h("label", { class: "toggle" }, box, h("span", {}, label));
}
