// The page's side of the reader's worker.

/** @typedef {import("./card.js").Card} Card */
/** @typedef {import("./card.js").Population} Population */
/** @typedef {import("./read.js").Answer} Answer */

/** Reads files in a worker, one after the other. */
export class ReaderClient {
  #worker = this.#started();
  #next = 0;
  /** @type {Map<number, {resolve: (value: any) => void, reject: (reason: Error) => void}>} */
  #waiting = new Map();

  /**
   * Load the model.
   * @returns {Promise<Card>}
   */
  async open() {
    return (await this.#asked({ kind: "open" }, [])).card;
  }

  /**
   * Read a file.
   * @param {Uint8Array} bytes
   * @param {string} path
   * @param {Population | null} population
   * @returns {Promise<Answer>}
   */
  read(bytes, path, population) {
    return this.#asked({ kind: "read", bytes, path, population }, []);
  }

  /** End the worker and give its memory back; what it was asked for fails. The next question starts another one. */
  restart() {
    this.#worker.terminate();
    this.#fail("the reading was stopped");
    this.#worker = this.#started();
  }

  #started() {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", ({ data }) => {
      const waiting = this.#waiting.get(data.id);
      this.#waiting.delete(data.id);
      if ("failure" in data) waiting?.reject(new Error(data.failure));
      else waiting?.resolve(data.result);
    });
    worker.addEventListener("error", (event) => this.#fail(event.message || "the worker stopped"));
    return worker;
  }

  /**
   * @param {string} message
   */
  #fail(message) {
    for (const { reject } of this.#waiting.values()) reject(new Error(message));
    this.#waiting.clear();
  }

  /**
   * @param {object} request
   * @param {Transferable[]} transfer
   * @returns {Promise<any>}
   */
  #asked(request, transfer) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...request }, transfer);
    });
  }
}
