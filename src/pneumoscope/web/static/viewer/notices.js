/** Say what happened: to a screen reader by live regions, to everyone by short messages. */

import { strings } from "../strings/en.js";
import { button, h, icon } from "./dom.js";

const words = strings.viewer;

const SHOWN_MS = 6000;

/** Live regions and a stack of messages. */
export class Notices {
  constructor() {
    this.polite = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
    this.stack = h("div", { class: "notices", role: "alert" });
    this.element = h("div", {}, this.polite, this.stack);
  }

  /**
   * Say something that needs no action; only a screen reader shows it.
   *
   * @param {string} text
   */
  announce(text) {
    this.polite.textContent = "";
    requestAnimationFrame(() => (this.polite.textContent = text));
  }

  /**
   * Show a message.
   *
   * @param {string} text
   * @param {"error"|"info"} [kind]   an error stays until it is closed
   */
  show(text, kind = "info") {
    const notice = h(
      "div",
      { class: `notice ${kind}` },
      icon(kind === "error" ? "alert" : "info"),
      h("p", {}, text),
      button(words.close, () => notice.remove(), { icon: "close" }),
    );
    this.stack.append(notice);
    while (this.stack.childElementCount > 3) this.stack.firstElementChild?.remove();
    if (kind === "info") setTimeout(() => notice.remove(), SHOWN_MS);
  }
}
