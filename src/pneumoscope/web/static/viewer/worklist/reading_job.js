/** Reading films: the jobs of the server that this page has started, each with its progress and a way to stop it. */

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

/** The line of one job. */
class JobBar {
  /** @param {Api} api @param {Job} job @param {string} label   of the only film; "" for several */
  constructor(api, job, label) {
    this.api = api;
    this.job = job;
    this.label = label;
    const title = label === "" ? words.job.title : words.job.titleOne(label);
    this.words = h("span", { class: "job-words" });
    this.bar = h("progress", { class: "job-progress", max: 1, value: 0, "aria-label": title });
    this.stop = button(words.job.cancel, () => this.cancel(), { class: "small" });
    if (label !== "") this.stop.setAttribute("aria-label", words.job.cancelOne(label));
    this.element = h("div", { class: "job" }, this.words, this.bar, this.stop);
    this.show(job);
  }

  /** @param {Job} job */
  show(job) {
    this.job = job;
    this.words.textContent =
      this.label === "" ? words.job.progress(job.done, job.total, job.failed) : words.job.progressOne(this.label);
    this.bar.value = job.total === 0 ? 1 : job.done / job.total;
  }

  async cancel() {
    this.stop.disabled = true;
    await this.api.cancelJob(this.job.id).catch(() => undefined);
  }
}

/** The lines of the jobs that run, the one of many films first; emits "end" with each job. */
export class JobBars extends EventTarget {
  /** @param {Api} api @param {import("../notices.js").Notices} notices */
  constructor(api, notices) {
    super();
    this.api = api;
    this.notices = notices;
    /** @type {Set<JobBar>} */
    this.running = new Set();
    this.element = h("div", { class: "jobs" });
  }

  /** Whether a list of films is being read. */
  get busy() {
    return [...this.running].some(({ label }) => label === "");
  }

  /**
   * @param {"all"|string[]} films @param {string} model @param {string|null} population
   * @param {string} [label]   of the only film
   * @returns {Promise<Job|null>}   null where the job could not be started
   */
  async start(films, model, population, label = "") {
    let job;
    try {
      job = await this.api.startJob(films, model, population);
    } catch (error) {
      this.notices.show(sentenceOf(error), "error");
      return null;
    }
    const bar = new JobBar(this.api, job, label);
    this.running.add(bar);
    if (label === "") this.element.prepend(bar.element);
    else this.element.append(bar.element);
    const ended = await followJob(this.api, job, (now) => bar.show(now)).catch(() => bar.job);
    this.finish(bar, ended);
    return ended;
  }

  /** @param {JobBar} bar @param {Job} job */
  finish(bar, job) {
    this.running.delete(bar);
    bar.element.remove();
    const text = job.state === "cancelled" ? words.job.cancelled(job.done, job.total) : words.job.ended(job.done, job.failed);
    if (job.total > 1) this.notices.show(text, job.failed > 0 ? "error" : "info");
    this.notices.announce(text);
    this.dispatchEvent(new CustomEvent("end", { detail: job }));
  }
}
