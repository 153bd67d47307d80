/** The worklist's table: an ARIA grid that holds only the rows on screen. */

import { strings } from "../../strings/en.js";
import { button, fill, h, icon } from "../dom.js";
import { COLUMNS } from "./columns.js";

const words = strings.viewer;

/** @import {FilmPages} from "./film_pages.js" */
/** @import {Thumbnails} from "./thumbnails.js" */
/** @import {FilmSummary} from "../types.js" */

const ROW_PX = 56;
const SPARE_ROWS = 6;
const THUMBNAIL_PX = 44;

/** Rows of films; emits "open" (index), "close" (film) and "selection". */
export class FilmGrid extends EventTarget {
  /** @param {FilmPages} pages @param {Thumbnails} thumbnails */
  constructor(pages, thumbnails) {
    super();
    this.pages = pages;
    this.thumbnails = thumbnails;
    this.active = 0;
    /** @type {string|null} */
    this.openFilm = null;
    /** @type {Set<string>} */
    this.selected = new Set();
    /** @type {Map<number, {row: HTMLElement, film: FilmSummary|undefined}>} */
    this.rows = new Map();
    this.head = h("div", { role: "row", "aria-rowindex": 1, class: "grid-head" });
    this.body = h("div", { role: "rowgroup", class: "grid-body" });
    this.element = h(
      "div",
      {
        role: "grid",
        tabindex: 0,
        class: "grid",
        "aria-label": words.worklist,
        "aria-multiselectable": "true",
        "aria-colcount": COLUMNS.length + 3,
      },
      h("div", { role: "rowgroup", class: "grid-head-group" }, this.head),
      this.body,
    );
    this.element.addEventListener("scroll", () => this.render(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.onKey(event));
    this.element.addEventListener("focus", () => this.render());
    pages.addEventListener("change", () => this.render());
    new ResizeObserver(() => this.render()).observe(this.element);
    this.renderHead();
  }

  renderHead() {
    const { sort, order } = this.pages.query;
    fill(
      this.head,
      h(
        "div",
        { role: "columnheader", class: "cell cell-select" },
        h("span", { class: "visually-hidden" }, words.columns.selected),
      ),
      h(
        "div",
        { role: "columnheader", class: "cell cell-picture" },
        h("span", { class: "visually-hidden" }, words.columns.picture),
      ),
      ...COLUMNS.map((column) => {
        const direction = column.sort === sort ? (order === "asc" ? "ascending" : "descending") : "none";
        const press = h(
          "button",
          { type: "button", class: `sort ${direction}`, on: { click: () => this.sortBy(column.sort) } },
          h("span", {}, words.columns[/** @type {keyof typeof words.columns} */ (column.name)]),
          icon(direction === "descending" ? "down" : "up"),
        );
        return h("div", { role: "columnheader", class: `cell cell-${column.name}`, "aria-sort": direction }, press);
      }),
      h("div", { role: "columnheader", class: "cell cell-close" }, h("span", { class: "visually-hidden" }, words.close)),
    );
  }

  /** @param {string} sort */
  sortBy(sort) {
    const query = this.pages.query;
    const order = query.sort === sort && query.order === "asc" ? "desc" : "asc";
    this.show({ sort, order });
    this.dispatchEvent(new Event("sort"));
  }

  /** @param {Partial<import("../types.js").FilmQuery>} change */
  show(change) {
    this.element.scrollTop = 0;
    this.active = 0;
    const asked = this.pages.ask(change);
    this.renderHead();
    this.render();
    return asked;
  }

  /** Bring the rows on screen up to date. */
  render() {
    const { total } = this.pages;
    this.element.setAttribute("aria-rowcount", String(total + 1));
    this.body.style.blockSize = `${total * ROW_PX}px`;
    const [first, last] = this.visible();
    for (const [index, { row }] of this.rows) {
      if (index >= first && index <= last) continue;
      row.remove();
      this.rows.delete(index);
    }
    for (let index = first; index <= last; index++) this.renderRow(index);
    this.markActive();
    this.thumbnails.prune();
    if (total > 0) this.pages.want(first, last);
  }

  /** @returns {[number, number]}   first and last row that the page holds */
  visible() {
    const head = this.head.offsetHeight;
    const top = Math.floor(this.element.scrollTop / ROW_PX) - SPARE_ROWS;
    const count = Math.ceil((this.element.clientHeight - head) / ROW_PX) + 2 * SPARE_ROWS;
    return [Math.max(0, top), Math.min(this.pages.total - 1, Math.max(0, top) + Math.max(1, count))];
  }

  /** @param {number} index */
  renderRow(index) {
    const film = this.pages.at(index);
    const known = this.rows.get(index);
    if (known !== undefined && known.film === film) return this.markRow(known.row, film);
    const row = this.makeRow(index, film);
    if (known === undefined) this.insert(index, row);
    else known.row.replaceWith(row);
    this.rows.set(index, { row, film });
    const canvas = row.querySelector("canvas");
    if (film !== undefined && canvas !== null && film.state === "failed" && film.rows === null) canvas.classList.add("missing");
    else if (film !== undefined && canvas !== null) this.thumbnails.show(canvas, film);
    this.markRow(row, film);
  }

  /** Keep the rows in their order for screen readers. @param {number} index @param {HTMLElement} row */
  insert(index, row) {
    const next = [...this.rows.keys()].filter((other) => other > index).sort((a, b) => a - b)[0];
    this.body.insertBefore(row, next === undefined ? null : (this.rows.get(next)?.row ?? null));
  }

  /**
   * @param {number} index
   * @param {FilmSummary|undefined} film   undefined while its page is on the way
   */
  makeRow(index, film) {
    const cells =
      film === undefined
        ? [h("div", { role: "gridcell", class: "cell skeleton", "aria-label": words.loading })]
        : this.cells(film);
    const row = h(
      "div",
      {
        role: "row",
        id: `film-row-${index}`,
        class: film === undefined ? "row" : `row is-${film.state}`,
        "aria-rowindex": index + 2,
        "data-index": index,
      },
      ...cells,
    );
    row.style.transform = `translateY(${index * ROW_PX}px)`;
    row.addEventListener("click", (event) => this.onClick(event, index));
    return row;
  }

  /** @param {FilmSummary} film */
  cells(film) {
    const box = h("input", {
      type: "checkbox",
      tabindex: -1,
      "aria-label": words.selectFilm(film.label),
      checked: this.selected.has(film.id),
    });
    box.addEventListener("change", () => this.select(film.id, box.checked));
    return [
      h("div", { role: "gridcell", class: "cell cell-select" }, h("label", { class: "check-target" }, box)),
      h(
        "div",
        { role: "gridcell", class: "cell cell-picture" },
        h("canvas", {
          width: THUMBNAIL_PX * 2,
          height: THUMBNAIL_PX * 2,
          class: "thumbnail",
          role: "img",
          "aria-label": words.pictureOf(film.label),
        }),
      ),
      ...COLUMNS.map((column) => h("div", { role: "gridcell", class: `cell cell-${column.name}` }, ...column.cell(film))),
      h("div", { role: "gridcell", class: "cell cell-close" }, this.closeButton(film)),
    ];
  }

  /** @param {FilmSummary} film */
  closeButton(film) {
    const press = button(words.closeFilm(film.label), () => this.close(film), { icon: "close" });
    press.tabIndex = -1; // the grid is one stop of the Tab key: its own key is Delete
    return press;
  }

  /** @param {FilmSummary} film */
  close(film) {
    this.dispatchEvent(new CustomEvent("close", { detail: film }));
  }

  /** @param {HTMLElement} row @param {FilmSummary|undefined} film */
  markRow(row, film) {
    row.setAttribute("aria-selected", String(film !== undefined && this.selected.has(film.id)));
    row.classList.toggle("open", film !== undefined && film.id === this.openFilm);
    if (film !== undefined && film.id === this.openFilm) row.setAttribute("aria-current", "true");
    else row.removeAttribute("aria-current");
    const box = row.querySelector("input");
    if (box !== null && film !== undefined) box.checked = this.selected.has(film.id);
  }

  markActive() {
    for (const [index, { row }] of this.rows) row.classList.toggle("active", index === this.active);
    const row = this.rows.get(this.active)?.row;
    if (row === undefined) this.element.removeAttribute("aria-activedescendant");
    else this.element.setAttribute("aria-activedescendant", row.id);
  }

  /** @param {string} id @param {boolean} on */
  select(id, on) {
    if (on) this.selected.add(id);
    else this.selected.delete(id);
    this.render();
    this.dispatchEvent(new Event("selection"));
  }

  /** Take a film that was closed out of what is selected. @param {string} id */
  drop(id) {
    if (this.selected.has(id)) this.select(id, false);
  }

  clearSelection() {
    this.selected.clear();
    this.render();
    this.dispatchEvent(new Event("selection"));
  }

  /** @param {MouseEvent} event @param {number} index */
  onClick(event, index) {
    if (event.target instanceof Element && event.target.closest(".cell-select, .cell-close") !== null) return;
    this.active = index;
    this.open(index);
  }

  /** @param {number} index */
  open(index) {
    this.dispatchEvent(new CustomEvent("open", { detail: index }));
  }

  /**
   * Make a row the active one and bring it into sight.
   *
   * @param {number} index
   */
  moveTo(index) {
    this.active = Math.min(Math.max(0, index), Math.max(0, this.pages.total - 1));
    const head = this.head.offsetHeight;
    const [top, bottom] = [this.active * ROW_PX, (this.active + 1) * ROW_PX];
    const room = this.element.clientHeight - head;
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (bottom > this.element.scrollTop + room) this.element.scrollTop = bottom - room;
    this.render();
  }

  /** Bring the open film into sight, where its page is there. */
  revealOpen() {
    const at = this.openFilm === null ? -1 : this.pages.indexOf(this.openFilm);
    if (at >= 0) this.moveTo(at);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.target !== this.element || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW_PX) - 2);
    const moves = /** @type {{[key: string]: number}} */ ({
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: this.active + page,
      PageUp: this.active - page,
      Home: 0,
      End: this.pages.total - 1,
    });
    const film = this.pages.at(this.active);
    if (event.key in moves) this.moveTo(moves[event.key]);
    else if (event.key === "Enter") this.open(this.active);
    else if (event.key === " " && film !== undefined) this.select(film.id, !this.selected.has(film.id));
    else if (event.key === "Delete" && film !== undefined) this.close(film);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
