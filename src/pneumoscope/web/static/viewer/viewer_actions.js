/** What keys and buttons do. */

import { strings } from "../strings/en.js";
import { ApiError, sentenceOf } from "./api.js";
import { h, select } from "./dom.js";
import { versionOf } from "./models.js";
import { fileName, saveBlob } from "./panels/export_panel.js";

const words = strings.viewer;

/** @import {FilmSummary} from "./types.js" */

const OPACITY_STEP = 0.1;
const THRESHOLD_STEPS = 20;
const MODES = /** @type {const} */ (["single", "side", "curtain", "difference"]);

/** Runs actions by their names. */
export class ViewerActions {
  /** @param {import("./viewer.js").Viewer} page */
  constructor(page) {
    this.page = page;
    this.hidden = false;
    this.checking = false;
  }

  listen() {
    const { area, side, session } = this.page;
    const on = (/** @type {EventTarget} */ target, /** @type {string} */ type, /** @type {(detail: any) => void} */ listener) =>
      target.addEventListener(type, (event) => listener(/** @type {CustomEvent} */ (event).detail));
    on(area, "action", (action) => this.run(action, false));
    on(area, "mode", (mode) => this.setMode(mode));
    on(area, "select", (id) => this.selectFinding(id));
    on(side.findings, "select", (id) => this.selectFinding(id));
    on(side.findings, "hint", (id) => this.hint(id));
    on(side.findings, "zoom", (box) => area.zoomTo(box));
    on(side.zones, "zone", (zone) => this.selectZone(zone));
    on(side.map, "map", (change) => session.changeMap(change));
    on(side.map, "method", (method) => this.chooseMethod(method));
    on(side.map, "first", (first) => this.page.settings.set("mapFirst", first));
    on(side.map, "boxes", (boxes) => this.showBoxes(boxes));
    on(side, "reference", (shown) => this.showReference(shown));
    on(side.exports, "save", (what) => this.save(what));
  }

  /**
   * @param {string} action @param {boolean} repeated   the key is held
   */
  run(action, repeated) {
    const { worklist, area, session, side, head, keyDialog } = this.page;
    const actions = /** @type {Record<string, () => unknown>} */ ({
      next_film: () => worklist.step(1),
      previous_film: () => worklist.step(-1),
      worklist: () => this.page.showWorklist(),
      close_film: () => !repeated && session.summary !== null && worklist.close(session.summary),
      search: () => worklist.search?.focus(),
      read_film: () => !repeated && this.page.readFilm(null),
      read_all: () => !repeated && worklist.read("all"),
      map_toggle: () => session.changeMap({ visible: !session.mapState.visible }),
      map_hide: () => this.hideMap(),
      map_less: () => this.changeOpacity(-OPACITY_STEP),
      map_more: () => this.changeOpacity(OPACITY_STEP),
      threshold_down: () => this.changeThreshold(-1),
      threshold_up: () => this.changeThreshold(1),
      map_smooth: () => session.changeMap({ smooth: !session.mapState.smooth }),
      map_contours: () => session.changeMap({ contours: !session.mapState.contours }),
      boxes: () => this.showBoxes(!this.page.settings.get("boxes")),
      next_finding: () => side.findings.step(1),
      previous_finding: () => side.findings.step(-1),
      reference: () => session.references.length > 0 && this.showReference(!session.showReferences),
      map_whole: () => session.changeMap({ whole: !session.mapState.whole }),
      lungs: () => session.outlineLungs(),
      compare: () => this.setMode(MODES[(MODES.indexOf(area.mode) + 1) % MODES.length]),
      theme: () => head.nextTheme(),
      keys: () => keyDialog.open(),
    });
    if (action in actions) actions[action]();
    else if (session.film !== null) this.onFilm(action);
  }

  /** @param {string} action   one of the viewport */
  onFilm(action) {
    const { area } = this.page;
    if (action.startsWith("tool_"))
      for (const viewport of area.viewports)
        viewport.tool = /** @type {import("../viewport/gestures.js").Tool} */ (action.slice(5));
    else area.viewport.handleKey(/** @type {import("../viewport/keys.js").Action} */ (action));
    area.toolbar.show({ tool: area.viewport.tool });
  }

