// Bring every change of an answer to the server, one after another, each with a key of its own, so that nothing is stored twice and
// nothing is called lost that was stored: after a failure of the network the same request is sent again until it is answered.

import { ApiError, newKey } from "./api.js";

/** @typedef {import("./types.js").Receipt} Receipt */
/** @typedef {{step: number, key: string, base: number, answer: object, screen: object, signals: object[], undo: object | null}} Body */
/** @typedef {{action: "save" | "lock" | "correct", token: string, body: Body}} Request */
/** @typedef {"saved" | "saving" | "retrying" | "refused"} SaveState */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

/** Saves the answer to one case. */
export class Saver {
  /**
   * @param {object} options
   * @param {(request: Request) => Promise<Receipt>} options.send
   * @param {(action: Request["action"]) => {answer: object, screen: object, signals: object[], undo: object | null}} options.content  what to save now
   * @param {(state: SaveState, message: string) => void} options.onState
   * @param {{put: (request: Request) => void, drop: () => void}} options.memory  where a request lies until it is answered
   * @param {string} options.token
   * @param {number} options.step
   * @param {number} options.base  number of the last event of the task
   */
  constructor({ send, content, onState, memory, token, step, base }) {
    this.send = send;
    this.content = content;
    this.onState = onState;
    this.memory = memory;
    this.token = token;
    this.step = step;
    this.base = base;
    this.changed = false;
    this.closed = false;
    /** @type {Promise<Receipt | null> | null} */
    this.running = null;
    /** @type {(() => void) | null} */
    this.wake = null;
  }

  /** The answer has changed: save it as soon as the request before is answered. */
  save() {
    this.changed = true;
    if (!this.running) this.running = this.drain();
    return this.running;
  }

  /** @returns {Promise<Receipt | null>} */
  async drain() {
    try {
      /** @type {Receipt | null} */
      let receipt = null;
      while (this.changed && !this.closed) {
        this.changed = false;
        receipt = await this.deliver("save");
      }
      return receipt;
    } finally {
      this.running = null;
    }
  }

  /**
   * Lock or correct the answer, after all that was to be saved before.
   * @param {"lock" | "correct"} action
   * @returns {Promise<Receipt>}
   */
  async finish(action) {
    if (this.running) await this.running;
    const receipt = await this.deliver(action);
    this.closed = true;
    return receipt;
  }

  /**
   * Send one request until it is answered.
   * @param {Request["action"]} action
   * @returns {Promise<Receipt>}
   */
  async deliver(action) {
    return this.deliverAgain({ action, token: this.token, body: { step: this.step, key: newKey(), base: this.base, ...this.content(action) } });
  }

  /**
   * Send a request until it is answered; it may have been sent before.
   * @param {Request} request
   * @returns {Promise<Receipt>}
   */
  async deliverAgain(request) {
    this.memory.put(request);
    this.onState("saving", "");
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      try {
        const receipt = await this.send(request);
        this.memory.drop();
        this.base = receipt.number;
        this.onState("saved", "");
        return receipt;
      } catch (error) {
        if (!(error instanceof ApiError && error.passing)) {
          this.memory.drop();
          this.onState("refused", error instanceof Error ? error.message : String(error));
          throw error;
        }
        this.onState("retrying", error.status ? error.message : "");
        await this.waited(wait);
      }
    }
  }

  /**
   * Wait before the next try; `hurry` ends it.
   * @param {number} ms
   * @returns {Promise<void>}
   */
  waited(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Try again now: the network is back. */
  hurry() {
    this.wake?.();
  }
}
