// A further question of the form: buttons for a few choices, a list for many, a field for free text.

import { make } from "./dom.js";

/** @typedef {import("./types.js").Item} Item */

/** More choices than this are a list. */
const MOST_BUTTONS = 6;

/** The input of a further question. */
export class ItemInput {
  /**
   * @param {Item} item
   * @param {string} label
   * @param {(value: string, amend: boolean) => void} onValue  `amend`: the value goes on changing, as while text is typed
   */
  constructor(item, label, onValue) {
    this.item = item;
    this.onValue = onValue;
    /** @type {HTMLInputElement | HTMLSelectElement | null} */
    this.field = null;
    this.element = item.choices.length && item.choices.length <= MOST_BUTTONS ? this.buttons(label) : this.labelled(label);
  }

  /** @param {string} label */
  buttons(label) {
    const group = make("div", { className: "rating-buttons" });
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    for (const value of this.item.choices) {
      const button = make("button", { type: "button", textContent: value });
      button.dataset.value = value;
      button.addEventListener("click", () => this.onValue(value, false));
      group.append(button);
    }
    return make("section", { className: "question" }, make("h2", { textContent: label }), group);
  }

  /** @param {string} label */
  labelled(label) {
    const field = this.item.choices.length ? list(this.item.choices) : make("input", { type: "text", maxLength: 1000, autocomplete: "off" });
    field.id = `item-${this.item.name}`;
    field.required = this.item.required;
    let typing = false;
    field.addEventListener("input", () => {
      this.onValue(field.value, typing);
      typing = true;
    });
    field.addEventListener("change", () => (typing = false));
    this.field = field;
    return make("section", { className: "question" }, make("label", { htmlFor: field.id, textContent: label }), field);
  }

  /** @param {string} value  empty without an answer */
  update(value) {
    if (this.field && this.field.value !== value) this.field.value = value;
    for (const button of this.element.querySelectorAll("button")) button.setAttribute("aria-pressed", String(button.dataset.value === value));
  }
}

/** @param {string[]} choices */
function list(choices) {
  const empty = make("option", { value: "", textContent: "—" });
  return make("select", {}, empty, ...choices.map((value) => make("option", { value, textContent: value })));
}
