// The keyboard: which key means which action, and the list that the help shows.

import { strings } from "../strings/en.js";

/** @typedef {{keys: string[], text: string, when: "always" | "marks" | "decision" | "items" | "aid" | "back"}} HelpLine */

/** Actions by key; with Shift where the name says so. Digits, "." and Backspace are typed and not in this table.
 * @type {Readonly<Record<string, string>>} */
export const ACTIONS = Object.freeze({
  y: "positive",
  n: "negative",
  m: "place",
  j: "nextMark",
  k: "previousMark",
  Delete: "remove",
  x: "nothing",
  Escape: "deselect",
  u: "undo",
  "Shift+U": "redo",
  "Control+z": "undo",
  "Control+y": "redo",
  "Control+Shift+Z": "redo",
  Enter: "next",
  PageUp: "earlier",
  a: "keep",
  t: "toolMark",
  w: "toolWindow",
  g: "toolPan",
  "+": "zoomIn",
  "=": "zoomIn",
  "-": "zoomOut",
  f: "fit",
  o: "actual",
  i: "invert",
  b: "brighter",
  d: "darker",
  c: "moreContrast",
  v: "lessContrast",
  r: "reset",
  h: "hideAid",
  l: "lessOpaque",
  "Shift+L": "moreOpaque",
  p: "pause",
  "?": "help",
  ArrowUp: "up",
  ArrowDown: "down",
  ArrowLeft: "left",
  ArrowRight: "right",
  "Shift+ArrowUp": "lower",
  "Shift+ArrowDown": "higher",
  "Shift+ArrowLeft": "narrower",
  "Shift+ArrowRight": "wider",
});

/**
 * Name the key of an event as `ACTIONS` does.
 * @param {KeyboardEvent} event
 * @returns {string} empty for a combination that belongs to the browser
 */
export function nameOf(event) {
  if (event.altKey) return "";
  const control = event.ctrlKey || event.metaKey ? "Control+" : "";
  // "?" and "+" need Shift on many keyboards; the character says what is meant.
  const shift = event.shiftKey && (event.key.length > 1 || event.key.toLowerCase() !== event.key.toUpperCase()) ? "Shift+" : "";
  // With Caps Lock on, a letter without Shift comes in upper case.
  const key = !shift && event.key.length === 1 ? event.key.toLowerCase() : shift && event.key.length === 1 ? event.key.toUpperCase() : event.key;
  return control + shift + key;
}

/**
 * Whether a key belongs to the element that has the focus, such as a letter to a text field.
 * @param {EventTarget | null} target
 * @param {string} name  as `nameOf` gives it
 * @returns {boolean}
 */
export function belongsTo(target, name) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog")) return true;
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  if (target instanceof HTMLInputElement && ["text", "search"].includes(target.type)) return true;
  const moved = name.startsWith("Arrow") || ["Home", "End", "PageUp", "PageDown"].includes(name);
  if (target instanceof HTMLInputElement) return moved && ["range", "radio"].includes(target.type);
  return (name === "Enter" || name === " ") && (target instanceof HTMLButtonElement || target instanceof HTMLAnchorElement);
}

/**
 * Whether a key ends the input into a field of a question, so that the next key is one of the page again.
 * @param {EventTarget | null} target
 * @param {string} name  as `nameOf` gives it
 * @returns {boolean}
 */
export function leavesField(target, name) {
  if (!(target instanceof HTMLElement) || target.closest("#questions") === null) return false;
  const field = target instanceof HTMLSelectElement || (target instanceof HTMLInputElement && target.type === "text");
  return field && (name === "Enter" || name === "Escape");
}

/**
 * After a click by mouse or finger, give the keys back to the page: Enter means "next" again, not the button that was clicked.
 * @param {MouseEvent} event
 * @param {HTMLElement} frame  what gets the focus
 */
export function releaseFocus({ target, detail }, frame) {
  const byKeyboard = detail === 0;
  if (!byKeyboard && target instanceof Element && target.closest("button")) frame.focus();
}

/** @type {readonly HelpLine[]} */
export const HELP = Object.freeze([
  { keys: ["0", "…", "9"], text: strings.study.keys.rating, when: "always" },
  { keys: ["Y", "N"], text: strings.study.keys.yesNo, when: "decision" },
  { keys: ["M"], text: strings.study.keys.place, when: "marks" },
  { keys: ["←", "→", "↑", "↓"], text: strings.study.keys.move, when: "always" },
  { keys: ["Shift + ←", "→", "↑", "↓"], text: strings.study.keys.size, when: "marks" },
  { keys: ["J", "K"], text: strings.study.keys.otherMark, when: "marks" },
  { keys: ["Delete"], text: strings.study.keys.remove, when: "marks" },
  { keys: ["Esc"], text: strings.study.keys.deselect, when: "marks" },
  { keys: ["X"], text: strings.study.keys.nothing, when: "marks" },
  { keys: ["Tab", "Space"], text: strings.study.keys.items, when: "items" },
  { keys: ["U", "Shift + U"], text: strings.study.keys.undo, when: "always" },
  { keys: ["Enter"], text: strings.study.keys.next, when: "always" },
  { keys: ["Page up"], text: strings.study.keys.earlier, when: "back" },
  { keys: ["A"], text: strings.study.keys.keep, when: "aid" },
  { keys: ["H"], text: strings.study.keys.hide, when: "aid" },
  { keys: ["L", "Shift + L"], text: strings.study.keys.opacity, when: "aid" },
  { keys: ["T", "W", "G"], text: strings.study.keys.tools, when: "always" },
  { keys: ["+", "−"], text: strings.study.keys.zoom, when: "always" },
  { keys: ["F", "O"], text: strings.study.keys.fit, when: "always" },
  { keys: ["I"], text: strings.study.keys.invert, when: "always" },
  { keys: ["B", "D"], text: strings.study.keys.brightness, when: "always" },
  { keys: ["C", "V"], text: strings.study.keys.contrast, when: "always" },
  { keys: ["R"], text: strings.study.keys.reset, when: "always" },
  { keys: ["P"], text: strings.study.keys.pause, when: "always" },
  { keys: ["?"], text: strings.study.keys.help, when: "always" },
]);
