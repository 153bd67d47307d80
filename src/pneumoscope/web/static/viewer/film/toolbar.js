/** The tools of the film as an ARIA toolbar: one stop of the Tab key, arrows move inside. */

import { strings } from "../../strings/en.js";
import { button, h, select } from "../dom.js";
import { actionLabel } from "../keys/actions.js";

const words = strings.viewer;

/** @import {Keymap} from "../keys/keymap.js" */

const TOOLS = /** @type {const} */ (["window", "pan", "ruler", "angle", "loupe"]);
const COMMANDS = /** @type {const} */ ([
  ["auto_window", "auto"],
  ["invert", "invert"],
  ["flip", "flip"],
  ["rotate", "rotate"],
]);
const SIZES = /** @type {const} */ ([
  ["fit", "fit"],
  ["actual_size", "one"],
  ["zoom_out", "minus"],
  ["zoom_in", "plus"],
]);

/** @param {string} name @returns {string} */
const presetLabel = (name) => /** @type {Record<string, string>} */ (strings.viewport.presets)[name] ?? name;

/** Buttons for every tool; emits "action" (name), "preset" (name) and "mode" (name). */
export class Toolbar extends EventTarget {
  /**
   * @param {Keymap} keymap
   * @param {string[]} presets   names of the viewport's window presets
   */
  constructor(keymap, presets) {
    super();
    this.keymap = keymap;
    /** @type {Map<string, HTMLButtonElement>} */
    this.buttons = new Map();
    this.preset = select(
      words.presets.label,
      [["", words.presets.choose], ...presets.map((name) => /** @type {[string, string]} */ ([name, presetLabel(name)]))],
      "",
      (name) => this.choosePreset(name),
      true,
    );
    this.modes = select(
      words.compare.label,
      Object.entries(words.compare.modes),
      "single",
      (mode) => this.emit("mode", mode),
      true,
    );
    this.element = h(
      "div",
      { class: "toolbar", role: "toolbar", "aria-label": words.tools },
      this.group(words.toolGroups.tools, ...TOOLS.map((tool) => this.press(`tool_${tool}`, tool))),
      this.group(words.toolGroups.grey, this.preset, ...COMMANDS.map(([action, symbol]) => this.press(action, symbol))),
      this.group(words.toolGroups.size, ...SIZES.map(([action, symbol]) => this.press(action, symbol))),
      this.group(words.toolGroups.undo, this.press("undo_measurement", "undo"), this.press("reset", "reset")),
    );
    const map = this.press("map_toggle", "map", false);
    this.mapTools = this.group(words.toolGroups.map, map, this.modes);
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.rove(0);
  }

  /** @param {string} label @param {...HTMLElement} children */
  group(label, ...children) {
    return h("div", { class: "tool-group", role: "group", "aria-label": label }, ...children);
  }

  /** @param {string} action @param {string} symbol @param {boolean} [quiet]   the words are not shown */
  press(action, symbol, quiet = true) {
    const label = actionLabel(action);
    const element = button(quiet ? label : words.sections.map, () => this.emit("action", action), {
      icon: symbol,
      quiet,
      class: "tool",
      title: words.withKey(label, this.keymap.keys(action)),
    });
    this.buttons.set(action, element);
    return element;
  }

  /** @param {string} name */
  choosePreset(name) {
    const list = this.preset.querySelector("select");
    if (name !== "") this.emit("preset", name);
    if (list) list.value = "";
  }

  /**
   * Show what is on.
   *
   * @param {{tool?: string, map_toggle?: boolean, invert?: boolean, flip?: boolean, mode?: string}} state
   */
  show(state) {
    const pressed = (/** @type {string} */ action, /** @type {boolean} */ on) => {
      this.buttons.get(action)?.setAttribute("aria-pressed", String(on));
      this.buttons.get(action)?.classList.toggle("on", on);
    };
    if (state.tool !== undefined) for (const tool of TOOLS) pressed(`tool_${tool}`, tool === state.tool);
    for (const name of /** @type {const} */ (["map_toggle", "invert", "flip"]))
      if (state[name] !== undefined) pressed(name, state[name]);
    const list = this.modes.querySelector("select");
    if (list && state.mode !== undefined) list.value = state.mode;
  }

  /** @returns {HTMLElement[]} */
  stops() {
    return /** @type {HTMLElement[]} */ ([...this.element.querySelectorAll("button, select")]);
  }

  /** @param {number} at */
  rove(at) {
    this.stops().forEach((stop, index) => (stop.tabIndex = index === at ? 0 : -1));
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const stops = this.stops();
    const at = stops.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: stops.length - 1 }[event.key];
    if (to === undefined || at < 0 || event.shiftKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const next = (to + stops.length) % stops.length;
    this.rove(next);
    stops[next].focus();
  }

  /** @param {string} name @param {any} detail */
  emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
