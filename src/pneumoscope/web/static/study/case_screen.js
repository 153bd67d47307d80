// The screen on which a case is read: radiograph, tools, questions, and what the keyboard does.

import { fill } from "../strings/fill.js";
import { strings } from "../strings/en.js";
import { MOST_MARKS } from "./answer.js";
import { byId, make } from "./dom.js";
import { FilmStage } from "./film_stage.js";
import { AnswerForm } from "./form.js";
import { ACTIONS, belongsTo, HELP, leavesField, nameOf, releaseFocus } from "./keys.js";
import { Reading } from "./reading.js";
import { showScreen } from "./screens.js";
import { PxViewport } from "../viewport/px-viewport.js";

/** @typedef {import("./types.js").Feedback} Feedback */
/** @typedef {import("./types.js").Questions} Questions */
/** @typedef {import("./types.js").Receipt} Receipt */
/** @typedef {import("./saver.js").SaveState} SaveState */
/** @typedef {import("./film_stage.js").Tool} Tool */
/** @typedef {import("../viewport/keys.js").Action} ViewportAction */

/**
 * A case to be read, or a locked answer to be corrected.
 * @typedef {object} Case
 * @property {string} token
 * @property {number} step
 * @property {number} base
 * @property {Partial<import("./types.js").Answer>} answer
 * @property {import("./types.js").Undo | null} undo
 * @property {Partial<import("./types.js").Answer>} previous
 * @property {Questions} questions
 * @property {string} question
 * @property {boolean} aid
 * @property {boolean} practice
 * @property {boolean} correcting
 * @property {boolean} mayGoBack
 */

const texts = strings.study;
const MOVE = 8; // CSS pixels that a mark moves, or grows, at one press of an arrow key
const PAN = 40;
/** @type {Record<string, [number, number]>} */
const ARROWS = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] };
/** @type {Record<string, [number, number]>} */
const SIZES = { lower: [0, -1], higher: [0, 1], narrower: [-1, 0], wider: [1, 0] };
/** @type {Record<string, ViewportAction>} */
const VIEWS = {
  zoomIn: "zoom_in", zoomOut: "zoom_out", fit: "fit", actual: "actual_size", invert: "invert", reset: "reset",
  brighter: "brighter", darker: "darker", moreContrast: "more_contrast", lessContrast: "less_contrast",
};
/** @type {Record<string, Tool>} */
const TOOLS = { toolMark: "point", toolWindow: "window", toolPan: "pan" };

/** The screen of a case. */
export class CaseScreen {
  /**
   * @param {import("./api.js").StudyApi} api
   * @param {object} events
   * @param {(receipt: Receipt) => void} events.onLocked
   * @param {() => void} events.onEarlier  the reader wants to see earlier answers
   * @param {() => void} events.onCancel  the reader gives a correction up
   * @param {() => void} events.onPause
   */
  constructor(api, events) {
    this.api = api;
    this.events = events;
    /** @type {Reading | null} */
    this.reading = null;
    /** @type {Case | null} */
    this.task = null;
    /** @type {(() => void) | null} */
    this.afterFeedback = null;
    this.covered = false;
    this.message = byId("message", HTMLElement);
    this.state = byId("save-state", HTMLElement);
    this.next = byId("next", HTMLButtonElement);
    this.stage = new FilmStage({
      viewport: byId("viewport", PxViewport),
      frame: byId("frame", HTMLElement),
      beside: byId("beside", HTMLElement),
      onMark: (index, mark, made) => this.marked(index, mark, made),
      onSelect: (index) => this.reading?.select(index),
    });
    this.listen();
  }

