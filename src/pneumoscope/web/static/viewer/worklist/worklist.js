/** The worklist: filters, the table of films, uploads, and reading many films. */

import { strings } from "../../strings/en.js";
import { ApiError, sentenceOf } from "../api.js";
import { button, fill, h, icon, select } from "../dom.js";
import { COLUMNS } from "./columns.js";
import { droppedFiles } from "./dropped_files.js";
import { FilmGrid } from "./film_grid.js";
import { FilmPages } from "./film_pages.js";
import { JobBars } from "./reading_job.js";
import { Thumbnails } from "./thumbnails.js";
import { Uploads } from "./uploads.js";

const words = strings.viewer;

/** @import {Api} from "../api.js" */

const TYPING_MS = 200;
const REFRESH_MS = 250;
const STATES = /** @type {const} */ (["waiting", "queued", "reading", "read", "failed"]);
const DECISIONS = /** @type {const} */ (["positive", "negative", "abstains", "outside_domain"]);

/** The left part of the page; emits "open" with the film and its row, and "closed" with the film. */
export class Worklist extends EventTarget {
  /**
   * @param {Api} api @param {import("../notices.js").Notices} notices
   * @param {() => string} model   id of the model that reads
   */
  constructor(api, notices, model) {
    super();
    this.api = api;
    this.notices = notices;
    this.model = model;
    /** @type {string} population of the films to read; "" where the file decides */
    this.population = "";
    this.pages = new FilmPages(api);
    this.thumbnails = new Thumbnails(api);
    this.grid = new FilmGrid(this.pages, this.thumbnails);
    this.uploads = new Uploads(api);
    this.jobs = new JobBars(api, notices);
    this.count = h("p", { class: "film-count", role: "status" });
    this.empty = h("div", { class: "empty", hidden: true });
    this.failed = false;
    this.populations = select(
      words.populationOfFilms,
      Object.entries(words.populations),
      "",
      (population) => (this.population = population),
      true,
    );
    this.populations.classList.add("populations");
    this.build();
    this.listen();
  }

  build() {
    this.search = h("input", {
      type: "search",
      placeholder: words.search,
      "aria-label": words.search,
      spellcheck: "false",
      autocomplete: "off",
    });
    this.stateFilter = select(
      words.filters.state,
      [["", words.filters.anyState], ...STATES.map((state) => /** @type {[string, string]} */ ([state, words.states[state]]))],
      "",
      (state) => this.ask({ state }),
      true,
    );
    this.decisionFilter = select(
      words.filters.decision,
      [
        ["", words.filters.anyDecision],
        ...DECISIONS.map((each) => /** @type {[string, string]} */ ([each, words.filters.decisions[each]])),
      ],
      "",
      (decision) => this.ask({ decision }),
      true,
    );
    this.sortList = select(words.filters.sort, COLUMNS.flatMap(sortChoices), "number asc", (value) => this.sort(value), true);
    this.sortList.classList.add("sort-list");
    this.fileInput = h("input", {
      type: "file",
      multiple: true,
      class: "visually-hidden",
      tabindex: -1,
      "aria-label": words.addFiles,
    });
    this.folderInput = h("input", {
      type: "file",
      multiple: true,
      class: "visually-hidden",
      tabindex: -1,
      webkitdirectory: true,
      "aria-label": words.addFolder,
    });
    this.readAll = button(words.readAll, () => this.read("all"), { icon: "read", quiet: false, primary: true });
    this.readSelected = button(words.readSelected(0), () => this.read([...this.grid.selected]), {
      icon: "read",
      quiet: false,
      primary: true,
    });
    this.clear = button(words.clearSelection, () => this.grid.clearSelection(), { icon: "close" });
    this.closeSelected = button(words.closeSelected(0), () => this.closeAll([...this.grid.selected]));
    this.readSelected.hidden = this.closeSelected.hidden = this.clear.hidden = true;
    this.element = h(
      "section",
      { class: "worklist", id: "worklist", "aria-label": words.worklist },
      h(
        "div",
        { class: "worklist-tools" },
        h("div", { class: "search" }, icon("search"), this.search),
        h("div", { class: "filters" }, this.stateFilter, this.decisionFilter),
        h(
          "div",
          { class: "worklist-actions" },
          this.readAll,
          this.readSelected,
          this.closeSelected,
          this.clear,
          this.populations,
          h("span", { class: "push" }),
          button(words.addFiles, () => this.fileInput?.click(), { icon: "add", quiet: false }),
          button(words.addFolder, () => this.folderInput?.click(), { icon: "folder" }),
          this.fileInput,
          this.folderInput,
        ),
      ),
      this.jobs.element,
      h("div", { class: "grid-frame" }, this.grid.element, this.empty),
      this.uploads.element,
      h("footer", { class: "worklist-foot" }, this.count, this.sortList),
      h("div", { class: "drop-hint", "aria-hidden": "true" }, icon("add"), h("p", {}, words.dropHere)),
    );
  }

