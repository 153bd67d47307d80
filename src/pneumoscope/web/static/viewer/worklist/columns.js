/** The columns of the worklist: what each shows, and what the server sorts it by. */

import { strings } from "../../strings/en.js";
import { h, icon } from "../dom.js";

const words = strings.viewer;

/** @import {FilmSummary} from "../types.js" */

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {string} sort    key of the server's sort; every column has one
 * @property {(film: FilmSummary) => (Node|string|null)[]} cell
 */

/** @type {Column[]} */
export const COLUMNS = [
  { name: "number", sort: "number", cell: (film) => [String(film.number)] },
  { name: "label", sort: "label", cell: labelCell },
  { name: "state", sort: "state", cell: (film) => [stateBadge(film)] },
  { name: "probability", sort: "probability", cell: probabilityCell },
  { name: "decision", sort: "decision", cell: (film) => [decisionBadge(film)] },
  { name: "findings", sort: "n_findings", cell: (film) => [film.n_findings === null ? "" : String(film.n_findings)] },
  { name: "view", sort: "view_position", cell: (film) => [film.view_position ?? ""] },
  { name: "modality", sort: "modality", cell: (film) => [film.modality ?? ""] },
  {
    name: "size",
    sort: "rows",
    cell: (film) => [film.rows === null || film.cols === null ? "" : words.size(film.rows, film.cols)],
  },
];

/** @param {FilmSummary} film */
function labelCell(film) {
  const size = film.rows === null || film.cols === null ? "" : words.size(film.rows, film.cols);
  const facts = film.error?.message ?? [film.view_position, film.modality, size].filter(Boolean).join(" · ");
  return [h("span", { class: "film-label" }, h("bdi", {}, film.label)), h("span", { class: "film-facts" }, facts)];
}

/**
 * @param {FilmSummary} film
 * @returns {HTMLElement}
 */
export function stateBadge(film) {
  return h(
    "span",
    { class: `badge state-${film.state}`, title: film.error?.message },
    icon(`state-${film.state}`),
    h("span", {}, words.states[film.state]),
  );
}

/** @param {FilmSummary} film */
function probabilityCell(film) {
  if (film.probability === null) return [""];
  const meter = h("span", { class: "meter", "aria-hidden": "true" }, h("span", { class: "meter-fill" }));
  /** @type {HTMLElement} */ (meter.firstElementChild).style.inlineSize = `${100 * film.probability}%`;
  return [h("span", { class: "figure" }, words.probability(film.probability)), meter];
}

/**
 * Say how a film was decided, with what limits the decision.
 *
 * @param {FilmSummary} film
 * @returns {HTMLElement|null}
 */
export function decisionBadge(film) {
  if (film.decision === null) return null;
  const [kind, symbol, text] = film.outside_domain
    ? ["outside", "outside", words.outsideShort]
    : film.abstains
      ? ["unsure", "unsure", words.unsureShort]
      : [film.decision, film.decision, words.decisions[film.decision]];
  return h(
    "span",
    {
      class: `badge decision-${kind}`,
      title: words.decisionTitle(film.decision, film.abstains === true, film.outside_domain === true),
    },
    icon(symbol),
    h("span", {}, text),
  );
}