  escape() {
    const { area, side, session } = this.page;
    if (side.findings.selected !== null) return this.selectFinding(null);
    if (area.mode !== "single") return this.setMode("single");
    if (session.film !== null && area.viewport.tool !== "window") return this.onFilm("tool_window");
    return undefined;
  }

  hideMap() {
    if (this.hidden) return;
    this.hidden = true;
    this.page.area.setMap({ ...this.page.session.mapState, visible: false });
  }

  /** Show again what a held key has hidden. */
  end() {
    if (!this.hidden) return;
    this.hidden = false;
    this.page.area.setMap(this.page.session.mapState);
  }

  /** @param {number} step */
  changeOpacity(step) {
    const { session, notices } = this.page;
    const opacity = Math.round(100 * Math.min(1, Math.max(0, session.mapState.opacity + step))) / 100;
    session.changeMap({ opacity });
    notices.announce(`${words.map.opacity} ${words.percent(opacity)}`);
  }

  /** @param {1|-1} direction */
  changeThreshold(direction) {
    const { session, notices } = this.page;
    const layer = session.map?.layer;
    if (layer === undefined) return;
    const now = session.mapState.threshold ?? layer.threshold;
    const threshold = Math.min(layer.full_scale, Math.max(0, now + (direction * layer.full_scale) / THRESHOLD_STEPS));
    session.changeMap({ threshold });
    notices.announce(`${words.map.threshold} ${words.mapValue(threshold)}`);
  }

  /** @param {boolean} boxes */
  showBoxes(boxes) {
    this.page.settings.set("boxes", boxes);
    this.page.side.map.update({ boxes });
    this.page.session.showShapes();
  }

  /** @param {boolean} shown */
  showReference(shown) {
    const { session, side } = this.page;
    session.showReferences = shown;
    side.showReference(session.references.length > 0, shown);
    session.showShapes();
  }

  /** @param {string|null} id */
  selectFinding(id) {
    const { side, area, notices } = this.page;
    const finding = side.findings.finding(id);
    side.findings.mark(finding === null ? null : id);
    side.zones.mark(finding);
    area.select(finding === null ? null : id);
    if (finding !== null) notices.announce(words.findingWords(side.findings.findings.indexOf(finding) + 1, finding));
  }

  /** Point at a finding while the pointer or the focus is on it. @param {string|null} id */
  hint(id) {
    const { side, area } = this.page;
    area.select(id);
    side.zones.mark(side.findings.finding(id));
  }

  /** @param {{laterality: string, zone: string}} zone */
  selectZone(zone) {
    const { side, session } = this.page;
    const at = side.findings.findings.findIndex(
      (finding) => finding.laterality === zone.laterality && finding.zone === zone.zone,
    );
    if (at >= 0) side.findings.select(`finding-${at + 1}`);
    session.outlineZone(zone);
  }

  /** @param {string} method */
  async chooseMethod(method) {
    const { models, session } = this.page;
    models.methods.set(models.chosen, method);
    session.mapState = { ...session.mapState, threshold: null };
    await session.loadMaps().catch((error) => session.showFault(error));
    session.changeMap({});
  }

  /** @param {"single"|"side"|"curtain"|"difference"} mode */
  async setMode(mode) {
    const { area, session, models, notices } = this.page;
    const shown = { model: models.chosen, method: models.method(models.chosen) };
    const others = models.others(shown);
    if (mode !== "single" && (others.length === 0 || !session.answered)) {
      area.toolbar.show({ mode: "single" });
      return notices.show(session.answered ? words.compare.nothing : words.compare.unread);
    }
    if (session.other === null || !others.some((each) => key(each) === key(session.other)))
      session.other = others.find((each) => each.model !== shown.model) ?? others[0] ?? null;
    area.setMode(mode);
    this.showCompareBar(mode, others);
    if (mode !== "single" && !session.mapState.visible) session.changeMap({ visible: true });
    session.mapState = { ...session.mapState, threshold: null };
    await session.loadMaps().catch((error) => session.showFault(error));
    session.changeMap({});
    notices.announce(words.compare.modes[mode]);
    return undefined;
  }

