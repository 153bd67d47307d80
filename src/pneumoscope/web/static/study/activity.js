// What the server computes the active reading time from: when the film was shown, when the window was hidden, when input came.

/** @typedef {import("./types.js").Signal} Signal */

/** Inputs that follow one another within this time are one signal. */
const INPUT_MS = 1000;
const MOST_SIGNALS = 4000;

/** The signals of one visit to a case. */
export class Activity {
  /**
   * @param {string} page  identifier of the visit
   * @param {() => number} clock  milliseconds, never going back
   */
  constructor(page, clock) {
    this.page = page;
    this.clock = clock;
    /** @type {Signal[]} */
    this.signals = [];
    this.lastInput = -Infinity;
  }

  /**
   * Add a signal. Those before the film is shown count too: a reader may pause while it is loaded.
   * @param {Signal["kind"]} kind
   */
  add(kind) {
    this.signals.push({ page: this.page, kind, ms: this.clock() });
  }

  /** A key or a pointer was used. */
  input() {
    const now = this.clock();
    if (now - this.lastInput < INPUT_MS || this.signals.length >= MOST_SIGNALS) return;
    this.lastInput = now;
    this.add("input");
  }

  /**
   * Take the signals since the last call, for a request.
   * @returns {Signal[]}
   */
  take() {
    const taken = this.signals;
    this.signals = [];
    return taken;
  }
}
