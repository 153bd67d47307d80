// The screens around the cases: sign-in, display check, introduction, washout, end. One is shown at a time.

import { strings } from "../strings/en.js";
import { fill } from "../strings/fill.js";
import { byId } from "./dom.js";
import { drawPattern } from "./pattern.js";

/** @typedef {import("./types.js").View} View */

const NAMES = /** @type {const} */ (["sign-in", "check", "intro", "reading", "waiting", "finished", "stopped"]);
/** @typedef {typeof NAMES[number]} ScreenName */

const texts = strings.study;
const LINK = /[0-9a-f]{32}/;

/**
 * Show one screen and hide the others; the focus goes to its heading, so that it is read out.
 * @param {ScreenName} name
 */
export function showScreen(name) {
  for (const one of NAMES) byId(`screen-${one}`, HTMLElement).hidden = one !== name;
  byId("case-status", HTMLElement).hidden = name !== "reading";
  const heading = byId(`screen-${name}`, HTMLElement).querySelector("h1");
  if (heading) {
    heading.tabIndex = -1;
    heading.focus();
  }
}

/**
 * Ask for the personal link.
 * @param {string} message  why it is asked for; empty at first
 * @returns {Promise<string>} its secret part
 */
export function askForLink(message) {
  showScreen("sign-in");
  const form = byId("sign-in-form", HTMLFormElement);
  const input = byId("sign-in-link", HTMLInputElement);
  const said = byId("sign-in-message", HTMLElement);
  said.textContent = message;
  input.focus();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      const link = input.value.match(LINK)?.[0];
      if (!link) said.textContent = texts.signIn.noLink;
      else resolve(link);
    };
  });
}

/**
 * Ask what the reader sees of the test pattern.
 * @returns {Promise<object>} a `DisplayCheck`
 */
export function askForDisplay() {
  showScreen("check");
  const ratio = window.devicePixelRatio;
  drawPattern(byId("pattern", HTMLCanvasElement), ratio);
  const size = { width: window.innerWidth, height: window.innerHeight, ratio };
  byId("check-size", HTMLElement).textContent = fill(texts.check.size, size);
  const form = byId("check-form", HTMLFormElement);
  form.reset();
  return new Promise((resolve) => {
    form.onsubmit = (event) => {
      event.preventDefault();
      /** @param {string} id */
      const seen = (id) => byId(`check-${id}`, HTMLInputElement).checked;
      resolve({
        dark_square: seen("dark"),
        bright_square: seen("bright"),
        steps: seen("steps"),
        bars: seen("bars"),
        width: size.width,
        height: size.height,
        pixel_ratio: ratio,
        depth: screen.colorDepth,
        note: byId("check-note", HTMLInputElement).value.trim(),
      });
    };
  });
}

/**
 * Say what comes next: practice, or cases that count.
 * @param {View} view
 * @returns {Promise<void>}
 */
export function introduce(view) {
  showScreen("intro");
  const { intro } = texts;
  byId("intro-title", HTMLElement).textContent = view.practice ? intro.practiceTitle : intro.studyTitle;
  byId("intro-what", HTMLElement).textContent = view.practice ? intro.practice : intro.study;
  byId("intro-target", HTMLElement).textContent = fill(intro.target, { target: view.question });
  byId("intro-back", HTMLElement).textContent = view.may_go_back ? intro.back : intro.noBack;
  const button = byId("intro-begin", HTMLButtonElement);
  button.focus();
  return new Promise((resolve) => {
    button.onclick = () => resolve();
  });
}

/**
 * Say until when the washout lasts.
 * @param {string} until  ISO 8601 in UTC
 */
export function showWaiting(until) {
  const time = new Date(until).toLocaleString("en-GB", { dateStyle: "full", timeStyle: "short" });
  byId("waiting-explain", HTMLElement).textContent = fill(texts.waiting.explain, { until: time });
  showScreen("waiting");
}

/**
 * Say why the page cannot go on.
 * @param {string} message
 */
export function showStopped(message) {
  byId("stopped-message", HTMLElement).textContent = message;
  showScreen("stopped");
}
