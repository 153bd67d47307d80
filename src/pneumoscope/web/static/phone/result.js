// The reading as the page shows it.

import { strings } from "../strings/en.js";
import { probabilityText } from "../strings/figures.js";
import { fill } from "../strings/fill.js";
import { button, element } from "./elements.js";
import { decisionText, findingText, populationText, severityText, warnings } from "./words.js";

/** @typedef {import("../reader/compose.js").Line} Line */
/** @typedef {import("../reader/card.js").Card} Card */

const texts = strings.phone;

/**
 * The decision, with what must be known before it is used, and the model that made it.
 * @param {Card} card
 * @param {Line} line
 * @returns {HTMLElement}
 */
export function summaryOf(card, line) {
  const notes = warnings(line);
  return element(
    "section", { class: "summary", "aria-labelledby": "decision" },
    element("h2", { id: "decision", class: `decision ${line.decision}`, tabindex: "-1" }, decisionText(line)),
    notes.length ? element("ul", { class: "warnings" }, ...notes.map((note) => element("li", {}, note))) : null,
    probability(line),
    element("p", { class: "muted" }, populationText(line)),
    element("p", { class: "muted" }, fill(texts.by_model, { name: card.model.name, version: card.version, precision: card.precision })),
  );
}

/**
 * Findings, severity, and what model read the film.
 * @param {Card} card
 * @param {Line} line
 * @param {(id: string) => void} selected  a finding of the list was pressed
 * @returns {HTMLElement}
 */
export function detailsOf(card, line, selected) {
  return element(
    "section", { class: "result", "aria-label": texts.findings },
    findings(line, selected), element("p", { class: "severity" }, severityText(line)), about(card, line),
  );
}

/**
 * The probability as a number, and as a bar with a line at the threshold.
 * @param {Line} line
 */
function probability(line) {
  const { threshold, rule } = line.operating_point;
  const [bar, mark] = [element("span", { class: "bar" }), element("span", { class: "mark" })];
  bar.style.width = `${100 * line.probability}%`;
  mark.style.left = `${100 * threshold}%`;
  return element(
    "div", { class: "probability" },
    element("p", {}, fill(texts.probability, { probability: probabilityText(line.probability) })),
    element("div", { class: `scale ${line.decision}`, "aria-hidden": "true" }, bar, mark),
    element("p", { class: "muted" }, fill(texts.threshold, { threshold: probabilityText(threshold), rule })),
  );
}

/**
 * @param {Line} line
 * @param {(id: string) => void} selected
 */
function findings(line, selected) {
  if (!line.findings.length) return element("p", {}, texts.no_findings);
  const items = line.findings.map((finding, k) =>
    element("li", {}, button(findingText(finding, k + 1), () => selected(findingId(k)), { class: "finding" })),
  );
  return element("div", {}, element("h2", {}, texts.findings), element("ol", { class: "findings" }, ...items));
}

/**
 * The id of a finding as a shape of the viewport.
 * @param {number} index
 */
export function findingId(index) {
  return `finding-${index + 1}`;
}

/**
 * Model, version, threshold and limits.
 * @param {Card} card
 * @param {Line} line
 */
function about(card, line) {
  const rows = [
    [texts.model, `${card.model.name} (${card.model.sha256.slice(0, 12)})`], [texts.version, `${card.version}, ${card.precision}`],
    [texts.map, fill(texts.map_of, { method: line.map.method, threshold: probabilityText(line.map.threshold ?? 0) })],
    ...(line.domain ? [[texts.distance, fill(texts.distance_of, { distance: line.domain.distance.toFixed(2), limit: line.domain.limit.toFixed(2) })]] : []),
    [texts.intended, card.intended_population], [texts.limits, card.limits],
    ...(card.precision === "fp16" ? [[texts.precision, texts.precision_fp16]] : []),
  ];
  return element(
    "details", {}, element("summary", {}, texts.about),
    element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
  );
}