  listen() {
    this.next.addEventListener("click", () => this.goOn());
    byId("undo", HTMLButtonElement).addEventListener("click", () => this.act("undo"));
    byId("redo", HTMLButtonElement).addEventListener("click", () => this.act("redo"));
    byId("back", HTMLButtonElement).addEventListener("click", () => this.act("earlier"));
    byId("cancel", HTMLButtonElement).addEventListener("click", () => this.events.onCancel());
    byId("keep", HTMLButtonElement).addEventListener("click", () => this.act("keep"));
    byId("reload", HTMLButtonElement).addEventListener("click", () => location.reload());
    byId("opacity", HTMLInputElement).addEventListener("input", (event) => {
      this.setOpacity(Number(/** @type {HTMLInputElement} */ (event.target).value) / 100);
    });
    for (const button of byId("tools", HTMLElement).querySelectorAll("button")) {
      button.addEventListener("click", () => this.act(button.dataset.action ?? ""));
    }
    for (const id of ["tools", "answer"]) byId(id, HTMLElement).addEventListener("click", (event) => releaseFocus(event, this.stage.frame));
    window.addEventListener("keydown", (event) => this.keyDown(event));
    window.addEventListener("keyup", (event) => event.key.toLowerCase() === "h" && this.hold(false));
    for (const kind of ["keydown", "pointerdown", "pointermove", "wheel"]) {
      window.addEventListener(kind, () => this.reading?.activity.input(), { passive: true, capture: true });
    }
  }

  /** Whether a case is on the screen and may be changed. */
  get active() {
    return this.reading !== null && !this.covered && !byId("screen-reading", HTMLElement).hidden && byId("paused", HTMLElement).hidden;
  }

  /**
   * Show a case.
   * @param {Case} task
   * @param {import("../film/film.js").Film} film
   * @param {Blob | null} aid
   */
  async show(task, film, aid) {
    this.task = task;
    this.afterFeedback = null;
    this.say("");
    this.stage.viewport.shapes = [];
    this.reading = new Reading(
      { api: this.api, stage: this.stage, onChange: (reading) => this.draw(reading), onState: (state, said) => this.showState(state, said) },
      task,
    );
    const { reading } = this;
    this.form = new AnswerForm(byId("questions", HTMLElement), task.questions, task.question, {
      onRate: (value, amend) => reading.rate(value, amend),
      onDecide: (decision) => reading.decide(decision),
      onSelect: (index) => reading.select(index),
      onRemove: (index) => reading.removeMark(index),
      onConfidence: (index, value, amend) => reading.rateMark(index, value, amend),
      onNothing: () => reading.nothingToMark(),
      onItem: (name, value, amend) => reading.change({ ...reading.answer, items: { ...reading.answer.items, [name]: value } }, amend),
    });
    this.arrange(task);
    this.draw(reading);
    await this.stage.show(film, aid, task.questions.marks !== null);
    this.setOpacity(this.stage.aid.opacity);
    this.uncover();
    reading.activity.add("loaded");
    if (document.hidden) reading.activity.add("hidden");
    else if (!document.hasFocus()) reading.activity.add("blurred");
    this.draw(reading);
    byId("frame", HTMLElement).focus();
  }

  /**
   * Take no answer while a radiograph is loaded; the time of the case begins when it is on the screen.
   * @param {boolean} same  whether the radiograph stays on the screen, for another answer to it
   */
  cover(same) {
    showScreen("reading");
    byId("loading", HTMLElement).hidden = same;
    this.covered = true;
    byId("answer", HTMLElement).inert = true;
  }

  uncover() {
    byId("loading", HTMLElement).hidden = true;
    this.covered = false;
  }

  /** @param {Case} task */
  arrange(task) {
    byId("feedback", HTMLElement).hidden = true;
    byId("answer", HTMLElement).hidden = false;
    byId("aid-panel", HTMLElement).hidden = !task.aid;
    byId("aid-note", HTMLElement).textContent = task.step > 0 ? texts.reading.aidShown : texts.reading.aidConcurrent;
    byId("keep", HTMLElement).hidden = !this.canKeep;
    byId("badge", HTMLElement).textContent = task.correcting ? texts.reading.correcting : task.practice ? texts.reading.practice : "";
    byId("back", HTMLElement).hidden = !task.mayGoBack || task.correcting;
    byId("cancel", HTMLElement).hidden = !task.correcting;
    byId("next-text", HTMLElement).textContent = task.correcting ? texts.reading.correct : texts.reading.next;
    byId("tool-mark", HTMLElement).hidden = task.questions.marks === null;
    this.showState("saved", "");
  }

  get canKeep() {
    return this.task !== null && this.task.step > 0 && !this.task.correcting && Object.keys(this.task.previous).length > 0;
  }

