// One case: the answer as it grows, its undo history, its saving, its active time.

import { Activity } from "./activity.js";
import * as answers from "./answer.js";
import { newKey } from "./api.js";
import { History } from "./history.js";
import { pointMark, moved, sized } from "./mark_geometry.js";
import { unanswered } from "./memory.js";
import { Saver } from "./saver.js";
import { TypedRating } from "./scale.js";

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {import("./types.js").Questions} Questions */
/** @typedef {import("./types.js").Receipt} Receipt */
/** @typedef {import("./saver.js").SaveState} SaveState */

/** Changes that follow one another within this time, such as the digits of a number, are saved together. */
const GATHER_MS = 300;

/**
 * What a case needs of the page around it.
 * @typedef {object} Around
 * @property {import("./api.js").StudyApi} api
 * @property {import("./film_stage.js").FilmStage} stage
 * @property {(reading: Reading) => void} onChange  to be drawn again
 * @property {(state: SaveState, message: string) => void} onState
 */

/** The answer to a case while it is given. */
export class Reading {
  /**
   * @param {Around} around
   * @param {object} task
   * @param {string} task.token
   * @param {number} task.step
   * @param {number} task.base
   * @param {Partial<Answer>} task.answer
   * @param {import("./types.js").Undo | null} task.undo  the history of the answer, as the server has it; null to start with the answer
   * @param {Questions} task.questions
   * @param {boolean} task.correcting  whether a locked answer is corrected: nothing is saved before it is complete
   */
  constructor(around, { token, step, base, answer, undo, questions, correcting }) {
    this.around = around;
    this.questions = questions;
    this.correcting = correcting;
    this.history = undo ? new History(undo.states.map(answers.completed), undo.place) : new History([answers.completed(answer)]);
    this.activity = new Activity(newKey(), () => performance.now());
    this.selected = -1;
    this.locked = false;
    /** @type {TypedRating | null} */
    this.typing = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.gathering = undefined;
    this.saver = new Saver({
      send: ({ action, token: of, body }) => around.api.change(action, of, body),
      content: (action) => ({
        answer: this.answer, screen: around.stage.screen, signals: this.activity.take(), undo: action === "save" ? this.history.take() : null,
      }),
      // While a later change waits, the answer of an earlier one does not make it saved.
      onState: (state, message) => around.onState(state === "saved" && this.waiting ? "saving" : state, message),
      memory: unanswered,
      token,
      step,
      base,
    });
  }

  /** The present answer. */
  get answer() {
    return this.history.present;
  }

  /** Whether a change has not been sent yet. */
  get waiting() {
    return this.gathering !== undefined || this.saver.changed;
  }

  /** Digits that are being typed. */
  get typed() {
    return this.typing?.text ?? "";
  }

  /**
   * Change the answer.
   * @param {Answer} answer
   * @param {boolean} [amend]  whether this goes on with the last change
   */
  change(answer, amend = false) {
    if (this.locked || answers.same(answer, this.answer)) return this.draw();
    if (amend) this.history.amend(answer);
    else this.history.push(answer);
    this.changed(amend || this.typing !== null);
  }

  /** @param {boolean} gather  whether more is likely to follow at once */
  changed(gather) {
    this.selected = Math.min(this.selected, this.answer.marks.length - 1);
    this.draw();
    if (this.correcting) return;
    this.around.onState("saving", "");
    clearTimeout(this.gathering);
    if (gather) this.gathering = setTimeout(() => this.save(), GATHER_MS);
    else this.save();
  }

  /** Save the present answer; what becomes of it is told by `onState`. */
  save() {
    clearTimeout(this.gathering);
    this.gathering = undefined;
    if (!this.correcting && !this.locked) this.saver.save().catch(() => undefined);
  }

  /** Save the signals when the page may go away. */
  saveSignals() {
    if (this.activity.signals.length || this.gathering !== undefined) this.save();
  }

  draw() {
    this.around.onChange(this);
  }

  // Ratings

  /**
   * @param {number} value
   * @param {boolean} amend
   */
  rate(value, amend) {
    this.endTyping();
    this.change({ ...this.answer, rating: value }, amend);
  }

  /** @param {"positive" | "negative"} decision */
  decide(decision) {
    this.endTyping();
    this.change({ ...this.answer, decision });
  }

