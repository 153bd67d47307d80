// The page of a reader: from the personal link to the last case. The server owns the sequence; this page asks what comes next.

import { strings } from "../strings/en.js";
import { fill } from "../strings/fill.js";
import { ApiError, newKey, StudyApi } from "./api.js";
import { CaseScreen, fillHelp } from "./case_screen.js";
import { byId, fillTexts, make } from "./dom.js";
import { forgetLink, takeLink, unanswered } from "./memory.js";
import { patiently } from "./patience.js";
import { askForDisplay, askForLink, introduce, showScreen, showStopped, showWaiting } from "./screens.js";

/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").EarlierAnswer} EarlierAnswer */
/** @typedef {import("../film/film.js").Film} Film */
/** @typedef {import("./case_screen.js").Case} Case */

const texts = strings.study;
const API = new URL("/api/study/", location.href).href;

/** The course of a session. */
class StudyPage {
  /** @param {string} link */
  constructor(link) {
    this.api = new StudyApi(API, link);
    this.screen = new CaseScreen(this.api, {
      onLocked: (receipt) => this.guarded(() => this.locked(receipt)),
      onEarlier: () => this.guarded(() => this.listEarlier()),
      onCancel: () => this.guarded(() => this.proceed()),
      onPause: () => this.pause(),
    });
    /** @type {{token: string, film: Promise<Film | null>} | null} */
    this.ahead = null;
    /** @type {View | null} */
    this.view = null;
    /** The kind of cases that was introduced. @type {"" | "practice" | "study"} */
    this.introduced = "";
    this.listen();
  }

  listen() {
    const activity = () => this.screen.reading?.activity;
    document.addEventListener("visibilitychange", () => {
      activity()?.add(document.hidden ? "hidden" : "visible");
      if (document.hidden) this.screen.reading?.saveSignals();
    });
    window.addEventListener("blur", () => activity()?.add("blurred"));
    window.addEventListener("focus", () => activity()?.add("focused"));
    window.addEventListener("pagehide", () => {
      activity()?.add("closed");
      this.screen.reading?.saveSignals();
    });
    window.addEventListener("online", () => this.screen.reading?.saver.hurry());
    byId("pause", HTMLButtonElement).addEventListener("click", () => this.pause());
    byId("resume", HTMLButtonElement).addEventListener("click", () => this.pause());
    byId("help-button", HTMLButtonElement).addEventListener("click", () => byId("help", HTMLDialogElement).showModal());
    byId("help-close", HTMLButtonElement).addEventListener("click", () => byId("help", HTMLDialogElement).close());
    byId("earlier-close", HTMLButtonElement).addEventListener("click", () => byId("earlier", HTMLDialogElement).close());
  }

