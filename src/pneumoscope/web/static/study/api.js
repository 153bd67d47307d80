// The client of the study's HTTP interface (`pneumoscope.reader_study.interface`).

import { parseFilm } from "./film_bytes.js";

/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Receipt} Receipt */
/** @typedef {import("./types.js").EarlierAnswer} EarlierAnswer */

const ANSWER_MS = 20_000;
const PICTURE_MS = 300_000;

/** A request that was not answered with success; the status is 0 where no answer came. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** Whether the same request may succeed later: no answer came, or the server itself has failed. */
  get passing() {
    return this.status === 0 || this.status >= 500 || this.status === 429;
  }
}

/**
 * Make an identifier that nobody else makes; works on pages without TLS too, where crypto.randomUUID is missing.
 * @returns {string}
 */
export function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The requests of one reader, or of the coordinator. */
export class StudyApi {
  /**
   * @param {string} root  address below which the interface lies, with a slash at its end
   * @param {string} link  the secret part of the personal link
   */
  constructor(root, link) {
    this.root = root;
    this.link = link;
  }

  /** @returns {Promise<View>} */
  view() {
    return this.json("GET", "view");
  }

  /** @returns {Promise<EarlierAnswer[]>} */
  earlier() {
    return this.json("GET", "earlier");
  }

  /**
   * Fetch a radiograph.
   * @param {string} token
   * @returns {Promise<import("../film/film.js").Film>}
   */
  async film(token) {
    const response = await this.send("GET", `cases/${token}/film`, undefined, PICTURE_MS);
    return parseFilm(await received(response.arrayBuffer()));
  }

  /**
   * Fetch the aid of a case.
   * @param {string} token
   * @returns {Promise<Blob>}
   */
  async aid(token) {
    const response = await this.send("GET", `cases/${token}/aid`, undefined, PICTURE_MS);
    return received(response.blob());
  }

  /**
   * Record that a case is about to be shown.
   * @param {string} token
   * @param {number} step
   * @param {string} key
   * @returns {Promise<Receipt>}
   */
  open(token, step, key) {
    return this.json("POST", `cases/${token}/open`, { step, key });
  }

  /**
   * Send a change; the same body may be sent again.
   * @param {"save" | "lock" | "correct"} action
   * @param {string} token
   * @param {object} body
   * @returns {Promise<Receipt>}
   */
  change(action, token, body) {
    return this.json("POST", `cases/${token}/${action}`, body);
  }

  /**
   * Send an answer to the display check.
   * @param {string} key
   * @param {object} check
   * @returns {Promise<Receipt>}
   */
  checkDisplay(key, check) {
    return this.json("POST", "display-check", { key, check });
  }

  /**
   * Send a request whose answer is JSON.
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @returns {Promise<any>}
   */
  async json(method, path, body) {
    const response = await this.send(method, path, body, ANSWER_MS);
    return received(response.json());
  }

  /**
   * Send a request.
   * @param {string} method
   * @param {string} path
   * @param {object | undefined} body
   * @param {number} wait  milliseconds
   * @returns {Promise<Response>}
   */
  async send(method, path, body, wait) {
    const headers = { Authorization: `Bearer ${this.link}`, "Content-Type": "application/json" };
    const content = body === undefined ? undefined : JSON.stringify(body);
    // What must reach the server when the page is left may outlive the page; browsers allow this up to 64 KiB.
    const keepalive = content !== undefined && content.length < 60_000;
    const options = { method, headers, body: content, keepalive, cache: /** @type {const} */ ("no-store"), signal: AbortSignal.timeout(wait) };
    const response = await received(fetch(new URL(path, this.root), options));
    if (response.ok) return response;
    const said = await response.json().catch(() => null);
    throw new ApiError(response.status, said?.error?.message ?? said?.error ?? `HTTP ${response.status}`);
  }
}

/**
 * Turn a failure of the network into an ApiError.
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
async function received(promise) {
  try {
    return await promise;
  } catch (error) {
    throw new ApiError(0, error instanceof Error ? error.message : String(error));
  }
}
