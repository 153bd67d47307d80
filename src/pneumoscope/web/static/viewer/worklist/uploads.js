/** Files on their way to the server: progress, cancel and the server's sentence for each. */

import { strings } from "../../strings/en.js";
import { ApiError, sentenceOf } from "../api.js";
import { button, fill, h, icon } from "../dom.js";

const words = strings.viewer;

/** @import {Api} from "../api.js" */
/** @typedef {{file: File, state: "waiting"|"sending"|"done"|"failed"|"cancelled", share: number, error: string, stop: AbortController}} Upload */

const AT_ONCE = 3;
const SHOWN = 200;
const MOST_BYTES = 64 * 2 ** 20;

/** @param {File} file @returns {Upload} */
function uploadOf(file) {
  const fits = file.size <= MOST_BYTES;
  return { file, state: fits ? "waiting" : "failed", share: 0, error: fits ? "" : words.upload.tooLarge, stop: new AbortController() };
}

/** A queue of uploads with its panel; emits "done" after each file and "idle" when all have ended. */
export class Uploads extends EventTarget {
  /** @param {Api} api */
  constructor(api) {
    super();
    this.api = api;
    /** @type {Upload[]} */
    this.uploads = [];
    this.running = 0;
    /** @type {Map<Upload, HTMLElement>} */
    this.rows = new Map();
    this.summary = h("p", { class: "upload-summary", role: "status" });
    this.list = h("ul", { class: "upload-list", "aria-label": words.upload.title });
    this.element = h(
      "section",
      { class: "uploads", hidden: true, "aria-label": words.upload.title },
      h(
        "header",
        { class: "uploads-head" },
        this.summary,
        button(words.upload.cancelAll, () => this.cancelAll(), { class: "small upload-cancel-all" }),
        button(words.close, () => this.close(), { icon: "close", class: "small" }),
      ),
      this.list,
    );
  }

  /** @param {File[]} files */
  add(files) {
    for (const file of files) this.uploads.push(uploadOf(file));
    this.element.hidden = this.uploads.length === 0;
    this.render();
    this.next();
  }

  next() {
    while (this.running < AT_ONCE) {
      const upload = this.uploads.find((each) => each.state === "waiting");
      if (upload === undefined) break;
      this.send(upload);
    }
    if (this.running === 0) this.dispatchEvent(new Event("idle"));
  }

  /** @param {Upload} upload */
  async send(upload) {
    this.running += 1;
    upload.state = "sending";
    this.render();
    try {
      const film = await this.api.upload(upload.file, (share) => this.progress(upload, share), upload.stop.signal);
      await this.check(film.id);
      upload.state = "done";
      this.dispatchEvent(new Event("done"));
    } catch (error) {
      upload.state = upload.stop.signal.aborted ? "cancelled" : "failed";
      upload.error = sentenceOf(error);
    }
    this.running -= 1;
    this.render();
    this.next();
  }

  /**
   * Let the server decode a film; one that it cannot use is closed again.
   *
   * @param {string} film
   */
  async check(film) {
    this.dispatchEvent(new CustomEvent("checking", { detail: film }));
    try {
      await this.api.film(film, "");
    } catch (error) {
      if (error instanceof ApiError && error.status === 422) {
        await this.api.remove(film);
        throw error;
      }
      this.dispatchEvent(new CustomEvent("checked", { detail: film }));
      throw error;
    }
    this.dispatchEvent(new CustomEvent("checked", { detail: film }));
  }

  /** @param {Upload} upload @param {number} share */
  progress(upload, share) {
    upload.share = share;
    const bar = this.rows.get(upload)?.querySelector("progress");
    if (bar) bar.value = share;
  }

  /** @param {Upload} upload */
  cancel(upload) {
    upload.stop.abort();
    if (upload.state === "waiting") upload.state = "cancelled";
    this.render();
  }

  cancelAll() {
    for (const upload of this.uploads) if (upload.state === "waiting" || upload.state === "sending") this.cancel(upload);
  }

  close() {
    this.cancelAll();
    this.uploads = [];
    this.element.hidden = true;
  }

  /** Failed files first, then those on their way, then the rest; a long list is cut, its figures are not. */
  shown() {
    const rank = { failed: 0, sending: 1, waiting: 2, cancelled: 3, done: 4 };
    return [...this.uploads].sort((a, b) => rank[a.state] - rank[b.state]).slice(0, SHOWN);
  }

  render() {
    const count = (/** @type {string} */ state) => this.uploads.filter((upload) => upload.state === state).length;
    this.summary.textContent = words.upload.summary(count("done"), this.uploads.length, count("failed"));
    const busy = count("waiting") + count("sending") > 0;
    /** @type {HTMLElement} */ (this.element.querySelector(".upload-cancel-all")).hidden = !busy;
    this.rows.clear();
    fill(this.list, ...this.shown().map((upload) => this.row(upload)));
  }

  /** @param {Upload} upload */
  row(upload) {
    const open = upload.state === "waiting" || upload.state === "sending";
    const row = h(
      "li",
      { class: `upload ${upload.state}` },
      icon(`upload-${upload.state}`),
      h("span", { class: "upload-name" }, h("bdi", {}, upload.file.name)),
      upload.state === "sending"
        ? h("progress", { value: upload.share, max: 1, "aria-label": upload.file.name })
        : h("span", { class: "upload-state" }, words.upload.states[upload.state]),
      open && button(words.upload.cancel(upload.file.name), () => this.cancel(upload), { icon: "close", class: "small" }),
      upload.state === "failed" && h("p", { class: "upload-error" }, upload.error),
    );
    this.rows.set(upload, row);
    return row;
  }
}