  /**
   * Run a step, and say on the screen why it fails.
   * @param {() => Promise<void>} step
   */
  async guarded(step) {
    try {
      await step();
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return void signIn(texts.signIn.refused);
      console.error(error);
      showStopped(error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * Ask the server until it answers.
   * @template T
   * @param {() => Promise<T>} ask
   */
  ask(ask) {
    return patiently(ask, (waiting) => (byId("connection", HTMLElement).hidden = !waiting));
  }

  /** Bring a request to the server that was not answered before the page was stopped; then go on. */
  async start() {
    const request = unanswered.get();
    if (request) await this.ask(() => this.api.change(request.action, request.token, request.body)).catch(() => undefined);
    unanswered.drop();
    await this.proceed();
  }

  /**
   * Show what the server says comes next.
   * @returns {Promise<void>}
   */
  async proceed() {
    const view = await this.ask(() => this.api.view());
    this.view = view;
    byId("progress-text", HTMLElement).textContent = fill(texts.reading.progress, { locked: view.locked, assigned: view.assigned });
    byId("progress", HTMLProgressElement).max = Math.max(view.assigned, 1);
    byId("progress", HTMLProgressElement).value = view.locked;
    byId("session", HTMLElement).textContent = view.session ? fill(texts.reading.session, { session: view.session }) : "";
    byId("status", HTMLElement).hidden = false;
    if (view.state !== "reading") return this.rest(view);
    if (!view.display_checked) {
      this.screen.clear();
      const check = await askForDisplay();
      const key = newKey();
      await this.ask(() => this.api.checkDisplay(key, check));
      return this.proceed();
    }
    const kind = view.practice ? "practice" : "study";
    if (this.introduced !== kind && !view.opened && view.step === 0) {
      this.screen.clear();
      await introduce(view);
    }
    this.introduced = kind;
    return this.open(view);
  }

  /** @param {View} view */
  rest(view) {
    this.screen.clear();
    this.ahead = null;
    if (view.state === "waiting") showWaiting(view.waiting_until);
    else showScreen("finished");
  }

  /**
   * Fetch the case, record that it is shown, show it, and fetch the next one in advance.
   * @param {View} view
   */
  async open(view) {
    fillHelp(view.questions, view.may_go_back);
    this.screen.cover(this.onScreen(view.token) !== null);
    const film = await this.filmOf(view.token);
    const key = newKey();
    await this.ask(() => this.api.open(view.token, view.step, key));
    const opened = await this.ask(() => this.api.view());
    const aid = opened.aid ? await this.ask(() => this.api.aid(opened.token)) : null;
    await this.screen.show({ ...opened, correcting: false, mayGoBack: opened.may_go_back }, film, aid);
    this.fetchAhead(opened.next_token);
  }

  /**
   * The radiograph with this token, if it is on the screen.
   * @param {string} token
   */
  onScreen(token) {
    return this.screen.task?.token === token ? this.screen.stage.viewport.film : null;
  }

  /**
   * @param {string} token
   * @returns {Promise<Film>}
   */
  async filmOf(token) {
    const ahead = this.ahead?.token === token ? await this.ahead.film : null;
    return this.onScreen(token) ?? ahead ?? this.ask(() => this.api.film(token));
  }

  /** @param {string} token  empty at the end of a session */
  fetchAhead(token) {
    if (this.ahead?.token === token) return;
    // Without success the radiograph is fetched when its turn has come.
    this.ahead = token ? { token, film: this.api.film(token).catch(() => null) } : null;
  }

  /** @param {import("./types.js").Receipt} receipt */
  async locked(receipt) {
    if (receipt.feedback) this.screen.showFeedback(receipt.feedback, () => this.guarded(() => this.proceed()));
    else await this.proceed();
  }

  /** Pause, or resume. */
  pause() {
    const cover = byId("paused", HTMLElement);
    const pausing = cover.hidden !== false;
    this.screen.reading?.activity.add(pausing ? "paused" : "resumed");
    if (pausing) this.screen.reading?.saveSignals();
    cover.hidden = !pausing;
    byId("case", HTMLElement).inert = pausing;
    byId("case", HTMLElement).classList.toggle("covered", pausing);
    byId(pausing ? "resume" : "frame", HTMLElement).focus();
  }

  /** List the answers that may still be corrected. */
  async listEarlier() {
    this.screen.reading?.saveSignals();
    const list = await this.ask(() => this.api.earlier());
    const dialog = byId("earlier", HTMLDialogElement);
    byId("earlier-none", HTMLElement).hidden = list.length > 0;
    const rows = list.map((earlier, k) => {
      const rating = earlier.answer.rating ?? "—";
      const button = make("button", { type: "button", textContent: fill(texts.earlier.entry, { number: k + 1, rating }) });
      button.addEventListener("click", () => {
        dialog.close();
        this.guarded(() => this.correct(earlier));
      });
      return make("li", {}, button);
    });
    byId("earlier-list", HTMLElement).replaceChildren(...rows.reverse());
    dialog.showModal();
  }

  /**
   * Show a locked answer, to be corrected.
   * @param {EarlierAnswer} earlier
   */
  async correct(earlier) {
    if (!this.view) return;
    this.screen.cover(false);
    const film = await this.filmOf(earlier.token);
    const aid = earlier.aid ? await this.ask(() => this.api.aid(earlier.token)) : null;
    const { questions, question } = this.view;
    const task = { ...earlier, undo: null, previous: {}, questions, question, practice: false, correcting: true, mayGoBack: true };
    await this.screen.show(task, film, aid);
  }
}

/**
 * Sign in, by the link in the address or as it is asked for.
 * @param {string} message
 */
async function signIn(message) {
  if (message) forgetLink();
  let link = takeLink(location, history);
  byId("status", HTMLElement).hidden = true;
  if (!link) {
    link = await askForLink(message);
    location.hash = `link=${link}`;
    takeLink(location, history);
  }
  const page = new StudyPage(link);
  await page.guarded(() => page.start());
}

fillTexts(document, strings);
document.title = texts.product;
await signIn("");
