// The coordinator's page: how far the readers are, what is to be asked, and results once they are open.

import { strings } from "../strings/en.js";
import { fill } from "../strings/fill.js";
import { ApiError, newKey, StudyApi } from "./api.js";
import { byId, fillTexts, make } from "./dom.js";
import { takeLink } from "./memory.js";

/** @typedef {{session: number, locked: number, assigned: number, display_checked: boolean, display_faults: string[]}} SessionState */
/** @typedef {{name: string, state: keyof typeof strings.study.coordinator.states, waiting_until: string, locked: number, assigned: number, last_at: string, sessions: SessionState[]}} ReaderState */
/**
 * What `reader_study.overview` tells.
 * @typedef {object} Overview
 * @property {string} title
 * @property {string} stage
 * @property {string} mode
 * @property {number} washout_days
 * @property {ReaderState[]} readers
 * @property {{reader: string, sentence: string}[]} flags
 * @property {string[]} flow
 * @property {number} unanswered
 * @property {string} unblinded
 * @property {boolean} results_open
 * @property {number} events
 * @property {string} head
 */

const texts = strings.study.coordinator;
const api = new StudyApi(new URL("/api/coordinator/", location.href).href, takeLink(location, history));

async function refresh() {
  try {
    show(/** @type {Overview} */ (await api.json("GET", "overview")));
    byId("problem", HTMLElement).hidden = true;
    await verify();
  } catch (error) {
    const problem = byId("problem", HTMLElement);
    problem.textContent = error instanceof ApiError && error.status === 401 ? texts.refused : said(error);
    problem.hidden = false;
  }
}

/** Verify the journal, and say so. */
async function verify() {
  const line = byId("integrity", HTMLElement);
  try {
    const { events } = await api.json("GET", "integrity");
    line.textContent = fill(texts.intact, { events });
    line.className = "good";
  } catch (error) {
    line.textContent = fill(texts.broken, { message: said(error) });
    line.className = "bad";
  }
}

/** @param {Overview} overview */
function show(overview) {
  byId("overview", HTMLElement).hidden = false;
  byId("title", HTMLElement).textContent = overview.title;
  byId("design", HTMLElement).textContent = fill(texts.design, { stage: overview.stage, mode: overview.mode });
  byId("refreshed", HTMLElement).textContent = fill(texts.refreshed, { time: new Date().toLocaleTimeString("en-GB") });
  byId("readers", HTMLElement).replaceChildren(...overview.readers.map(readerRow));
  byId("washout", HTMLElement).textContent = fill(texts.washout, { days: overview.washout_days });
  const flags = overview.flags.map(({ reader, sentence }) => make("li", {}, make("strong", { textContent: reader }), `: ${sentence}`));
  byId("flags", HTMLElement).replaceChildren(...flags);
  byId("no-flags", HTMLElement).hidden = flags.length > 0;
  byId("flow", HTMLElement).textContent = overview.flow.join("\n");
  byId("head", HTMLElement).textContent = overview.head;
  showResults(overview);
}

/** @param {Overview} overview */
function showResults({ results_open, unblinded, unanswered }) {
  const words = unblinded ? fill(texts.unblinded, { reason: unblinded }) : results_open ? texts.complete : fill(texts.blinded, { left: unanswered });
  byId("results", HTMLElement).textContent = words;
  byId("open-results", HTMLElement).hidden = !results_open;
  byId("unblind", HTMLElement).hidden = results_open;
  byId("trail-blinded", HTMLElement).hidden = results_open;
}

/** @param {ReaderState} reader */
function readerRow({ name, state, waiting_until, locked, assigned, last_at, sessions }) {
  const progress = make("progress", { max: Math.max(assigned, 1), value: locked });
  progress.setAttribute("aria-label", fill(strings.study.reading.progress, { locked, assigned }));
  const begun = last_at ? texts.states[state] : texts.notBegun;
  const until = waiting_until ? ` ${fill(texts.until, { time: time(waiting_until) })}` : "";
  return make(
    "tr", {},
    make("th", { scope: "row", textContent: name }),
    make("td", {}, progress, fill(strings.study.reading.progress, { locked, assigned })),
    make("td", { textContent: begun + until }),
    make("td", {}, lines(sessions, ({ session, locked: done, assigned: all }) => fill(texts.ofSession, { session, locked: done, assigned: all }))),
    make("td", {}, lines(sessions, (one) => `${one.session}: ${displayOf(one)}`)),
    make("td", { textContent: last_at ? time(last_at) : "—" }),
  );
}

/**
 * @param {SessionState[]} sessions
 * @param {(session: SessionState) => string} written
 */
function lines(sessions, written) {
  return make("ul", {}, ...sessions.map((one) => make("li", { textContent: written(one) })));
}

/** @param {SessionState} session */
function displayOf({ display_checked, display_faults }) {
  if (!display_checked) return texts.displayMissing;
  return display_faults.length ? fill(texts.displayFaults, { faults: display_faults.join(", ") }) : texts.displayGood;
}

/** @param {string} iso */
function time(iso) {
  return new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

/** @param {unknown} error */
function said(error) {
  return error instanceof ApiError && error.status === 0 ? strings.study.connection : error instanceof Error ? error.message : String(error);
}

/**
 * Download what only the link opens.
 * @param {string} path
 * @param {string} name  of the file
 */
async function download(path, name) {
  try {
    const response = await api.send("GET", path, undefined, 300_000);
    const url = URL.createObjectURL(await response.blob());
    make("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    byId("problem", HTMLElement).textContent = said(error);
    byId("problem", HTMLElement).hidden = false;
  }
}

let key = newKey();

/** @param {SubmitEvent} event */
async function unblind(event) {
  event.preventDefault();
  const message = byId("unblind-message", HTMLElement);
  try {
    await api.json("POST", "unblind", { reason: byId("reason", HTMLInputElement).value, key });
    key = newKey(); // until then the same request is repeated, and logged once
    message.textContent = "";
    await refresh();
  } catch (error) {
    message.textContent = said(error);
  }
}

fillTexts(document, strings);
byId("refresh", HTMLButtonElement).addEventListener("click", refresh);
byId("trail", HTMLButtonElement).addEventListener("click", () => download("trail", "audit.jsonl"));
byId("export", HTMLButtonElement).addEventListener("click", () => download("export", "study.zip"));
byId("unblind", HTMLFormElement).addEventListener("submit", unblind);
await refresh();
