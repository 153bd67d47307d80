/** The six zones of the lungs as a table that lies as the lungs do on the film: the patient's right on the left. */

import { strings } from "../../strings/en.js";
import { fill, h, spoken } from "../dom.js";

const words = strings.viewer;

/** @import {Reading, ReadingFinding, SeverityZone} from "../types.js" */

const SIDES = /** @type {const} */ (["right", "left"]);
const THIRDS = /** @type {const} */ (["upper", "mid", "lower"]);

/** Emits "zone" with {laterality, zone}. */
export class ZonesTable extends EventTarget {
  constructor() {
    super();
    this.element = h("div", { class: "zones" });
  }

  /** @param {Reading|null} reading */
  show(reading) {
    const severity = reading?.severity ?? null;
    if (severity === null || severity.zones.length === 0)
      return fill(
        this.element,
        h("p", { class: "muted" }, severity?.reason ? words.undefinedBecause(severity.reason) : words.zones.none),
      );
    const graded = severity.zones.some((zone) => zone.grade !== null);
    fill(
      this.element,
      h(
        "table",
        { class: "zone-table" },
        h("caption", {}, graded ? words.zones.caption : words.zones.captionUngraded),
        h("thead", {}, h("tr", {}, h("td", {}), ...SIDES.map((side) => h("th", { scope: "col" }, words.lung[side])))),
        h(
          "tbody",
          {},
          ...THIRDS.map((third) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, words.zoneNames[third]),
              ...SIDES.map((side) => this.cell(severity.zones, side, third, reading)),
            ),
          ),
        ),
      ),
      severity.reference !== null && h("p", { class: "note" }, words.zones.reference(severity.reference, severity.n_patients)),
    );
  }

  /**
   * @param {SeverityZone[]} zones @param {"right"|"left"} side @param {"upper"|"mid"|"lower"} third @param {Reading|null} reading
   */
  cell(zones, side, third, reading) {
    const zone = zones.find((each) => each.laterality === side && each.zone === third);
    if (zone === undefined) return h("td", {}, words.nothing);
    const count = reading?.findings.filter((finding) => finding.laterality === side && finding.zone === third).length ?? 0;
    const press = h(
      "button",
      {
        type: "button",
        class: `zone grade-${zone.grade === null ? "none" : Math.round(zone.grade)}`,
        "data-zone": `${side} ${third}`,
        on: { click: () => this.press(side, third) },
      },
      spoken(words.zones.zone(zone)),
      h("span", { class: "figure" }, zone.grade === null ? words.nothing : zone.grade.toFixed(1)),
      h("span", { class: "zone-share" }, words.percent(zone.share_opaque)),
      spoken(words.zones.findings(count)),
      count > 0 && h("span", { class: "zone-dots", "aria-hidden": "true" }, "●".repeat(count)),
    );
    return h("td", {}, press);
  }

  /** @param {"right"|"left"} laterality @param {"upper"|"mid"|"lower"} zone */
  press(laterality, zone) {
    this.dispatchEvent(new CustomEvent("zone", { detail: { laterality, zone } }));
  }

  /** Mark the zone of a finding. @param {ReadingFinding|null} finding */
  mark(finding) {
    for (const cell of this.element.querySelectorAll("button"))
      cell.classList.toggle("selected", finding !== null && cell.dataset.zone === `${finding.laterality} ${finding.zone}`);
  }
}
