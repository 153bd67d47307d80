/** The reading in words: what the canvas says to someone who does not see it. */

import { strings } from "../../strings/en.js";
import { versionOf } from "../models.js";

const words = strings.viewer;

/** @import {ModelInfo, Reading} from "../types.js" */

/**
 * @param {string} label @param {Reading|null} reading @param {ModelInfo} model
 * @returns {string}
 */
export function describe(label, reading, model) {
  if (reading === null) return words.describe.unread(label);
  if (reading.error !== null || reading.probability === null || reading.decision === null)
    return words.describe.failed(label, reading.error?.message ?? words.noAnswer);
  return [
    words.describe.answer(
      label,
      reading.target,
      reading.probability,
      reading.decision,
      reading.operating_point?.threshold ?? null,
    ),
    reading.abstains && `${words.unsure}.`,
    reading.domain?.inside === false && `${words.outside}: ${reading.domain.reason ?? ""}.`,
    reading.lung_fields !== null && reading.lung_fields.state !== "found" && `${words.lungStates[reading.lung_fields.state]}.`,
    reading.population !== null && `${words.population}: ${words.populationWords(reading.population)}.`,
    reading.cautions.length > 0 && `${words.cautions}: ${reading.cautions.join("; ")}.`,
    reading.findings.length === 0 ? words.describe.noFindings : words.describe.findings(reading.findings.length),
    ...reading.findings.map((finding, index) => `${words.findingWords(index + 1, finding)}.`),
    reading.severity !== null &&
      reading.severity.score !== null &&
      `${words.severity}: ${words.severityWords(reading.severity)}.`,
    `${words.modelLine(model.name, versionOf(model))}. ${words.disclaimer}.`,
  ]
    .filter(Boolean)
    .join(" ");
}