  /** @param {string} mode @param {{model: string, method: string}[]} others */
  showCompareBar(mode, others) {
    const { area, session, models } = this.page;
    if (mode === "single" || session.other === null) return;
    const name = (/** @type {any} */ each) => words.compare.option(models.byId(each.model).name, each.method);
    const list = select(
      words.compare.with,
      others.map((each) => /** @type {[string, string]} */ ([key(each), name(each)])),
      key(session.other),
      (chosen) => {
        session.other = others.find((each) => key(each) === chosen) ?? null;
        this.setMode(area.mode);
      },
    );
    area.compareBar.replaceChildren(
      list,
      h("p", { class: "note" }, words.compare.hints[/** @type {keyof typeof words.compare.hints} */ (mode)]),
    );
  }

  /** Look whether the open film has changed on the server, once at a time. @param {FilmSummary} open */
  async checkOpenFilm(open) {
    const { session, api, models } = this.page;
    if (this.checking || (session.facts === null && !session.replaced)) return;
    this.checking = true;
    const now = await api.film(open.id, models.chosen).catch((error) => error);
    this.checking = false;
    if (session.summary?.id !== open.id) return;
    if (now instanceof ApiError && (now.status === 404 || now.replaced)) session.showFault(now);
    else if (now instanceof ApiError) return;
    else if (now.replacements !== session.summary.replacements) await session.open(now);
    else if (answerOf(now) !== answerOf(session.summary)) await session.loadReading().catch(() => undefined);
  }

  /** Lines below an exported picture: what was read, by whom, and what this is not. @returns {string[]} */
  caption() {
    const { session, models } = this.page;
    const label = session.summary?.label ?? "";
    return words.export.caption(label, session.answered ? session.reading : null, models.model.name, versionOf(models.model));
  }

  /** What the heat map of an exported picture is. @returns {string[]} */
  mapCaption() {
    const { session, models, area } = this.page;
    const { other } = session;
    if (area.mode !== "difference" || other === null) return [];
    const name = (/** @type {string} */ model, /** @type {string} */ method) => words.compare.option(models.byId(model).name, method);
    return [words.export.difference(name(other.model, other.method), name(models.chosen, models.method(models.chosen)))];
  }

  /** @param {string} what */
  async save(what) {
    const { api, session, area, models, notices } = this.page;
    const label = session.summary?.label ?? words.product;
    const reading = `/films/${session.summary?.id}/readings/${encodeURIComponent(models.chosen)}`;
    const query = `?model=${encodeURIComponent(models.chosen)}`;
    try {
      if (what === "png_map" && session.map === null) return notices.show(words.export.noMap, "error");
      if (what === "png_map")
        saveBlob(await area.picture(true, [...this.caption(), ...this.mapCaption()]), fileName(label, "-map.png"));
      else if (what === "png") saveBlob(await area.picture(false, this.caption()), fileName(label, ".png"));
      else if (what === "json") saveBlob(await api.blob(reading), fileName(label, ".json"));
      else if (what === "all_jsonl") saveBlob(await api.blob(`/exports/readings.jsonl${query}`), "readings.jsonl");
      else if (what === "all_csv") saveBlob(await api.blob(`/exports/readings.csv${query}`), "readings.csv");
      notices.announce(words.export.saved);
    } catch (error) {
      notices.show(sentenceOf(error), "error");
    }
    return undefined;
  }
}

/** What a row of the worklist says of a film's reading. @param {FilmSummary} film */
const answerOf = ({ state, probability, decision, abstains, outside_domain, n_findings }) =>
  JSON.stringify([state, probability, decision, abstains, outside_domain, n_findings]);

/** @param {{model: string, method: string}|null} map */
function key(map) {
  return map === null ? "" : `${map.model}|${map.method}`;
}
