/** The map of the keys: what each does, and how to change it. */

import { strings } from "../../strings/en.js";
import { button, fill, h, spoken, toggle } from "../dom.js";
import { keyName } from "../../viewport/keys.js";
import { ACTIONS, actionLabel } from "./actions.js";

const words = strings.viewer;

/** @import {Keymap} from "./keymap.js" */
/** @import {SettingsStore} from "../session.js" */

const GROUPS = /** @type {const} */ (["worklist", "film", "map", "findings", "page"]);

/** A modal dialog with a table of keys. */
export class KeyDialog {
  /**
   * @param {Keymap} keymap @param {SettingsStore} settings
   */
  constructor(keymap, settings) {
    this.keymap = keymap;
    this.settings = settings;
    /** @type {string|null} */
    this.changing = null;
    this.message = h("p", { class: "key-message", role: "status" });
    this.body = h("div", { class: "key-groups" });
    this.element = h(
      "dialog",
      {
        class: "dialog wide",
        "aria-labelledby": "keys-title",
        on: { keydown: (/** @type {KeyboardEvent} */ event) => this.onKey(event), close: () => (this.changing = null) },
      },
      h(
        "header",
        { class: "dialog-head" },
        h("h2", { id: "keys-title" }, words.keys.title),
        button(words.close, () => this.element.close(), { icon: "close" }),
      ),
      h("p", { class: "muted" }, words.keys.intro),
      this.body,
      this.message,
      h(
        "footer",
        { class: "dialog-foot" },
        toggle(words.keys.single, settings.get("singleKeys"), (on) => settings.set("singleKeys", on)),
        button(words.keys.restore, () => this.restore()),
      ),
    );
  }

  open() {
    this.message.textContent = "";
    this.render();
    this.element.showModal();
  }

  restore() {
    this.keymap.restore();
    this.message.textContent = words.keys.restored;
    this.render();
  }

  render() {
    fill(
      this.body,
      ...GROUPS.map((group) =>
        h(
          "section",
          {},
          h("h3", {}, words.keys.groups[group]),
          h("dl", { class: "keys" }, ...ACTIONS.filter((each) => each.group === group).flatMap((each) => this.row(each.action))),
        ),
      ),
    );
  }

  /** @param {string} action */
  row(action) {
    const label = actionLabel(action);
    const shown = this.changing === action ? [words.keys.press] : this.keymap.keys(action);
    const change = h(
      "button",
      {
        type: "button",
        class: this.changing === action ? "key-change waiting" : "key-change",
        "data-action": action,
        on: { click: () => this.begin(action) },
      },
      spoken(words.keys.change(label)),
      ...shown.map((key) => h("kbd", {}, words.keys.name(key))),
    );
    return [h("dt", {}, label), h("dd", {}, change)];
  }

  /** @param {string} action */
  begin(action) {
    this.changing = action;
    this.message.textContent = words.keys.pressFor(actionLabel(action));
    this.renderAndFocus(action);
  }

  /** @param {string} action */
  renderAndFocus(action) {
    this.render();
    /** @type {HTMLElement|null} */ (this.body.querySelector(`[data-action="${action}"]`))?.focus();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const action = this.changing;
    if (action === null) return;
    const key = keyName(event);
    if (event.key.length > 1 && ["Shift", "Control", "Alt", "Meta", "Tab"].includes(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    this.changing = null;
    this.message.textContent = key === "Escape" ? "" : this.change(action, key);
    this.renderAndFocus(action);
  }

  /**
   * @param {string} action @param {string} key
   * @returns {string}   what was done or why not
   */
  change(action, key) {
    const conflict = this.keymap.conflict(action, key);
    if (conflict?.kind === "reserved") return words.keys.reserved(words.keys.name(key));
    if (conflict?.kind === "taken") return words.keys.taken(words.keys.name(key), actionLabel(conflict.action));
    this.keymap.change(action, key);
    return words.keys.changed(actionLabel(action), words.keys.name(key));
  }
}
