/** What is always on screen beside a film: probability, threshold, decision, what limits them, and who answered. */

import { strings } from "../../strings/en.js";
import { button, fill, h, icon } from "../dom.js";
import { versionOf } from "../models.js";

const words = strings.viewer;

/** @import {ModelInfo, Reading} from "../types.js" */

/**
 * Say where a model abstains.
 *
 * @param {any} card @param {Reading} reading
 * @returns {{low: number, high: number}|null}
 */
export function greyZone(card, reading) {
  const settings = reading.population?.settings;
  return (settings !== undefined ? card?.populations?.[settings]?.grey_zone : null) ?? card?.grey_zone ?? null;
}

/** The top of the side panel. */
export class Verdict {
  /**
   * @param {object} actions
   * @param {() => void} actions.read
   * @param {(population: "child"|"adult") => void} actions.readAs
   */
  constructor(actions) {
    this.actions = actions;
    this.element = h("section", { class: "verdict", "aria-labelledby": "verdict-title" });
  }

  /** No film is open. */
  showNothing() {
    fill(this.element);
  }

  /** @param {ModelInfo} model */
  showUnread(model) {
    this.message(
      "state-waiting",
      words.notRead,
      words.notReadHint(model.name),
      button(words.readThis, this.actions.read, { icon: "read", quiet: false, primary: true }),
      model,
    );
  }

  /** @param {ModelInfo} model */
  showLoading(model) {
    this.message("spinner", words.loadingFilm, "", null, model);
  }

  /** @param {ModelInfo} model */
  showReading(model) {
    this.message("state-reading", words.readingNow, words.readingNowHint(model.name), null, model);
  }

  /** @param {string} sentence @param {ModelInfo} model @param {boolean} [again]   reading again may help */
  showFailed(sentence, model, again = true) {
    this.message("alert", words.readFailed, sentence, again ? button(words.tryAgain, this.actions.read) : null, model);
  }

  /**
   * @param {string} symbol @param {string} title @param {string} text
   * @param {HTMLElement|null} action @param {ModelInfo} model
   */
  message(symbol, title, text, action, model) {
    fill(
      this.element,
      h(
        "div",
        { class: "verdict-message" },
        icon(symbol),
        h("h2", { id: "verdict-title" }, title),
        text !== "" && h("p", { class: "muted" }, text),
        action,
      ),
      modelLine(model),
    );
  }

  /**
   * @param {Reading} reading @param {ModelInfo} model @param {any} card
   */
  show(reading, model, card) {
    if (reading.error !== null || reading.probability === null || reading.decision === null)
      return this.showFailed(words.sentence(reading.error?.message ?? words.noAnswer), model);
    fill(
      this.element,
      headline(reading),
      scale(reading, greyZone(card, reading)),
      h(
        "p",
        { class: "threshold-words" },
        words.thresholdWords(reading.decision, reading.operating_point?.threshold ?? null, reading.operating_point?.rule ?? ""),
      ),
      ...banners(reading, greyZone(card, reading)),
      h("dl", { class: "facts" }, ...this.population(reading), ...severity(reading), ...lungs(reading)),
      modelLine(model),
    );
  }

  /** @param {Reading} reading */
  population(reading) {
    const { population } = reading;
    if (population === null) return [];
    const ask =
      population.cautious &&
      h(
        "span",
        { class: "read-as" },
        .../** @type {const} */ (["child", "adult"]).map((each) =>
          button(words.readAs[each], () => this.actions.readAs(each), { class: "small" }),
        ),
      );
    return [
      h("dt", {}, words.population),
      h("dd", { class: population.cautious ? "cautious" : "" }, words.populationWords(population), ask),
    ];
  }
}

/** @param {Reading} reading */
function headline(reading) {
  const decision = /** @type {"positive"|"negative"} */ (reading.decision);
  const limited = reading.abstains === true || reading.domain?.inside === false;
  return h(
    "div",
    { class: `headline ${decision}${limited ? " limited" : ""}` },
    h("h2", { id: "verdict-title" }, words.targetProbability(reading.target)),
    h("p", { class: "headline-figure" }, words.probability(/** @type {number} */ (reading.probability))),
    h("p", { class: "headline-decision" }, icon(decision), h("span", {}, words.decisions[decision])),
  );
}

/**
 * Draw probability, threshold and grey zone on one line from 0 to 1.
 *
 * @param {Reading} reading @param {{low: number, high: number}|null} zone
 */
function scale(reading, zone) {
  const line = h("div", { class: "scale", role: "img", "aria-label": words.scaleWords(reading, zone) });
  const place = (/** @type {string} */ name, /** @type {number} */ from, /** @type {number} */ to) => {
    const part = h("span", { class: name });
    part.style.insetInlineStart = `${100 * from}%`;
    if (to > from) part.style.inlineSize = `${100 * (to - from)}%`;
    line.append(part);
  };
  if (zone !== null) place("scale-grey", zone.low, Math.max(zone.high, zone.low + 0.002));
  place("scale-fill", 0, Math.max(reading.probability ?? 0, 0.002));
  if (reading.operating_point !== null) place("scale-threshold", reading.operating_point.threshold, 0);
  place("scale-mark", reading.probability ?? 0, 0);
  return h(
    "div",
    { class: "scale-frame" },
    line,
    h(
      "div",
      { class: "scale-ends", "aria-hidden": "true" },
      h("span", {}, "0"),
      zone !== null && h("span", { class: "scale-key" }, h("i", { class: "swatch grey" }), words.greyZone),
      h("span", { class: "scale-key" }, h("i", { class: "swatch tick" }), words.threshold),
      h("span", {}, "1"),
    ),
  );
}

/**
 * @param {Reading} reading @param {{low: number, high: number}|null} zone
 */
function banners(reading, zone) {
  const banner = (/** @type {string} */ kind, /** @type {string} */ title, /** @type {string} */ text) =>
    h(
      "div",
      { class: `banner ${kind}` },
      icon(kind === "outside" ? "outside" : kind === "unsure" ? "unsure" : "alert"),
      h("div", {}, h("strong", {}, title), h("p", {}, text)),
    );
  const found = [];
  if (reading.domain?.inside === false)
    found.push(banner("outside", words.outside, words.outsideWords(reading.domain.reason ?? "")));
  if (reading.abstains) found.push(banner("unsure", words.unsure, words.unsureWords(reading, zone)));
  if (reading.lung_fields !== null && reading.lung_fields.state !== "found")
    found.push(banner("lungs", words.lungStates[reading.lung_fields.state], words.lungsMissing));
  if (reading.cautions.length > 0) found.push(banner("caution", words.cautions, reading.cautions.join("; ")));
  return found;
}

/** @param {Reading} reading */
function severity(reading) {
  const graded = reading.severity;
  if (graded === null) return [];
  const text = graded.score === null ? words.undefinedBecause(graded.reason ?? "") : words.severityWords(graded);
  return [h("dt", {}, words.severity), h("dd", { title: graded.name }, h("span", {}, text), h("small", {}, graded.name))];
}

/** @param {Reading} reading */
function lungs(reading) {
  return reading.lung_fields === null ? [] : [h("dt", {}, words.lungs), h("dd", {}, words.lungStates[reading.lung_fields.state])];
}

/** @param {ModelInfo} model */
function modelLine(model) {
  return h(
    "p",
    { class: "model-line" },
    h("span", {}, words.modelLine(model.name, versionOf(model))),
    h("strong", {}, words.disclaimer),
  );
}
