/** Reading many films: one job of the server with its progress and a way to stop it. */

import { strings } from "../../strings/en.js";
import { sentenceOf } from "../api.js";
import { button, h } from "../dom.js";
import { readEvents } from "../event_stream.js";

const words = strings.viewer;

/** @import {Api} from "../api.js" */
/** @import {Job} from "../types.js" */

const ENDED = new Set(["done", "cancelled"]);
const POLL_MS = 700;

/**
 * Follow a job to its end, by its events and, where the stream breaks, by asking.
 *
 * @param {Api} api @param {Job} job
 * @param {(job: Job) => void} onProgress
 * @returns {Promise<Job>}   the job as it ended
 */
export async function followJob(api, job, onProgress) {
  let last = job;
  const see = (/** @type {any} */ next) => {
    if (next && typeof next === "object" && next.id === job.id && "state" in next) onProgress((last = next));
  };
  const stop = new AbortController();
  await readEvents(
    api,
    `/jobs/${job.id}/events`,
    ({ data }) => {
      see(data);
      if (ENDED.has(last.state)) stop.abort();
    },
    stop.signal,
  ).catch(() => undefined);
  while (!ENDED.has(last.state)) {
    see(await api.job(job.id));
    if (!ENDED.has(last.state)) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return last;
}

/** The bar that shows the job that runs; emits "end" with the job. */
export class JobBar extends EventTarget {
  /** @param {Api} api @param {import("../notices.js").Notices} notices */
  constructor(api, notices) {
    super();
    this.api = api;
    this.notices = notices;
    /** @type {Job|null} */
    this.job = null;
    this.words = h("span", { class: "job-words" });
    this.bar = h("progress", { class: "job-progress", max: 1, value: 0, "aria-label": words.job.title });
    this.stop = button(words.job.cancel, () => this.cancel(), { class: "small" });
    this.element = h("div", { class: "job", hidden: true }, this.words, this.bar, this.stop);
  }

  /**
   * @param {"all"|string[]} films @param {string} model @param {string|null} population
   * @returns {Promise<Job|null>}   null where the job could not be started
   */
  async start(films, model, population) {
    try {
      this.job = await this.api.startJob(films, model, population);
    } catch (error) {
      this.notices.show(sentenceOf(error), "error");
      return null;
    }
    this.element.hidden = false;
    this.stop.disabled = false;
    this.show(this.job);
    const ended = await followJob(this.api, this.job, (job) => this.show(job)).catch(() => this.job);
    this.finish(/** @type {Job} */ (ended));
    return ended;
  }

  /** @param {Job} job */
  show(job) {
    this.job = job;
    this.words.textContent = words.job.progress(job.done, job.total, job.failed);
    this.bar.value = job.total === 0 ? 1 : job.done / job.total;
  }

  /** @param {Job} job */
  finish(job) {
    this.element.hidden = true;
    this.job = null;
    const text = job.state === "cancelled" ? words.job.cancelled(job.done, job.total) : words.job.ended(job.done, job.failed);
    if (job.total > 1) this.notices.show(text, job.failed > 0 ? "error" : "info");
    this.notices.announce(text);
    this.dispatchEvent(new CustomEvent("end", { detail: job }));
  }

  async cancel() {
    if (this.job === null) return;
    this.stop.disabled = true;
    await this.api.cancelJob(this.job.id).catch(() => undefined);
  }
}
