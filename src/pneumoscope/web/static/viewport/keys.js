// The keys of a viewport. A key is written as its modifiers and KeyboardEvent.key: "f", "Shift+ArrowUp", "Control+z".

/** @typedef {keyof typeof import("../strings/en.js").strings.viewport.actions} Action */

/** @typedef {Record<string, Action>} KeyMap */

/** @type {Readonly<KeyMap>} */
export const DEFAULT_KEYS = Object.freeze({
  f: "fit",
  1: "actual_size",
  "+": "zoom_in",
  "=": "zoom_in",
  "-": "zoom_out",
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
  "Shift+ArrowUp": "brighter",
  "Shift+ArrowDown": "darker",
  "Shift+ArrowRight": "less_contrast",
  "Shift+ArrowLeft": "more_contrast",
  u: "auto_window",
  v: "next_preset",
  i: "invert",
  h: "flip",
  r: "rotate",
  R: "rotate_back",
  0: "reset",
  x: "smooth_film",
  w: "tool_window",
  p: "tool_pan",
  l: "tool_ruler",
  a: "tool_angle",
  g: "tool_loupe",
  t: "tool_point",
  Enter: "place_point",
  Escape: "cancel",
  Backspace: "undo_measurement",
  m: "map_toggle",
  " ": "map_hide",
  "]": "map_more",
  "[": "map_less",
  s: "map_smooth",
  c: "map_contours",
  b: "map_whole",
  ".": "threshold_up",
  ",": "threshold_down",
  n: "next_shape",
  N: "previous_shape",
});

/**
 * The name of the key that was pressed, as in a key map; letters carry their case, so Shift is named only for other keys.
 * @param {KeyboardEvent} event
 */
export function keyName(event) {
  const named = event.key.length > 1;
  const types = event.getModifierState("AltGraph"); // AltGr types a character, and may arrive as Control and Alt
  const modifiers = [
    event.ctrlKey && !types && "Control",
    event.altKey && !types && "Alt",
    event.metaKey && "Meta",
    event.shiftKey && named && "Shift",
  ];
  return [...modifiers.filter(Boolean), event.key].join("+");
}

/**
 * The action of a key; undefined where it has none.
 * @param {KeyMap} keys
 * @param {KeyboardEvent} event
 * @returns {Action | undefined}
 */
export function actionOf(keys, event) {
  return Object.hasOwn(keys, keyName(event)) ? keys[keyName(event)] : undefined;
}
