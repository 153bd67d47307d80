/** The open film: what was fetched of it, what the chosen model read in it, and how that is shown. */

import { strings } from "../../strings/en.js";
import { ApiError, sentenceOf } from "../api.js";
import { loadDifference } from "../compare/difference.js";
import { button } from "../dom.js";
import { describe } from "../panels/description.js";
import { showFilmFacts, showModelFacts } from "../panels/film_facts.js";
import { decisionBadge } from "../worklist/columns.js";
import { followJob } from "../worklist/reading_job.js";
import { FilmCache, loadMap } from "./load_film.js";
import { findingShapes, lungShapes, referenceShapes, zoneShape } from "./shapes.js";

const words = strings.viewer;

/** @import {Film, MapLayer, Shape} from "../../film/film.js" */
/** @import {FilmSummary, Reading} from "../types.js" */
/** @import {MapState} from "../panels/map_panel.js" */

/**
 * @typedef {object} Parts
 * @property {import("../api.js").Api} api
 * @property {import("./film_area.js").FilmArea} area
 * @property {import("../panels/side_panel.js").SidePanel} side
 * @property {import("../models.js").Models} models
 * @property {import("../session.js").SettingsStore} settings
 * @property {import("../notices.js").Notices} notices
 * @property {import("../keys/keymap.js").Keymap} keymap
 */

/** Emits "gone" when the film was closed on the server. */
export class FilmSession extends EventTarget {
  /** @param {Parts} parts */
  constructor(parts) {
    super();
    this.parts = parts;
    this.cache = new FilmCache(parts.api);
    /** @type {FilmSummary|null} */
    this.summary = null;
    /** @type {any} */
    this.facts = null;
    /** @type {Film|null} */
    this.film = null;
    /** @type {Reading|null} */
    this.reading = null;
    /** @type {{layer: MapLayer, cell_mm: any}|null} */
    this.map = null;
    /** @type {{model: string, method: string}|null} */
    this.other = null;
    /** What the compared model read. @type {Reading|null} */
    this.otherReading = null;
    /** @type {any} */
    this.zones = null;
    /** @type {Shape[]} */
    this.references = [];
    this.showReferences = false;
    /** Whether the film's file was replaced, so that nothing of it is shown before it is read again. */
    this.replaced = false;
    this.turn = this.readingRequest = this.mapRequest = 0;
    const { settings } = parts;
    /** @type {MapState} */
    this.mapState = {
      visible: settings.get("mapFirst"),
      opacity: settings.get("opacity"),
      smooth: settings.get("smooth"),
      contours: settings.get("contours"),
      threshold: null,
      whole: settings.get("whole"),
    };
  }

  /**
   * Show a film.
   *
   * @param {FilmSummary} summary
   */
  async open(summary) {
    const turn = (this.turn += 1);
    const { area, side, models, settings } = this.parts;
    this.forget(summary);
    area.showLoading(summary.label);
    side.verdict.showLoading(models.model);
    try {
      if (summary.state === "failed" && summary.rows === null) throw unusable(summary);
      const { facts, film } = await this.cache.get(summary, models.chosen);
      if (turn !== this.turn) return;
      [this.facts, this.film] = [facts, film];
      this.mapState = { ...this.mapState, visible: settings.get("mapFirst"), threshold: null };
      area.showFilm(film, summary.label);
      area.setLayers(null, null);
      area.setMap(this.mapState);
      showFilmFacts(side.filmFacts, facts);
      await this.loadReading();
    } catch (error) {
      if (turn === this.turn) this.showFault(error);
    }
  }

  /** @param {FilmSummary} summary */
  forget(summary) {
    this.summary = summary;
    this.replaced = false;
    this.mapRequest += 1;
    this.facts = this.film = this.reading = this.map = this.zones = null;
    this.references = [];
    this.parts.side.showReference(false, false);
    this.showPanels();
  }

  close() {
    this.turn += 1;
    this.summary = null;
  }

  /** Fetch what the server knows of the film now, and show it. */
  async reopen() {
    const { api, models } = this.parts;
    if (this.summary === null) return;
    const { id } = this.summary;
    const now = await api.film(id, models.chosen).catch((/** @type {unknown} */ error) => error);
    if (this.summary?.id !== id) return;
    if (now instanceof Error) this.showFault(now);
    else await this.open(now);
  }

  /** Show nothing of the film's earlier file. @param {ApiError} error */
  showReplaced(error) {
    const { area, side, models } = this.parts;
    if (this.summary === null) return;
    this.turn += 1;
    this.forget(this.summary);
    this.replaced = true;
    area.setLayers(null, null);
    area.showBadge(null);
    area.showCover("alert", words.filmReplaced, sentenceOf(error));
    side.verdict.showFailed(sentenceOf(error), models.model);
  }