  /** @param {Reading} reading */
  draw(reading) {
    if (reading !== this.reading) return;
    this.form?.update(reading.answer, reading.selected, reading.typed);
    this.stage.layer.show(reading.answer.marks, reading.selected);
    byId("undo", HTMLButtonElement).disabled = !reading.history.canUndo;
    byId("redo", HTMLButtonElement).disabled = !reading.history.canRedo;
    byId("answer", HTMLElement).inert = reading.locked || this.covered;
    const number = reading.selected + 1;
    byId("digits", HTMLElement).textContent = number ? fill(texts.reading.digitsMark, { number }) : texts.reading.digitsRating;
    for (const button of byId("tools", HTMLElement).querySelectorAll("button")) {
      const tool = TOOLS[button.dataset.action ?? ""];
      if (tool) button.setAttribute("aria-pressed", String(tool === this.stage.tool));
    }
  }

  /**
   * @param {SaveState} state
   * @param {string} message
   */
  showState(state, message) {
    const { save } = texts;
    this.state.dataset.state = state;
    if (state === "retrying" && message) this.state.textContent = fill(save.failing, { message });
    else if (state === "refused") this.state.textContent = fill(save.refused, { message });
    else this.state.textContent = save[state];
    byId("reload", HTMLElement).hidden = state !== "refused";
  }

  /** @param {string} message */
  say(message) {
    this.message.textContent = message;
  }

  /**
   * @param {number} index
   * @param {import("./types.js").Mark} mark
   * @param {boolean} made
   */
  marked(index, mark, made) {
    this.say("");
    if (!this.reading || this.reading.locked || this.covered || this.afterFeedback) return;
    if (!made) this.reading.setMark(index, mark);
    else if (!this.reading.addMark(mark)) this.say(fill(texts.reading.mostMarks, { most: MOST_MARKS }));
  }

  /** @param {KeyboardEvent} event */
  keyDown(event) {
    const name = nameOf(event);
    if (leavesField(event.target, name)) return byId("frame", HTMLElement).focus();
    if (!name || belongsTo(event.target, name)) return undefined;
    const action = ACTIONS[name];
    if (action === "pause" && this.reading && !byId("screen-reading", HTMLElement).hidden) this.events.onPause();
    else if (!this.active) return undefined;
    else if (/^[0-9]$/.test(event.key) || name === "." || name === "Backspace") this.type(event.key);
    else if (!action || !this.act(action)) return undefined;
    return event.preventDefault();
  }

  /** @param {string} character */
  type(character) {
    this.say("");
    if (!this.afterFeedback) this.reading?.type(character);
  }

  /**
   * Do what a key or a button means.
   * @param {string} action
   * @returns {boolean} whether the action is known
   */
  act(action) {
    const { reading } = this;
    if (!reading) return false;
    if (action !== "next") this.say("");
    if (VIEWS[action]) this.stage.act(VIEWS[action]);
    else if (TOOLS[action]) this.setTool(TOOLS[action]);
    else if (ARROWS[action]) this.arrow(reading, ARROWS[action]);
    else if (action === "help") byId("help", HTMLDialogElement).showModal();
    else if (action === "next") this.goOn();
    else if (action === "hideAid") this.hold(true);
    else if (action === "lessOpaque" || action === "moreOpaque") this.setOpacity(this.stage.aid.opacity + (action === "moreOpaque" ? 0.1 : -0.1));
    else if (action === "earlier") this.goBack();
    else return this.afterFeedback !== null || reading.locked || this.change(reading, action);
    return true;
  }

  /**
   * Change the answer.
   * @param {Reading} reading
   * @param {string} action
   */
  change(reading, action) {
    if (action === "positive" || action === "negative") {
      if (reading.questions.decision) reading.decide(action);
    } else if (SIZES[action]) reading.adjust("size", SIZES[action][0] * MOVE, SIZES[action][1] * MOVE);
    else if (action === "place") this.placed(reading);
    else if (action === "nextMark") reading.selectOther(1);
    else if (action === "previousMark") reading.selectOther(-1);
    else if (action === "remove") reading.removeMark(reading.selected);
    else if (action === "nothing") reading.nothingToMark();
    else if (action === "deselect") reading.select(-1);
    else if (action === "undo") reading.undo();
    else if (action === "redo") reading.redo();
    else if (action !== "keep") return false;
    else if (this.task && this.canKeep) reading.restart(this.task.previous);
    return true;
  }