  /**
   * @param {number} index  of a mark
   * @param {number} value
   * @param {boolean} amend
   */
  rateMark(index, value, amend) {
    this.endTyping();
    this.setConfidence(index, value, amend);
  }

  /**
   * @param {number} index
   * @param {number} value
   * @param {boolean} amend
   */
  setConfidence(index, value, amend) {
    this.change(answers.withMarkAt(this.answer, index, { ...this.answer.marks[index], rating: value }), amend);
  }

  /**
   * Type a digit of the rating, or of the confidence of the selected mark.
   * @param {string} character
   */
  type(character) {
    const scale = this.selected >= 0 ? this.questions.marks : this.questions.rating;
    if (!scale || this.locked) return;
    this.typing ??= new TypedRating(scale);
    const value = character === "Backspace" ? this.typing.back() : this.typing.type(character);
    if (value === null) return this.draw();
    const goesOn = this.typing.text.length > 1 || character === "Backspace";
    if (this.selected >= 0) this.setConfidence(this.selected, value, goesOn);
    else this.change({ ...this.answer, rating: value }, goesOn);
  }

  /** The number that is being typed is complete. */
  endTyping() {
    this.typing = null;
  }

  // Marks

  /** @param {number} index */
  select(index) {
    this.endTyping();
    this.selected = index;
    this.draw();
  }

  /** @param {number} direction */
  selectOther(direction) {
    const count = this.answer.marks.length;
    if (count) this.select((this.selected + direction + count + (this.selected < 0 && direction < 0 ? 1 : 0)) % count);
  }

  /**
   * Add a mark.
   * @param {Mark} mark
   * @returns {boolean} false where there are too many
   */
  addMark(mark) {
    this.endTyping();
    if (this.answer.marks.length >= answers.MOST_MARKS) return false;
    this.selected = this.answer.marks.length;
    this.activity.add("mark");
    this.change(answers.withMark(this.answer, mark));
    return true;
  }

  /**
   * @param {number} index
   * @param {Mark} mark
   * @param {boolean} [amend]
   */
  setMark(index, mark, amend = false) {
    this.endTyping();
    this.selected = index;
    this.change(answers.withMarkAt(this.answer, index, mark), amend);
  }

  /** @param {number} index */
  removeMark(index) {
    this.endTyping();
    if (index < 0 || index >= this.answer.marks.length) return;
    this.selected = -1;
    this.change(answers.withoutMark(this.answer, index));
  }

  /** Place a mark in the middle of the view. */
  placeInMiddle() {
    const [row, col] = this.around.stage.middle;
    return this.addMark(pointMark(row, col));
  }

  /**
   * Move the selected mark, or change its size, by CSS pixels.
   * @param {"move" | "size"} what
   * @param {number} dx
   * @param {number} dy
   */
  adjust(what, dx, dy) {
    const { place } = this.around.stage;
    const mark = this.answer.marks[this.selected];
    if (!place || !mark) return;
    const changed = (what === "move" ? moved : sized)(place.film, place.toScreen, mark, dx, dy);
    const goesOn = this.adjusting === this.history.place;
    this.setMark(this.selected, changed, goesOn);
    this.adjusting = this.history.place;
  }

  nothingToMark() {
    this.endTyping();
    if (this.questions.marks && !this.answer.marks.length) this.change(answers.withNothingToMark(this.answer));
  }

  // The course of the answer

  /**
   * Start from another answer, such as the unaided one.
   * @param {Partial<Answer>} answer
   */
  restart(answer) {
    this.select(-1);
    this.change(answers.completed(answer));
  }

  undo() {
    this.endTyping();
    if (!this.history.canUndo || this.locked) return;
    this.history.undo();
    this.changed(false);
  }

  redo() {
    this.endTyping();
    if (!this.history.canRedo || this.locked) return;
    this.history.redo();
    this.changed(false);
  }

  /** What is still to be answered. */
  get missing() {
    return answers.missing(this.answer, this.questions);
  }

  /**
   * Lock the answer, or store its correction.
   * @returns {Promise<Receipt>}
   */
  async finish() {
    this.endTyping();
    clearTimeout(this.gathering);
    this.gathering = undefined;
    this.locked = true;
    this.draw();
    try {
      return await this.saver.finish(this.correcting ? "correct" : "lock");
    } catch (error) {
      this.locked = false;
      this.draw();
      throw error;
    }
  }
}