  /** @param {unknown} error */
  showFault(error) {
    const { area, side, models } = this.parts;
    const again = button(words.tryAgain, () => this.summary && this.open(this.summary));
    side.verdict.showNothing();
    if (!(error instanceof ApiError)) area.showCover("alert", words.filmFailed, sentenceOf(error), again);
    else if (error.unreachable) area.showCover("offline", words.serverGone, words.serverGoneHint, again);
    else if (error.refused) this.dispatchEvent(new Event("refused"));
    else if (error.status === 404) this.showGone();
    else if (error.replaced) this.showReplaced(error);
    else {
      area.showCover("alert", words.filmFailed, sentenceOf(error));
      side.verdict.showFailed(sentenceOf(error), models.model, false);
    }
  }

  showGone() {
    const { area, side } = this.parts;
    side.verdict.showNothing();
    area.showCover(
      "film",
      words.filmGone,
      words.filmGoneHint,
      button(words.backToList, () => this.dispatchEvent(new Event("gone"))),
    );
  }

  /** Show the film as the newly chosen model read it; nothing of the earlier model's answer stays. */
  async changeModel() {
    const { side, area, models } = this.parts;
    this.reading = null;
    this.mapRequest += 1;
    this.map = this.otherReading = this.zones = null;
    this.mapState = { ...this.mapState, threshold: null };
    area.setLayers(null, null);
    area.showBadge(null);
    if (this.film !== null) side.verdict.showLoading(models.model);
    this.showPanels();
    await this.loadReading();
  }

  /** Fetch what the chosen model read, with its map; only the last request is shown. */
  async loadReading() {
    const { turn, summary } = this;
    const { api, models, side, area } = this.parts;
    if (summary === null || this.film === null) return;
    const request = (this.readingRequest += 1);
    const model = models.model;
    const [now, card] = await Promise.all([api.film(summary.id, model.id), models.card(model.id)]);
    const reading = now.state === "read" || now.state === "failed" ? await api.reading(summary.id, model.id) : null;
    if (turn !== this.turn || request !== this.readingRequest || model !== models.model) return;
    [this.summary, this.reading] = [now, reading];
    area.showBadge(decisionBadge(now));
    if (reading === null) this.showUnread();
    else side.verdict.show(reading, model, card);
    area.viewport.description = describe(summary.label, reading, model);
    showModelFacts(side.modelFacts, model, card, reading);
    await Promise.all([this.loadMaps(), this.loadRegions()]);
  }

  showUnread() {
    const { side, models } = this.parts;
    const refusal = this.facts?.refusal;
    if (refusal) return side.verdict.showFailed(words.sentence(refusal), models.model, false);
    if (this.summary?.state === "reading" || this.summary?.state === "queued") return side.verdict.showReading(models.model);
    return side.verdict.showUnread(models.model);
  }

  get answered() {
    return this.reading !== null && this.reading.error === null && this.reading.probability !== null;
  }

  /** The population that the user has stated for this film; null where its file or the server decides. */
  get statedPopulation() {
    const population = this.reading?.population;
    return population?.source === "user" ? population.settings : null;
  }

  /** Fetch the maps of the comparison that is on, or of the one reading; only the last request is shown. */
  async loadMaps() {
    const request = (this.mapRequest += 1);
    const { summary, film } = this;
    const { area } = this.parts;
    this.map = this.otherReading = null;
    area.setLayers(null, null);
    if (summary === null || film === null || !this.answered) return this.showPanels();
    try {
      const maps = await this.fetchMaps(summary.id, film);
      if (request !== this.mapRequest) return;
      area.cover.hidden = true;
      this.showMaps(maps);
    } catch (error) {
      if (request !== this.mapRequest) return;
      area.showCover("map", words.compare.failed, sentenceOf(error));
    }
    this.showPanels();
  }

  /**
   * @typedef {object} Maps
   * @property {{layer: MapLayer, cell_mm: any}} first      what the panel controls
   * @property {MapLayer|null} second
   * @property {Reading|null} reading                       by the other model
   */

  /** @param {string} id @param {Film} film @returns {Promise<Maps>} */
  async fetchMaps(id, film) {
    const { api, models, area } = this.parts;
    const { other } = this;
    const { mode } = area;
    const shown = { model: models.chosen, method: models.method(models.chosen) };
    if (mode === "single" || other === null)
      return { first: await loadMap(api, id, shown.model, shown.method), second: null, reading: null };
    await this.readOther(id, other.model);
    if (mode === "difference") {
      const { layer, reason } = await loadDifference(api, id, film, shown, other);
      if (layer === null) throw new ApiError(409, "units", reason ?? "");
      return { first: { layer, cell_mm: null }, second: null, reading: null };
    }
    const [first, second, reading] = await Promise.all([
      loadMap(api, id, shown.model, shown.method),
      loadMap(api, id, other.model, other.method),
      api.reading(id, other.model),
    ]);
    return { first, second: second.layer, reading };
  }

