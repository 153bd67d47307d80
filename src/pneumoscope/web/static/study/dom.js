// Make elements of the page; text is always text.

/**
 * Make an element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Partial<HTMLElementTagNameMap[K]> & {attributes?: never}} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

/**
 * Find an element that the page must have.
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${kind.name} '${id}'`);
  return element;
}

/**
 * Write the texts of a page: each element with data-text gets the string at this path.
 * @param {ParentNode} root
 * @param {object} strings
 */
export function fillTexts(root, strings) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = textAt(strings, element.getAttribute("data-text"));
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", textAt(strings, element.getAttribute("data-label")));
  }
}

/**
 * @param {any} strings
 * @param {string | null} path
 * @returns {string}
 */
function textAt(strings, path) {
  const text = (path ?? "").split(".").reduce((part, name) => part?.[name], strings);
  if (typeof text !== "string") throw new Error(`there is no text '${path}'`);
  return text;
}