  listen() {
    let typing = 0;
    this.search?.addEventListener("input", () => {
      clearTimeout(typing);
      typing = window.setTimeout(() => this.ask({ q: this.search?.value.trim() ?? "" }), TYPING_MS);
    });
    for (const input of [this.fileInput, this.folderInput])
      input?.addEventListener("change", () => (this.uploads.add([...(input.files ?? [])]), (input.value = "")));
    const film = (/** @type {Event} */ event) => /** @type {CustomEvent} */ (event).detail;
    this.uploads.addEventListener("checking", (event) => this.thumbnails.forget(film(event))); // it may be closed again
    this.uploads.addEventListener("checked", (event) => this.thumbnails.gone.delete(film(event)));
    this.uploads.addEventListener("done", () => this.refreshSoon());
    this.jobs.addEventListener("end", () => this.refreshSoon());
    this.pages.addEventListener("change", () => ((this.failed = false), this.showCount()));
    this.pages.addEventListener("error", (event) => this.showError(/** @type {CustomEvent} */ (event).detail));
    this.grid.addEventListener("open", (event) => this.openAt(/** @type {CustomEvent} */ (event).detail, true));
    this.grid.addEventListener("close", (event) => this.close(/** @type {CustomEvent} */ (event).detail));
    this.grid.addEventListener("selection", () => this.showSelection());
    this.grid.addEventListener("sort", () => this.showSort());
    this.listenForDrops();
  }

  listenForDrops() {
    let depth = 0;
    const carries = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files") ?? false;
    const mark = () => document.body.classList.toggle("dropping", depth > 0);
    document.addEventListener("dragenter", (event) => carries(event) && ((depth += 1), mark()));
    document.addEventListener("dragleave", (event) => carries(event) && ((depth = Math.max(0, depth - 1)), mark()));
    document.addEventListener("dragover", (event) => carries(event) && event.preventDefault());
    document.addEventListener("drop", async (event) => {
      if (!carries(event) || event.dataTransfer === null) return;
      event.preventDefault();
      depth = 0;
      mark();
      this.uploads.add(await droppedFiles(event.dataTransfer));
    });
  }

  /** @param {Partial<import("../types.js").FilmQuery>} change */
  ask(change) {
    return this.grid.show(change);
  }

  /** @param {string} value   column and direction */
  sort(value) {
    const [sort, order] = value.split(" ");
    this.ask({ sort, order: /** @type {"asc"|"desc"} */ (order) });
  }

  showSort() {
    const list = this.sortList?.querySelector("select");
    if (list) list.value = `${this.pages.query.sort} ${this.pages.query.order}`;
  }

  refreshSoon() {
    if (this.timer !== undefined) return;
    this.timer = window.setTimeout(() => {
      this.timer = undefined;
      this.pages.refresh();
    }, REFRESH_MS);
  }

  showCount() {
    const { total, loaded, query } = this.pages;
    const filtered = query.q !== "" || query.state !== "" || query.decision !== "";
    this.count.textContent = !loaded ? words.loading : words.count(total, filtered);
    this.readAll && (this.readAll.disabled = total === 0 && !filtered);
    this.empty.hidden = !loaded || total > 0;
    if (this.empty.hidden) return;
    fill(
      this.empty,
      icon(filtered ? "search" : "film"),
      h("h2", {}, filtered ? words.noMatch : words.noFilms),
      h("p", {}, filtered ? words.noMatchHint : words.noFilmsHint),
      filtered
        ? button(words.clearFilters, () => this.clearFilters())
        : button(words.addFiles, () => this.fileInput?.click(), { icon: "add", quiet: false, primary: true }),
    );
  }

  /** Offer the populations that the model has settings for. @param {string[]} populations */
  showPopulations(populations) {
    this.populations.hidden = populations.length === 0;
  }

