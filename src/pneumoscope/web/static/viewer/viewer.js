/** The page of `pneumoscope serve`: worklist, film and panels on one server's API. */

import { strings } from "../strings/en.js";
import { Api, ApiError, sentenceOf } from "./api.js";
import { button, fill, h, icon } from "./dom.js";
import { followEvents } from "./event_stream.js";
import { FilmArea } from "./film/film_area.js";
import { FilmSession } from "./film/film_session.js";
import { KeyDialog } from "./keys/key_dialog.js";
import { keyBelongsTo, Keymap } from "./keys/keymap.js";
import { Models } from "./models.js";
import { Notices } from "./notices.js";
import { PageHead } from "./page_head.js";
import { SidePanel } from "./panels/side_panel.js";
import { putFilmInUrl, filmInUrl, SettingsStore, takeToken } from "./session.js";
import { ViewerActions } from "./viewer_actions.js";
import { keyName } from "../viewport/keys.js";
import { Worklist } from "./worklist/worklist.js";

const words = strings.viewer;

/** @import {FilmSummary} from "./types.js" */

/** The parts of the page and what ties them. */
export class Viewer {
  constructor() {
    this.settings = new SettingsStore();
    this.keymap = new Keymap(this.settings);
    this.notices = new Notices();
    this.api = new Api(takeToken());
    this.models = new Models(this.api);
    this.keyDialog = new KeyDialog(this.keymap, this.settings);
    this.head = new PageHead(this.settings, () => this.keyDialog.open());
    this.worklist = new Worklist(this.api, this.notices, () => this.models.chosen);
    this.area = new FilmArea(this.keymap);
    this.side = new SidePanel({ read: () => this.readFilm(null), readAs: (population) => this.readFilm(population) });
    this.session = new FilmSession({
      api: this.api,
      area: this.area,
      side: this.side,
      models: this.models,
      settings: this.settings,
      notices: this.notices,
      keymap: this.keymap,
    });
    this.actions = new ViewerActions(this);
    this.stopEvents = new AbortController();
    this.blocked = h("main", { class: "blocked", hidden: true });
    this.main = h("main", { class: "panes" }, this.worklist.element, this.area.element, this.side.element);
    document.body.append(
      h("a", { class: "skip", href: "#worklist" }, words.skip),
      this.head.element,
      this.main,
      this.blocked,
      this.notices.element,
      this.keyDialog.element,
    );
    this.listen();
  }

  listen() {
    this.worklist.addEventListener("open", (event) => this.openChosen(/** @type {CustomEvent} */ (event).detail));
    this.worklist.addEventListener("fault", (event) => this.fault(/** @type {CustomEvent} */ (event).detail));
    this.area.addEventListener("step", (event) => this.worklist.step(/** @type {CustomEvent} */ (event).detail));
    this.area.addEventListener("back", () => this.showWorklist());
    this.area.addEventListener("message", (event) => this.notices.announce(/** @type {CustomEvent} */ (event).detail));
    this.session.addEventListener("gone", () => this.showWorklist(false));
    this.worklist.addEventListener("closed", (event) => this.onClosed(/** @type {CustomEvent} */ (event).detail));
    this.session.addEventListener("refused", () => this.showRefused());
    this.side.addEventListener("model", (event) => this.chooseModel(/** @type {CustomEvent} */ (event).detail));
    this.actions.listen();
    document.addEventListener("keydown", (event) => this.onKey(event));
    document.addEventListener("keyup", (event) => this.onKeyUp(event));
    window.addEventListener("blur", () => this.actions.end());
    window.addEventListener("popstate", () => this.followUrl());
    window.addEventListener("hashchange", () => location.hash.includes("token=") && location.reload());
  }

  async start() {
    if (this.api.token === "") return this.showRefused();
    try {
      await this.models.load();
    } catch (error) {
      return this.fault(error);
    }
    this.blocked.hidden = true;
    this.main.hidden = false;
    this.side.showModels(this.models.items, this.models.chosen);
    this.worklist.pages.query.model = this.models.chosen;
    this.worklist.showPopulations(this.models.model.populations);
    await this.worklist.ask({});
    this.follow();
    await this.openFromUrl();
  }

  /** Show what the address names after the browser's Back or Forward button. */
  async followUrl() {
    if (this.main.hidden || location.hash.includes("token=")) return;
    if (filmInUrl() === null) this.showWorklist(false);
    else if (filmInUrl() !== this.session.summary?.id) await this.openFromUrl();
  }

  async openFromUrl() {
    const id = filmInUrl();
    if (id === null) return;
    const now = await this.api.film(id, this.models.chosen).catch((/** @type {unknown} */ error) => error);
    if (filmInUrl() !== id) return; // another one was chosen meanwhile
    if (!(now instanceof Error)) return void this.open(now, false);
    this.showWorklist(false);
    this.notices.show(now instanceof ApiError && now.status === 404 ? words.filmGone : sentenceOf(now), "error");
  }

