/** Save what is on the screen and what was read. */

import { strings } from "../../strings/en.js";
import { button, fill, h } from "../dom.js";

const words = strings.viewer;

/** Buttons that save files; emits "save" with what. */
export class ExportPanel extends EventTarget {
  constructor() {
    super();
    this.element = h("div", { class: "export" });
  }

  /** @param {{film: boolean, reading: boolean}} there   what can be saved */
  show(there) {
    const save = (/** @type {keyof typeof words.export.buttons} */ what, /** @type {boolean} */ can) =>
      button(words.export.buttons[what], () => this.dispatchEvent(new CustomEvent("save", { detail: what })), {
        icon: "save",
        quiet: false,
        disabled: !can,
      });
    fill(
      this.element,
      h("h4", {}, words.export.film),
      h(
        "div",
        { class: "button-grid" },
        save("png_map", there.film && there.reading),
        save("png", there.film),
        save("json", there.reading),
        this.dicom(),
      ),
      h("p", { class: "note", id: "dicom-why" }, words.export.dicomWhy),
      h("h4", {}, words.export.all),
      h("div", { class: "button-grid" }, save("all_jsonl", true), save("all_csv", true)),
    );
  }

  /** A button that cannot be pressed yet, but can be reached, so that its reason is read out. */
  dicom() {
    const press = button(words.export.dicom, () => undefined, { icon: "save", quiet: false });
    press.setAttribute("aria-disabled", "true");
    press.setAttribute("aria-describedby", "dicom-why");
    return press;
  }
}

/**
 * Let the browser save bytes.
 *
 * @param {Blob} blob @param {string} name
 */
export function saveBlob(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = h("a", { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Make a file's name of a film's label. @param {string} label @param {string} ending */
export function fileName(label, ending) {
  return `${
    label
      .replace(/[^\p{L}\p{N}._-]+/gu, "_")
      .replace(/^[._]+/, "")
      .slice(0, 80) || "film"
  }${ending}`;
}
