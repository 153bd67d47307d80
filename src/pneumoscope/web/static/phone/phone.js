// The application: takes a film, reads it on the phone, shows the reading on the film.

import "../viewport/px-viewport.js";
import { ReaderClient } from "../reader/client.js";
import { strings } from "../strings/en.js";
import { fill } from "../strings/fill.js";
import { controlsOf } from "./controls.js";
import { button, element } from "./elements.js";
import { saveFile } from "./saving.js";
import { hearOpenedFiles, keepOffline, takeShared } from "./offline.js";
import { detailsOf, findingId, summaryOf } from "./result.js";
import { forgetFilm, keepFilm, keptFilm } from "./store.js";
import { chosenTheme, setTheme, THEMES } from "./theme.js";
import { readingText, refusalText } from "./words.js";

/** @typedef {import("../reader/card.js").Card} Card */
/** @typedef {import("../reader/card.js").Population} Population */
/** @typedef {import("../reader/read.js").Answer} Answer */
/** @typedef {import("./store.js").OpenFilm} OpenFilm */

const texts = strings.phone;
const ACCEPTED = ".dcm,.dicom,.png,.jpg,.jpeg,image/png,image/jpeg,application/dicom";
const MOST_UNFINISHED = 2;

class Application {
  #reader = new ReaderClient();
  /** @type {Promise<Card> | null} */
  #card = null;
  /** @type {OpenFilm | null} */
  #film = null;
  /** Counts what was asked for, so that the answer of an earlier question is dropped. */
  #turn = 0;
  #status = element("p", { class: "status", role: "status" });
  #notice = element("div", { class: "status", role: "status" });
  #offline = element("p", { class: "muted", id: "offline" }, texts.offline_unknown);
  #main = element("main", {});

