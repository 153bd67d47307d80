// The questions of a case, beside the radiograph.

import { strings } from "../strings/en.js";
import { fill } from "../strings/fill.js";
import { make } from "./dom.js";
import { ItemInput } from "./item_input.js";
import { RatingInput } from "./rating_input.js";
import { written } from "./scale.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {import("./types.js").Questions} Questions */

/**
 * What a reader does in the form.
 * @typedef {object} FormEvents
 * @property {(value: number, amend: boolean) => void} onRate
 * @property {(decision: "positive" | "negative") => void} onDecide
 * @property {(index: number) => void} onSelect
 * @property {(index: number) => void} onRemove
 * @property {(index: number, value: number, amend: boolean) => void} onConfidence
 * @property {() => void} onNothing
 * @property {(name: string, value: string, amend: boolean) => void} onItem
 */

/** @typedef {{row: HTMLLIElement, choose: HTMLButtonElement, value: HTMLElement, input: RatingInput | null}} Row */

const texts = strings.study.reading;

/** The questions. */
export class AnswerForm {
  /**
   * @param {HTMLElement} root
   * @param {Questions} questions
   * @param {string} target  what the reader looks for
   * @param {FormEvents} events
   */
  constructor(root, questions, target, events) {
    this.questions = questions;
    this.events = events;
    /** @type {Row[]} */
    this.rows = [];
    this.built = "";
    root.replaceChildren(this.ratingPart(target));
    if (questions.decision) root.append(this.decisionPart(target));
    if (questions.marks) root.append(this.marksPart());
    /** @type {Map<string, ItemInput>} */
    this.items = new Map();
    for (const item of questions.items) root.append(this.itemPart(item));
  }

  /** @param {string} target */
  ratingPart(target) {
    const { rating: scale } = this.questions;
    const label = fill(texts.rating, { target });
    this.rating = new RatingInput(scale, label, this.events.onRate);
    this.ratingValue = make("output", { className: "rating-value" });
    const low = make("span", { textContent: fill(texts.ratingLow, { low: scale.low }) });
    const ends = make("p", { className: "hint rating-ends" }, low, make("span", { textContent: fill(texts.ratingHigh, { high: scale.high }) }));
    const head = make("div", { className: "question-head" }, make("h2", { textContent: label }), this.ratingValue);
    this.ratingSection = make("section", { className: "question" }, head, this.rating.element, ...(scale.labels.length ? [] : [ends]));
    return this.ratingSection;
  }

  /** @param {string} target */
  decisionPart(target) {
    const label = fill(texts.decision, { target });
    const group = make("div", { className: "rating-buttons" });
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    this.decisions = /** @type {const} */ (["positive", "negative"]).map((decision) => {
      const button = make("button", { type: "button" }, texts[decision], " ", key(texts[`${decision}Key`]));
      button.addEventListener("click", () => this.events.onDecide(decision));
      group.append(button);
      return { decision, button };
    });
    return make("section", { className: "question" }, make("h2", { textContent: label }), group);
  }

  marksPart() {
    this.markList = make("ol", { className: "mark-list" });
    this.nothing = make("button", { type: "button", className: "nothing" });
    this.nothing.addEventListener("click", this.events.onNothing);
    const explain = make("p", { className: "hint", textContent: texts.marksExplain });
    return make("section", { className: "question" }, make("h2", { textContent: texts.marks }), explain, this.markList, this.nothing);
  }

  /** @param {Item} item */
  itemPart(item) {
    const label = item.required ? `${item.text} (${texts.required})` : item.text;
    const input = new ItemInput(item, label, (value, amend) => this.events.onItem(item.name, value, amend));
    this.items.set(item.name, input);
    return input.element;
  }

  /**
   * Show an answer.
   * @param {Answer} answer
   * @param {number} selected  index of the selected mark; -1: none
   * @param {string} typed  digits that are being typed
   */
  update(answer, selected, typed) {
    this.rating?.update(answer.rating);
    const { rating: scale } = this.questions;
    const shown = answer.rating === null ? texts.ratingUnset : written(scale, answer.rating);
    if (this.ratingValue) this.ratingValue.textContent = typed && selected < 0 ? `${typed} ▏` : shown;
    this.ratingSection?.classList.toggle("digits", selected < 0);
    for (const { decision, button } of this.decisions ?? []) button.setAttribute("aria-pressed", String(answer.decision === decision));
    this.updateMarks(answer, selected, typed);
    for (const [name, input] of this.items) input.update(answer.items[name] ?? "");
  }

  /**
   * @param {Answer} answer
   * @param {number} selected
   * @param {string} typed
   */
  updateMarks(answer, selected, typed) {
    if (!this.markList || !this.nothing) return;
    const built = `${answer.marks.length} ${selected}`;
    // Rows stay while only their values change: a slider that is dragged, and the focus, must not be replaced.
    if (this.built !== built) this.buildRows(answer.marks.length, selected);
    this.built = built;
    this.rows.forEach((row, k) => this.updateRow(row, answer.marks[k], k === selected ? typed : ""));
    const words = answer.no_marks ? texts.nothingConfirmed : texts.nothing;
    this.nothing.replaceChildren(words, " ", key(texts.nothingKey));
    this.nothing.setAttribute("aria-pressed", String(answer.no_marks));
    this.nothing.hidden = answer.marks.length > 0;
  }

  /**
   * @param {number} count
   * @param {number} selected
   */
  buildRows(count, selected) {
    const focused = this.rows.findIndex(({ row }) => row.contains(document.activeElement));
    this.rows = Array.from({ length: count }, (_, k) => this.markRow(k, k === selected));
    this.markList?.replaceChildren(...this.rows.map(({ row }) => row));
    if (focused >= 0) (this.rows[Math.min(focused, count - 1)]?.choose ?? this.nothing)?.focus();
  }

  /**
   * @param {Row} row
   * @param {Mark} mark
   * @param {string} typed
   */
  updateRow({ value, input }, mark, typed) {
    const scale = /** @type {import("./types.js").Scale} */ (this.questions.marks);
    value.textContent = typed ? `${typed} ▏` : mark.rating === null ? texts.confidenceUnset : written(scale, mark.rating);
    input?.update(mark.rating);
  }

  /**
   * @param {number} index
   * @param {boolean} selected
   * @returns {Row}
   */
  markRow(index, selected) {
    const number = index + 1;
    const scale = /** @type {import("./types.js").Scale} */ (this.questions.marks);
    const value = make("span", {});
    const name = make("strong", { textContent: fill(texts.mark, { number }) });
    const choose = make("button", { type: "button", className: "mark-choose" }, name, " ", value);
    choose.setAttribute("aria-pressed", String(selected));
    choose.addEventListener("click", () => this.events.onSelect(selected ? -1 : index));
    const remove = make("button", { type: "button", className: "mark-remove", textContent: "✕" });
    remove.setAttribute("aria-label", fill(texts.removeMark, { number }));
    remove.addEventListener("click", () => this.events.onRemove(index));
    const row = make("li", { className: selected ? "selected" : "" }, choose, remove);
    if (!selected) return { row, choose, value, input: null };
    const label = fill(texts.confidence, { number });
    const input = new RatingInput(scale, label, (given, amend) => this.events.onConfidence(index, given, amend));
    row.append(input.element);
    return { row, choose, value, input };
  }
}

/** @param {string} name */
function key(name) {
  const element = make("kbd", { textContent: name });
  element.setAttribute("aria-hidden", "true");
  return element;
}
