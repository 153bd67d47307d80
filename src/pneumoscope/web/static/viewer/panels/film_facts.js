/** Facts of the film and of the model, in two lists. */

import { strings } from "../../strings/en.js";
import { fill, h } from "../dom.js";
import { versionOf } from "../models.js";

const words = strings.viewer;

/** @import {ModelInfo, Reading} from "../types.js" */

/**
 * @param {HTMLElement} element
 * @param {any} facts   GET /films/{id}
 */
export function showFilmFacts(element, facts) {
  const rows = /** @type {[string, string|null][]} */ ([
    [words.facts.size, words.size(facts.rows, facts.cols)],
    [words.facts.format, [facts.file_format, facts.lossy && words.facts.lossy].filter(Boolean).join(", ")],
    [words.facts.view, facts.view_position],
    [words.facts.modality, facts.modality],
    [words.facts.intent, facts.intent],
    [words.facts.greys, words.facts.greyWords(facts.grey)],
    [words.facts.spacing, words.facts.spacingWords(facts.spacing)],
  ]);
  fill(
    element,
    list(rows),
    facts.cautions.length > 0 && h("p", { class: "note" }, `${words.cautions}: ${facts.cautions.join("; ")}`),
  );
}

/**
 * @param {HTMLElement} element
 * @param {ModelInfo} model @param {any} card @param {Reading|null} reading
 */
export function showModelFacts(element, model, card, reading) {
  const point = reading?.operating_point ?? null;
  const rows = /** @type {[string, string|null][]} */ ([
    [words.facts.model, `${model.name} ${versionOf(model)}`],
    [words.threshold, point === null ? null : words.facts.pointWords(point.threshold, point.rule)],
    [words.facts.method, reading?.map?.method ?? model.default_method],
    [words.facts.population, card?.intended_population],
    [words.facts.limits, card?.limits],
    [words.facts.domain, reading?.domain ? words.facts.domainWords(reading.domain) : null],
    [words.facts.hash, reading === null ? null : reading.model.sha256.slice(0, 12)],
    [words.facts.data, card?.data_licences?.join("; ")],
  ]);
  fill(element, list(rows), h("p", { class: "note" }, h("strong", {}, words.disclaimer)));
}

/** @param {[string, string|null|undefined][]} rows */
function list(rows) {
  return h(
    "dl",
    { class: "facts stacked" },
    ...rows.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, h("bdi", {}, value))]),
  );
}
