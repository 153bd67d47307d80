/** The films of a query, fetched page by page as the worklist asks for them. */

/** @import {Api} from "../api.js" */
/** @import {FilmQuery, FilmSummary} from "../types.js" */

const PAGE = 100;
const PAGES_KEPT = 12;

/** A window on a list that may hold tens of thousands of films; emits "change" and "error". */
export class FilmPages extends EventTarget {
  /** @param {Api} api */
  constructor(api) {
    super();
    this.api = api;
    /** @type {FilmQuery} */
    this.query = { q: "", state: "", decision: "", sort: "number", order: "asc", model: "" };
    this.total = 0;
    this.loaded = false;
    /** @type {Map<number, FilmSummary[]>} */
    this.pages = new Map();
    /** @type {Map<number, AbortController>} */
    this.pending = new Map();
    this.generation = 0;
  }

  /** @param {Partial<FilmQuery>} change */
  ask(change) {
    this.query = { ...this.query, ...change };
    this.loaded = false;
    this.forget();
    return this.fetchPage(0);
  }

  /** Fetch again what is kept, because films changed; the old rows stay until the new ones are there. */
  refresh() {
    this.generation += 1;
    for (const controller of this.pending.values()) controller.abort();
    this.pending.clear();
    const wanted = new Set([...this.wanted, ...(this.pages.size === 0 ? [0] : [])]);
    for (const page of [...this.pages.keys()]) if (!wanted.has(page)) this.pages.delete(page);
    return Promise.all([...wanted].map((page) => this.fetchPage(page)));
  }

  /** @type {number[]} pages that the visible rows lie on */
  wanted = [0];

  /**
   * Give a film, or undefined where its page is not there yet.
   *
   * @param {number} index
   * @returns {FilmSummary|undefined}
   */
  at(index) {
    return this.pages.get(Math.floor(index / PAGE))?.[index % PAGE];
  }

  /** @param {string} id @returns {number}   −1 where the film is on no page that is kept */
  indexOf(id) {
    for (const [page, items] of this.pages) {
      const within = items.findIndex((film) => film.id === id);
      if (within >= 0) return page * PAGE + within;
    }
    return -1;
  }

  /**
   * Fetch the pages of a range of rows; requests for pages that have scrolled away are ended.
   *
   * @param {number} first @param {number} last   rows, both ends included
   */
  want(first, last) {
    const range = [];
    for (let page = Math.floor(first / PAGE); page <= Math.floor(Math.max(last, first) / PAGE); page++) range.push(page);
    this.wanted = range;
    for (const [page, controller] of this.pending) {
      if (range.includes(page)) continue;
      controller.abort();
      this.pending.delete(page);
    }
    return Promise.all(
      range.filter((page) => !this.pages.has(page) && !this.pending.has(page)).map((page) => this.fetchPage(page)),
    );
  }

  /**
   * Give a film, fetching its page where needed.
   *
   * @param {number} index
   * @returns {Promise<FilmSummary|undefined>}
   */
  async get(index) {
    const page = Math.floor(index / PAGE);
    if (!this.pages.has(page)) await this.fetchPage(page);
    return this.at(index);
  }

  forget() {
    this.generation += 1;
    for (const controller of this.pending.values()) controller.abort();
    this.pending.clear();
    this.pages.clear();
    this.wanted = [0];
  }

  /** @param {number} page */
  async fetchPage(page) {
    const controller = new AbortController();
    const generation = this.generation;
    this.pending.set(page, controller);
    try {
      const { total, items } = await this.api.films(this.query, page * PAGE, PAGE, controller.signal);
      if (generation !== this.generation) return;
      this.total = total;
      this.loaded = true;
      this.keep(page, items);
      this.changed();
    } catch (error) {
      if (!controller.signal.aborted) this.dispatchEvent(new CustomEvent("error", { detail: error }));
    } finally {
      if (this.pending.get(page) === controller) this.pending.delete(page);
    }
  }

  /** @param {number} page @param {FilmSummary[]} items */
  keep(page, items) {
    this.pages.delete(page);
    this.pages.set(page, items);
    for (const old of this.pages.keys()) {
      if (this.pages.size <= PAGES_KEPT) break;
      if (!this.wanted.includes(old)) this.pages.delete(old);
    }
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}