  async start() {
    setTheme(chosenTheme());
    document.body.replaceChildren(this.#header(), this.#main, this.#notice, this.#status);
    this.#welcome();
    const offline = await keepOffline({
      progress: (done, all) => (this.#offline.textContent = fill(texts.offline_progress, { done, all })),
      update: (apply) => this.#update(apply),
    });
    this.#offline.textContent = offline ? texts.offline_yes : texts.offline_no;
    document.documentElement.dataset.offline = String(offline);
    this.#open().catch(() => {});
    hearOpenedFiles((file) => this.#take(file));
    await this.#resume();
  }

  #header() {
    const theme = /** @type {HTMLSelectElement} */ (element("select", { "aria-label": texts.theme, onchange: () => setTheme(theme.value) }));
    for (const name of THEMES) theme.append(new Option(texts.themes[name], name, false, name === chosenTheme()));
    const title = element("div", { class: "title" }, element("h1", {}, texts.name), theme);
    return element("header", {}, title, element("p", { class: "disclaimer" }, texts.disclaimer));
  }

  /** @param {() => void} apply */
  #update(apply) {
    this.#notice.replaceChildren(element("p", {}, texts.update), button(texts.update_now, apply));
  }

  /** Load the model, once. */
  #open() {
    this.#card ??= this.#reader.open().catch((error) => {
      this.#card = null;
      this.#say(fill(texts.no_model, { reason: error.message }));
      throw error;
    });
    return this.#card;
  }

  /** @param {string} text */
  #say(text) {
    this.#status.textContent = text;
  }

  /** What was shared, or what was open when the browser ended. */
  async #resume() {
    const shared = await takeShared();
    if (shared) {
      await this.#take(shared);
      return;
    }
    const kept = await keptFilm();
    if (!kept || this.#film) return;
    if (kept.unfinished >= MOST_UNFINISHED) {
      await forgetFilm();
      this.#say(texts.gave_up);
      return;
    }
    await this.#read(kept);
  }

  #welcome() {
    this.#film = null;
    this.#main.replaceChildren(
      element(
        "section", { class: "welcome" },
        element("h2", {}, texts.welcome), element("p", {}, texts.explain), this.#chooser(texts.choose),
        element("p", { class: "private" }, texts.private), this.#offline, element("p", { class: "muted" }, texts.photograph),
      ),
    );
  }

  /** @param {string} name */
  #chooser(name) {
    const input = /** @type {HTMLInputElement} */ (
      element("input", { type: "file", class: "visually-hidden", id: "file", accept: ACCEPTED })
    );
    input.addEventListener("change", () => {
      const [file] = input.files ?? [];
      input.value = "";
      if (file) this.#take(file);
    });
    return element("div", { class: "chooser" }, input, element("label", { for: "file", class: "primary" }, name));
  }

  /** @param {File} file */
  async #take(file) {
    try {
      await this.#read({ bytes: new Uint8Array(await file.arrayBuffer()), name: file.name, population: null, unfinished: 0 });
    } catch {
      this.#say(texts.unreadable);
    }
  }

  /**
   * Read a film and show the answer.
   * @param {OpenFilm} film
   */
  async #read(film) {
    const turn = ++this.#turn;
    this.#film = film;
    await keepFilm({ ...film, unfinished: film.unfinished + 1 });
    this.#say(texts.reading);
    this.#main.setAttribute("aria-busy", "true");
    try {
      const card = await this.#open();
      const answer = await this.#reader.read(film.bytes, film.name, film.population);
      if (turn !== this.#turn) return;
      await keepFilm({ ...film, unfinished: 0 });
      this.#say("");
      this.#show(card, film, answer);
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#say(fill(texts.failed, { reason: error instanceof Error ? error.message : String(error) }));
      this.#withoutReading();
      this.#reader.restart();
      this.#card = null;
    } finally {
      if (turn === this.#turn) this.#main.removeAttribute("aria-busy");
    }
  }

  /**
   * @param {Card} card
   * @param {OpenFilm} film
   * @param {Answer} answer
   */
  #show(card, film, { radiograph, line, layer }) {
    if (!radiograph || line.error) {
      this.#refused(line.error?.message ?? "", radiograph !== null && line.error?.kind === "PopulationError", film, card);
      return;
    }
    const viewport = /** @type {import("../viewport/px-viewport.js").PxViewport} */ (document.createElement("px-viewport"));
    viewport.setAttribute("aria-label", texts.film);
    const controls = controlsOf(viewport);
    const reading = /** @type {import("../reader/compose.js").Line} */ (line);
    this.#main.replaceChildren(
      element("div", { class: "film" }, viewport), summaryOf(card, reading), controls.root,
      detailsOf(card, reading, (id) => viewport.select(id)), this.#populations(card, film), this.#actions(viewport, film, line),
    );
    viewport.film = radiograph.film;
    viewport.layers = layer ? [layer] : [];
    viewport.shapes = reading.findings.map((finding, k) => (
      { id: findingId(k), kind: "finding", label: String(k + 1), box: finding.box, outline: null }
    ));
    viewport.description = readingText(reading);
    controls.follow();
    document.getElementById("decision")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  /**
   * A file that was not read, and why.
   * @param {string} message
   * @param {boolean} byPopulation  whether another population can help
   * @param {OpenFilm} film
   * @param {Card} card
   */
  #refused(message, byPopulation, film, card) {
    this.#withoutReading(
      element("p", { class: "sentence" }, refusalText(message)),
      ...(byPopulation ? [this.#populations(card, film)] : []),
    );
  }

  /**
   * Show that there is no reading of the film; nothing of an earlier film's reading stays.
   * @param {...HTMLElement} reasons
   */
  #withoutReading(...reasons) {
    const heading = element("h2", { tabindex: "-1" }, texts.refused);
    this.#main.replaceChildren(
      element("section", { class: "refused" }, heading, ...reasons),
      element("section", { class: "actions" }, this.#chooser(texts.another), button(texts.close, () => this.#close())),
    );
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  /**
   * @param {Card} card
   * @param {OpenFilm} film
   */
  #populations(card, film) {
    if (!card.populations.length) return element("div", {});
    const choices = [["", texts.unknown], ...card.populations.map((name) => [name, texts.populations[name]])].map(([value, name]) => {
      const input = element("input", {
        type: "radio", name: "population", value, checked: value === (film.population ?? ""),
        onchange: () => this.#read({ ...film, population: /** @type {Population | null} */ (value || null), unfinished: 0 }),
      });
      return element("label", {}, input, name);
    });
    return element("fieldset", { class: "populations" }, element("legend", {}, texts.population), ...choices);
  }

  /**
   * @param {import("../viewport/px-viewport.js").PxViewport} viewport
   * @param {OpenFilm} film
   * @param {object} line
   */
  #actions(viewport, film, line) {
    const stem = film.name.replace(/\.\w+$/, "") || "film";
    const json = () => saveFile(new Blob([`${JSON.stringify(line)}\n`], { type: "application/json" }), `${stem}.reading.json`);
    const picture = async () => saveFile(await viewport.toBlob({ caption: [texts.disclaimer, viewport.description] }), `${stem}.reading.png`);
    return element(
      "section", { class: "actions", "aria-label": texts.actions },
      this.#chooser(texts.another), button(texts.save_picture, picture), button(texts.save_json, json), button(texts.close, () => this.#close()),
      element("p", { class: "private" }, texts.kept),
    );
  }

  /** Forget the film and give the memory of its reading back. */
  async #close() {
    this.#turn++;
    this.#film = null;
    await forgetFilm();
    this.#reader.restart();
    this.#card = null;
    this.#say(texts.closed);
    this.#welcome();
    this.#open().catch(() => {});
  }
}

new Application().start();