  /** @param {Maps} maps */
  showMaps({ first, second, reading }) {
    const { area, models } = this.parts;
    this.map = first;
    this.otherReading = reading;
    area.setLayers(first.layer, second);
    area.setMap(this.mapState);
    if (second === null || reading === null || this.reading === null || this.other === null) return;
    area.second.viewport.description = describe(this.summary?.label ?? "", reading, models.byId(this.other.model));
    area.showCaptions([first.layer, second], [this.reading, reading]);
  }

  /** Let the other model read the film where it has not. @param {string} id @param {string} model */
  async readOther(id, model) {
    const { api, area, models } = this.parts;
    if ((await api.film(id, model)).state === "read") return;
    area.showCover("spinner", words.readingNow, words.readingNowHint(models.byId(model).name));
    const stated = this.statedPopulation;
    const population = stated !== null && models.byId(model).populations.includes(stated) ? stated : null;
    const job = await api.startJob([id], model, population);
    await followJob(api, job, () => undefined);
    area.cover.hidden = true;
  }

  /** Fetch lungs, zones and reference regions; none of them keeps the film from being shown. */
  async loadRegions() {
    const { turn, summary } = this;
    const { api, models, side } = this.parts;
    if (summary === null) return;
    const [zones, regions] = await Promise.all([
      this.answered
        ? api.json(`/films/${summary.id}/readings/${encodeURIComponent(models.chosen)}/zones`).catch(() => null)
        : null,
      summary.has_reference ? api.json(`/films/${summary.id}/regions`).catch(() => null) : null,
    ]);
    if (turn !== this.turn) return;
    this.zones = zones;
    this.references = regions === null ? [] : referenceShapes(regions);
    side.showReference(this.references.length > 0, this.showReferences);
    this.showShapes();
  }

  /** Height and width of the map's cells on the screen; null where the film states no spacing. */
  get cellAsDisplayed() {
    const cell = this.map?.cell_mm ?? null;
    if (cell === null || !this.film?.orientation.transposed) return cell;
    return { ...cell, row_mm: cell.col_mm, col_mm: cell.row_mm };
  }

  /** Bring the panels below the verdict up to the reading. */
  showPanels() {
    const { side, models, settings, keymap } = this.parts;
    side.findings.show(this.reading);
    side.zones.show(this.reading);
    side.exports.show({ film: this.film !== null, reading: this.answered });
    side.map.show({
      layer: this.map?.layer ?? null,
      cell_mm: this.cellAsDisplayed,
      state: this.mapState,
      methods: models.items.length === 0 || !this.answered ? [] : models.model.methods,
      first: settings.get("mapFirst"),
      boxes: settings.get("boxes"),
      hideKey: keymap.keys("map_hide")[0] ?? "",
    });
    this.showShapes();
  }

  /** @param {string|null} [selected] @param {Shape[]} [further]   outlines for the moment */
  showShapes(selected = this.parts.side.findings.selected, further = []) {
    const findings = this.reading !== null && this.parts.settings.get("boxes") ? findingShapes(this.reading) : [];
    const others = this.otherReading !== null && this.parts.settings.get("boxes") ? findingShapes(this.otherReading) : [];
    const common = [...(this.showReferences ? this.references : []), ...further];
    this.parts.area.setShapes([...findings, ...common], [...others, ...common], selected);
  }

  /** Outline a zone, or none. @param {{laterality: string, zone: string}|null} where */
  outlineZone(where) {
    const zone =
      where &&
      this.zones?.items.find((/** @type {any} */ each) => each.laterality === where.laterality && each.zone === where.zone);
    this.showShapes(undefined, zone ? [zoneShape(zone)] : []);
  }

  /** Outline the lungs that the model found, or stop. */
  async outlineLungs() {
    const { summary } = this;
    const { api, models } = this.parts;
    if (summary === null || !this.answered) return;
    const lungs = await api.json(`/films/${summary.id}/readings/${encodeURIComponent(models.chosen)}/lungs`);
    this.showShapes(undefined, lungShapes(lungs));
  }

  /** @param {Partial<MapState>} change */
  changeMap(change) {
    const { area, settings, side } = this.parts;
    this.mapState = { ...this.mapState, ...change };
    for (const name of /** @type {const} */ (["opacity", "smooth", "contours", "whole"]))
      if (change[name] !== undefined) settings.set(name, /** @type {never} */ (change[name]));
    area.setMap(this.mapState);
    side.map.update(this.mapState);
  }
}

/** Why a film cannot be shown. @param {FilmSummary} film */
function unusable({ error }) {
  return new ApiError(error?.kind === "changed" ? 409 : 422, error?.kind ?? "unusable", error?.message ?? "");
}
