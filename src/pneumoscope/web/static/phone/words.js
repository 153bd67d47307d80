// A reading in words: for the screen reader, for the result, and for the labels of findings.

import { strings } from "../strings/en.js";
import { probabilityText } from "../strings/figures.js";
import { fill } from "../strings/fill.js";

/** @typedef {import("../reader/compose.js").Line} Line */

const texts = strings.phone;

/**
 * A share as a percentage without decimals.
 * @param {number} share
 */
export function percent(share) {
  return `${Math.round(100 * share)} %`;
}

/**
 * The decision in words.
 * @param {Line} line
 */
export function decisionText(line) {
  return fill(line.decision === "positive" ? texts.positive : texts.negative, { target: line.target });
}

/**
 * What must be known before the decision is used; empty for a sure one inside of the domain.
 * @param {Line} line
 * @returns {string[]}
 */
export function warnings(line) {
  const lungs = line.lung_fields.state;
  return [
    ...(line.domain && !line.domain.inside ? [fill(texts.outside, { reason: line.domain.reason ?? "" })] : []),
    ...(line.abstains ? [texts.abstains] : []),
    ...(lungs === "found" ? [] : [lungs === "partly found" ? texts.lungs_partly : texts.lungs_missing]),
    ...line.cautions.map((caution) => fill(texts.caution, { caution })),
  ];
}

/**
 * The population that the radiograph was read as.
 * @param {Line} line
 */
export function populationText({ population }) {
  if (!population) return "";
  if (population.value === null) return fill(texts.population_unknown, { settings: texts.populations[population.settings] });
  return fill(population.source === "age" ? texts.population_age : texts.population_user, { population: texts.populations[population.value] });
}

/**
 * A finding in words.
 * @param {Line["findings"][number]} finding
 * @param {number} number  from 1
 */
export function findingText({ laterality, zone, rating }, number) {
  const place = laterality && zone ? fill(texts.place, { laterality: texts.lateralities[laterality], zone: texts.zones[zone] }) : texts.somewhere;
  return fill(texts.finding, { number, place, rating: probabilityText(rating) });
}

/**
 * Why a file was not read, as a sentence; without the options of the command line, which the page does not have.
 * @param {string} message
 */
export function refusalText(message) {
  const sentence = message.replace(/; to read it, say --[\w-]+ mark$/, "");
  return `${sentence.charAt(0).toUpperCase()}${sentence.slice(1)}.`;
}

/**
 * The severity in words; empty where there is none.
 * @param {Line} line
 */
export function severityText({ severity }) {
  if (severity.score === null) return fill(texts.no_severity, { reason: severity.reason ?? "" });
  const score = severity.score.toFixed(1);
  if (severity.low === null || severity.high === null) return fill(texts.severity, { score });
  const ends = { low: severity.low.toFixed(1), high: severity.high.toFixed(1), coverage: percent(severity.coverage ?? 0) };
  return fill(texts.severity_interval, { score, ...ends });
}

/**
 * The whole reading in sentences, as the description of the picture.
 * @param {Line} line
 */
export function readingText(line) {
  const findings = line.findings.map((finding, k) => findingText(finding, k + 1));
  return [
    decisionText(line), fill(texts.probability, { probability: probabilityText(line.probability) }), ...warnings(line), populationText(line),
    ...(findings.length ? findings : [texts.no_findings]), severityText(line),
  ].filter(Boolean).join(". ");
}