  /** @param {Reading} reading */
  placed(reading) {
    if (reading.questions.marks && !reading.placeInMiddle()) this.say(fill(texts.reading.mostMarks, { most: MOST_MARKS }));
  }

  /**
   * @param {Reading} reading
   * @param {[number, number]} direction
   */
  arrow(reading, [across, down]) {
    if (reading.selected >= 0 && !reading.locked) reading.adjust("move", across * MOVE, down * MOVE);
    else this.stage.viewport.pan(-across * PAN, -down * PAN);
  }

  /** @param {Tool} tool */
  setTool(tool) {
    if (tool === "point" && !this.stage.marking) return;
    this.stage.tool = tool;
    if (this.reading) this.draw(this.reading);
  }

  /** @param {number} opacity */
  setOpacity(opacity) {
    this.stage.aid.setOpacity(opacity);
    const input = byId("opacity", HTMLInputElement);
    input.value = String(Math.round(this.stage.aid.opacity * 100));
  }

  /** @param {boolean} held */
  hold(held) {
    this.stage.aid.hold(held);
  }

  /** Show earlier answers, where they may be corrected. */
  goBack() {
    if (this.task?.mayGoBack && !this.task.correcting) this.events.onEarlier();
  }

  /** Lock the answer and go on; after feedback, go on. */
  async goOn() {
    const { reading, afterFeedback } = this;
    if (afterFeedback) {
      this.afterFeedback = null;
      return afterFeedback();
    }
    if (!reading || reading.locked) return undefined;
    const { missing } = reading;
    if (missing.length) return this.say(fill(texts.reading.missing, { names: missing.map((name) => this.named(name)).join(", ") }));
    try {
      this.events.onLocked(await reading.finish());
    } catch {
      // `showState` has said why
    }
    return undefined;
  }

  /** @param {string} name */
  named(name) {
    const item = this.task?.questions.items.find((one) => `item:${one.name}` === name);
    if (item) return `“${item.text}”`;
    return texts.reading.missingNames[/** @type {keyof typeof texts.reading.missingNames} */ (name)];
  }

  /**
   * Show the reference standard of a case for practice.
   * @param {Feedback} feedback
   * @param {() => void} goOn
   */
  showFeedback(feedback, goOn) {
    this.afterFeedback = goOn;
    const target = this.task?.question ?? "";
    const answer = fill(feedback.diseased ? texts.feedback.present : texts.feedback.absent, { target });
    byId("feedback-answer", HTMLElement).textContent = answer;
    const n = feedback.lesions.length;
    byId("feedback-regions", HTMLElement).textContent = n ? fill(texts.feedback.regions, { n }) : "";
    this.stage.viewport.shapes = feedback.lesions.map(([top, left, bottom, right], k) => ({
      id: `reference-${k}`, kind: "reference", label: texts.feedback.region, box: { top, left, bottom, right }, outline: null,
    }));
    byId("answer", HTMLElement).hidden = true;
    byId("feedback", HTMLElement).hidden = false;
    byId("feedback-next", HTMLButtonElement).onclick = () => this.goOn();
    byId("feedback-next", HTMLButtonElement).focus();
  }

  /** Take the radiograph off the screen. */
  clear() {
    this.reading = null;
    this.stage.clear();
    byId("questions", HTMLElement).replaceChildren();
  }
}

/**
 * Fill the list of keys.
 * @param {Questions} questions
 * @param {boolean} mayGoBack
 */
export function fillHelp(questions, mayGoBack) {
  const asked = { always: true, marks: questions.marks !== null, decision: questions.decision, items: questions.items.length > 0, aid: true, back: mayGoBack };
  const rows = HELP.filter((line) => asked[line.when]).map((line) =>
    make("tr", {}, make("th", { scope: "row" }, ...line.keys.flatMap((key) => [make("kbd", { textContent: key }), " "])), make("td", { textContent: line.text })),
  );
  byId("help-rows", HTMLElement).replaceChildren(...rows);
}