  /** @param {string} film   that was closed */
  onClosed(film) {
    if (this.session.summary?.id === film) this.showWorklist(false);
  }

  follow() {
    this.stopEvents.abort();
    this.stopEvents = new AbortController();
    followEvents(
      this.api,
      "/events",
      () => this.onEvent(),
      (state) => this.onConnection(state),
      this.stopEvents.signal,
    );
  }

  /** @param {"open"|"lost"|"refused"} state */
  onConnection(state) {
    if (state === "refused") return this.showRefused();
    const before = this.head.connection;
    this.head.showConnection(state === "open");
    if (state === "open" && before === false) {
      this.notices.announce(words.connected);
      this.worklist.pages.refresh();
    } else if (state === "lost" && before !== false) this.notices.announce(words.disconnected);
  }

  /** The server says that films or readings have changed. */
  onEvent() {
    this.worklist.refreshSoon();
    const open = this.session.summary;
    if (open !== null && !this.worklist.isGone(open.id)) this.actions.checkOpenFilm(open);
  }

  /** @param {{film: FilmSummary, chosen: boolean}} detail */
  openChosen({ film, chosen }) {
    const opened = this.open(film);
    if (chosen) this.area.viewport.focus({ preventScroll: true });
    return opened;
  }

  /** @param {FilmSummary} film @param {boolean} [visited]   a step that the Back button takes back */
  async open(film, visited = true) {
    document.body.dataset.layout = "film";
    this.worklist.grid.openFilm = film.id;
    requestAnimationFrame(() => this.worklist.grid.revealOpen()); // the list may have become narrower and shorter
    putFilmInUrl(film.id, visited);
    document.title = words.pageTitle(film.label);
    this.notices.announce(words.opened(film.label));
    await this.session.open(film);
    const next = this.worklist.neighbour();
    if (next !== undefined && next.error === null) this.session.cache.get(next, this.models.chosen).catch(() => undefined);
  }

  /** @param {boolean} [visited]   a step that the Back button takes back */
  showWorklist(visited = true) {
    document.body.dataset.layout = "worklist";
    putFilmInUrl(null, visited);
    document.title = words.product;
    this.worklist.grid.openFilm = null;
    this.session.close();
    this.worklist.pages.refresh();
    if (this.worklist.pages.total > 0) this.worklist.grid.element.focus();
  }

  /** @param {"child"|"adult"|null} asked   null: as chosen for the worklist */
  async readFilm(asked) {
    const film = this.session.summary;
    if (film === null || (this.session.film === null && !this.session.replaced)) return;
    const population = asked ?? this.worklist.chosenPopulation;
    this.side.verdict.showReading(this.models.model);
    const job = await this.worklist.jobs.start([film.id], this.models.chosen, population, film.label);
    if (this.session.summary?.id !== film.id) return;
    if (this.session.film === null) return this.session.reopen();
    if (job === null) return this.session.loadReading().catch((error) => this.session.showFault(error));
    await this.session.loadReading();
  }

  /** @param {string} id */
  async chooseModel(id) {
    this.models.chosen = id;
    this.worklist.showPopulations(this.models.model.populations);
    this.worklist.ask({ model: id });
    await this.session.changeModel().catch((error) => this.session.showFault(error));
  }

  /** @param {unknown} error */
  fault(error) {
    if (error instanceof ApiError && error.refused) return this.showRefused();
    if (this.models.items.length > 0) return this.head.showConnection(false);
    return this.showBlocked(
      "offline",
      words.serverGone,
      words.serverGoneHint,
      button(words.tryAgain, () => this.start(), { primary: true }),
    );
  }

  showRefused() {
    this.stopEvents.abort();
    const missing = this.api.token === "";
    this.showBlocked("lock", missing ? words.tokenMissing : words.tokenWrong, words.tokenHint, h("code", {}, words.tokenExample));
  }

  /** @param {string} symbol @param {string} title @param {string} text @param {HTMLElement} action */
  showBlocked(symbol, title, text, action) {
    this.main.hidden = true;
    this.blocked.hidden = false;
    fill(this.blocked, h("div", { class: "blocked-card" }, icon(symbol), h("h2", {}, title), h("p", {}, text), action));
    this.notices.announce(title);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const key = keyName(event);
    if (key === "" || event.defaultPrevented || keyBelongsTo(event.target, key) || this.main.hidden) return;
    if (key === "Escape") return this.actions.escape();
    if (!this.settings.get("singleKeys") && key.length === 1) return;
    const action = this.keymap.action(key);
    if (action === null) return;
    event.preventDefault();
    this.actions.run(action, event.repeat);
  }

  /** @param {KeyboardEvent} event */
  onKeyUp(event) {
    if (this.keymap.action(keyName(event)) === "map_hide") this.actions.end();
  }
}

new Viewer().start();
