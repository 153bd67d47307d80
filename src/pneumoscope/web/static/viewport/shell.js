// The elements within a viewport: what has the focus, the canvas for lines and letters, and the texts for a screen reader.

import { strings } from "../strings/en.js";
import { sheet } from "./style.js";

const texts = strings.viewport;
const PAUSE_MS = 300; // a screen reader hears the last of a row of changes

export class Shell {
  #timer = 0;

  /** @param {HTMLElement} host */
  constructor(host) {
    const root = host.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [sheet];
    this.stage = document.createElement("div");
    this.stage.className = "stage";
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-roledescription", texts.role);
    this.stage.setAttribute("aria-label", texts.name);
    this.stage.setAttribute("aria-describedby", "description hint");
    this.overlay = document.createElement("canvas");
    this.overlay.className = "overlay";
    this.overlay.setAttribute("aria-hidden", "true");
    this.stage.append(this.overlay);
    this.description = spoken("description", texts.empty);
    this.live = spoken("live", "");
    this.live.setAttribute("aria-live", "polite");
    root.append(this.stage, this.description, spoken("hint", texts.hint), this.live);
  }

  /**
   * Say a text after a pause, in place of the one before.
   * @param {string} text
   */
  announce(text) {
    clearTimeout(this.#timer);
    this.#timer = Number(setTimeout(() => (this.live.textContent = text), PAUSE_MS));
  }

  /**
   * Clear the canvas for lines, and return it for drawing in CSS pixels.
   * @param {number} width  of the canvas in pixels of the device
   * @param {number} height
   * @param {number} ratio
   */
  lines(width, height, ratio) {
    const { overlay } = this;
    if (overlay.width !== width) overlay.width = width;
    if (overlay.height !== height) overlay.height = height;
    const context = overlay.getContext("2d");
    if (!context) throw new Error("no 2-D canvas");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    return context;
  }
}

/**
 * @param {string} id
 * @param {string} text
 */
function spoken(id, text) {
  const element = document.createElement("p");
  [element.id, element.className, element.textContent] = [id, "spoken", text];
  return element;
}
