/** Everything that a key can do on this page, with its first keys; those of the film are the viewport's own. */

import { strings } from "../../strings/en.js";

const words = strings.viewer;

/**
 * @typedef {"worklist"|"film"|"map"|"findings"|"page"} ActionGroup
 * @typedef {{action: string, group: ActionGroup, keys: string[]}} Action
 */

/** @type {Action[]} */
export const ACTIONS = [
  { action: "next_film", group: "worklist", keys: ["j", "PageDown"] },
  { action: "previous_film", group: "worklist", keys: ["k", "PageUp"] },
  { action: "worklist", group: "worklist", keys: ["q"] },
  { action: "close_film", group: "worklist", keys: ["Delete"] },
  { action: "search", group: "worklist", keys: ["/"] },
  { action: "read_film", group: "worklist", keys: ["d"] },
  { action: "read_all", group: "worklist", keys: ["D"] },
  { action: "tool_window", group: "film", keys: ["w"] },
  { action: "tool_pan", group: "film", keys: ["p"] },
  { action: "tool_ruler", group: "film", keys: ["l"] },
  { action: "tool_angle", group: "film", keys: ["a"] },
  { action: "tool_loupe", group: "film", keys: ["g"] },
  { action: "auto_window", group: "film", keys: ["u"] },
  { action: "next_preset", group: "film", keys: ["v"] },
  { action: "invert", group: "film", keys: ["i"] },
  { action: "flip", group: "film", keys: ["h"] },
  { action: "rotate", group: "film", keys: ["r"] },
  { action: "rotate_back", group: "film", keys: ["R"] },
  { action: "fit", group: "film", keys: ["f"] },
  { action: "actual_size", group: "film", keys: ["1"] },
  { action: "zoom_in", group: "film", keys: ["+", "="] },
  { action: "zoom_out", group: "film", keys: ["-"] },
  { action: "left", group: "film", keys: ["ArrowLeft"] },
  { action: "right", group: "film", keys: ["ArrowRight"] },
  { action: "up", group: "film", keys: ["ArrowUp"] },
  { action: "down", group: "film", keys: ["ArrowDown"] },
  { action: "brighter", group: "film", keys: ["Shift+ArrowUp"] },
  { action: "darker", group: "film", keys: ["Shift+ArrowDown"] },
  { action: "more_contrast", group: "film", keys: ["Shift+ArrowLeft"] },
  { action: "less_contrast", group: "film", keys: ["Shift+ArrowRight"] },
  { action: "smooth_film", group: "film", keys: ["x"] },
  { action: "place_point", group: "film", keys: ["Enter"] },
  { action: "undo_measurement", group: "film", keys: ["Backspace"] },
  { action: "reset", group: "film", keys: ["0"] },
  { action: "map_toggle", group: "map", keys: ["m"] },
  { action: "map_hide", group: "map", keys: [" "] },
  { action: "map_less", group: "map", keys: ["["] },
  { action: "map_more", group: "map", keys: ["]"] },
  { action: "threshold_down", group: "map", keys: [","] },
  { action: "threshold_up", group: "map", keys: ["."] },
  { action: "map_smooth", group: "map", keys: ["s"] },
  { action: "map_contours", group: "map", keys: ["c"] },
  { action: "map_whole", group: "map", keys: ["b"] },
  { action: "compare", group: "map", keys: ["y"] },
  { action: "next_finding", group: "findings", keys: ["n"] },
  { action: "previous_finding", group: "findings", keys: ["N"] },
  { action: "boxes", group: "findings", keys: ["o"] },
  { action: "lungs", group: "findings", keys: ["e"] },
  { action: "reference", group: "findings", keys: ["z"] },
  { action: "theme", group: "page", keys: ["T"] },
  { action: "keys", group: "page", keys: ["?"] },
];

/** @type {Readonly<Record<string, string>>} */
const LABELS = { ...strings.viewport.actions, ...words.actions };

/**
 * Say what an action does.
 *
 * @param {string} action
 * @returns {string}
 */
export function actionLabel(action) {
  return LABELS[action] ?? action;
}
