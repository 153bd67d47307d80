/** Which key does what: the first keys, what the reader changed, and no key with two meanings. */

import { ACTIONS } from "./actions.js";

/** @import {SettingsStore} from "../session.js" */

const RESERVED = new Set(["Tab", "Shift+Tab", "Escape"]);

/** Keys and actions, both ways. */
export class Keymap {
  /** @param {SettingsStore} settings */
  constructor(settings) {
    this.settings = settings;
  }

  /** @param {string} action @returns {string[]} */
  keys(action) {
    return this.settings.get("keys")[action] ?? ACTIONS.find((each) => each.action === action)?.keys ?? [];
  }

  /** @param {string} key @returns {string|null} */
  action(key) {
    return ACTIONS.find(({ action }) => this.keys(action).includes(key))?.action ?? null;
  }

  /**
   * Say why an action cannot have a key.
   *
   * @param {string} action @param {string} key
   * @returns {{kind: "reserved"}|{kind: "taken", action: string}|null}   null where it can
   */
  conflict(action, key) {
    if (RESERVED.has(key)) return { kind: "reserved" };
    const holder = this.action(key);
    return holder === null || holder === action ? null : { kind: "taken", action: holder };
  }

  /**
   * Give an action one key in place of those that it has.
   *
   * @param {string} action @param {string} key
   * @returns {boolean}   false where another action has the key; nothing is changed then
   */
  change(action, key) {
    if (this.conflict(action, key) !== null) return false;
    this.settings.set("keys", { ...this.settings.get("keys"), [action]: [key] });
    return true;
  }

  /** Give every action its first keys. */
  restore() {
    this.settings.set("keys", {});
  }
}

/**
 * Say whether a key must stay with the element that got it, such as a letter with a search field.
 *
 * @param {EventTarget|null} target
 * @param {string} key
 * @returns {boolean}
 */
export function keyBelongsTo(target, key) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.closest("dialog[open]")) return true;
  const moves = /^(Shift\+)?(Arrow|Page|Home|End)/.test(key);
  if (target instanceof HTMLInputElement && target.type === "range") return moves;
  if (target instanceof HTMLInputElement && /^(checkbox|radio)$/.test(target.type))
    return key === " " || (target.type === "radio" && moves);
  if (target.closest("input, textarea, select")) return true;
  if (target.closest("button, summary, a")) return key === " " || key === "Enter";
  return moves && !key.startsWith("Shift") && target.closest(".sections") !== null;
}
