/** The line at the top of the page: name, what this is not, connection, theme and keys. */

import { strings } from "../strings/en.js";
import { button, h, icon } from "./dom.js";

const words = strings.viewer;

/** @import {SettingsStore} from "./session.js" */

const THEMES = /** @type {const} */ (["dark", "light", "system"]);

/** Shows the state of the connection and switches the theme. */
export class PageHead {
  /**
   * @param {SettingsStore} settings @param {() => void} openKeys
   */
  constructor(settings, openKeys) {
    this.settings = settings;
    /** @type {boolean|null} */
    this.connection = null;
    this.link = h("p", { class: "connection", hidden: true }, icon("offline"), h("span", {}, words.disconnected));
    this.theme = button("", () => this.nextTheme(), { icon: "theme-dark", class: "theme" });
    this.element = h(
      "header",
      { class: "page-head" },
      h("h1", { class: "brand" }, icon("brand"), h("span", {}, words.product)),
      h("p", { class: "disclaimer" }, words.disclaimer),
      h("span", { class: "push" }),
      this.link,
      this.theme,
      button(words.keys.title, openKeys, { icon: "keyboard" }),
    );
    this.showTheme();
  }

  /** @param {boolean} connected */
  showConnection(connected) {
    this.connection = connected;
    this.link.hidden = connected;
  }

  nextTheme() {
    const at = THEMES.indexOf(this.settings.get("theme"));
    this.settings.set("theme", THEMES[(at + 1) % THEMES.length]);
    this.showTheme();
  }

  showTheme() {
    const theme = this.settings.get("theme");
    document.documentElement.dataset.theme = theme;
    const label = words.themes[theme];
    this.theme.title = label;
    this.theme.setAttribute("aria-label", label);
    this.theme.replaceChildren(icon(`theme-${theme}`));
  }
}