  clearFilters() {
    if (this.search) this.search.value = "";
    for (const filter of [this.stateFilter, this.decisionFilter])
      /** @type {HTMLSelectElement} */ (filter?.querySelector("select")).value = "";
    this.ask({ q: "", state: "", decision: "" });
  }

  /** @param {unknown} error */
  showError(error) {
    this.dispatchEvent(new CustomEvent("fault", { detail: error }));
    if (this.pages.loaded || (error instanceof ApiError && error.refused)) return;
    this.empty.hidden = false;
    this.count.textContent = "";
    fill(
      this.empty,
      icon("alert"),
      h("h2", {}, words.listFailed),
      h("p", {}, sentenceOf(error)),
      button(words.tryAgain, () => this.pages.refresh()),
    );
  }

  showSelection() {
    const n = this.grid.selected.size;
    if (!this.readAll || !this.readSelected || !this.closeSelected || !this.clear) return;
    this.readAll.hidden = n > 0;
    this.readSelected.hidden = this.closeSelected.hidden = this.clear.hidden = n === 0;
    setWords(this.readSelected, words.readSelected(n));
    setWords(this.closeSelected, words.closeSelected(n));
  }

  /** The population that was chosen for the films to read; null where the file decides. */
  get chosenPopulation() {
    if (this.populations.hidden || this.population === "") return null;
    return /** @type {"child"|"adult"} */ (this.population);
  }

  /** @param {"all"|string[]} films */
  async read(films) {
    if (this.jobs.busy) return this.notices.show(words.job.busy);
    return this.jobs.start(films, this.model(), this.chosenPopulation);
  }

  /** Close a film and say so; its file stays where it is. @param {{id: string, label: string}} film */
  async close(film) {
    if (await this.closeOne(film.id)) this.notices.show(words.closedFilm(film.label));
    if (this.grid.element.contains(document.activeElement)) this.grid.element.focus({ preventScroll: true });
    this.pages.refresh();
  }

  /** @param {string[]} films */
  async closeAll(films) {
    let closed = 0;
    for (const film of films) closed += Number(await this.closeOne(film));
    this.notices.show(words.closedFilms(closed));
    this.pages.refresh();
  }

  /** @param {string} film @returns {Promise<boolean>}   whether it is closed now */
  async closeOne(film) {
    this.thumbnails.forget(film);
    try {
      await this.api.remove(film);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) {
        this.thumbnails.gone.delete(film);
        this.notices.show(sentenceOf(error), "error");
        return false;
      }
    }
    this.grid.drop(film);
    this.dispatchEvent(new CustomEvent("closed", { detail: film }));
    return true;
  }

  /** @param {number} index @param {boolean} [chosen]   in the list, so that the focus follows to the film */
  async openAt(index, chosen = false) {
    if (index < 0 || index >= this.pages.total) return;
    const film = await this.pages.get(index);
    if (film === undefined) return;
    this.grid.openFilm = film.id;
    this.grid.moveTo(index);
    this.dispatchEvent(new CustomEvent("open", { detail: { film, chosen } }));
  }

  /**
   * Open the next or the previous film of the list.
   *
   * @param {1|-1} step
   */
  step(step) {
    const { openFilm } = this.grid;
    const at = openFilm === null ? -1 : this.pages.indexOf(openFilm);
    const from = at >= 0 ? at : openFilm === null ? (step > 0 ? -1 : 0) : this.grid.active;
    const next = from + step;
    if (next < 0 || next >= this.pages.total) return this.notices.announce(step > 0 ? words.lastFilm : words.firstFilm);
    return this.openAt(next);
  }

  /** Whether this page has closed a film, or is about to. @param {string} film */
  isGone(film) {
    return this.thumbnails.gone.has(film);
  }

  /** Give the film after the open one, for fetching it early. */
  neighbour() {
    const { openFilm } = this.grid;
    const at = openFilm === null ? -1 : this.pages.indexOf(openFilm);
    const next = at < 0 ? undefined : this.pages.at(at + 1);
    return next === undefined || this.isGone(next.id) ? undefined : next;
  }
}

/** @param {HTMLElement} button @param {string} text */
function setWords(button, text) {
  const label = button.querySelector("span");
  if (label) label.textContent = text;
}

/** @param {import("./columns.js").Column} column @returns {[string, string][]} */
function sortChoices(column) {
  const name = words.columns[/** @type {keyof typeof words.columns} */ (column.name)];
  return [
    [`${column.sort} asc`, words.sortedBy(name, true)],
    [`${column.sort} desc`, words.sortedBy(name, false)],
  ];
}
