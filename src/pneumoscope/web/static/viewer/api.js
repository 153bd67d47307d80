/** The client of the HTTP API under /api/v1. */

import { strings } from "../strings/en.js";

const words = strings.viewer;

/** @import {FilmQuery, FilmSummary, Job, ModelInfo, Reading} from "./types.js" */

/** An answer other than success, with the server's sentence. */
export class ApiError extends Error {
  /**
   * @param {number} status   0 where no answer came
   * @param {string} kind
   * @param {string} message
   */
  constructor(status, kind, message) {
    super(message);
    this.status = status;
    this.kind = kind;
  }

  /** Whether the token is missing or wrong. */
  get refused() {
    return this.status === 401 || this.status === 403;
  }

  /** Whether the film's file is another one than when the film was opened. */
  get replaced() {
    return this.status === 409 && this.kind === "changed";
  }

  /** Whether the server did not answer at all. */
  get unreachable() {
    return this.status === 0;
  }
}

/**
 * Say what went wrong: the server's sentence, or that it does not answer.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function sentenceOf(error) {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  return error.unreachable ? words.unreachable : words.sentence(error.message);
}

/** Requests to one server with one token. */
export class Api {
  /**
   * @param {string} token
   * @param {string} [base]
   */
  constructor(token, base = "/api/v1") {
    this.token = token;
    this.base = base;
  }

  /** @returns {Promise<{default: string, items: ModelInfo[]}>} */
  models() {
    return this.json("/models");
  }

  /** @param {string} model @returns {Promise<any>} */
  card(model) {
    return this.json(`/models/${encodeURIComponent(model)}/card`);
  }

  /**
   * @param {FilmQuery} query
   * @param {number} offset
   * @param {number} limit
   * @param {AbortSignal} [signal]
   * @returns {Promise<{total: number, revision: number, items: FilmSummary[]}>}
   */
  films(query, offset, limit, signal) {
    const parameters = new URLSearchParams({
      offset: String(offset),
      limit: String(limit),
      sort: query.sort,
      order: query.order,
    });
    for (const name of /** @type {const} */ (["q", "state", "decision", "model"]))
      if (query[name] !== "") parameters.set(name, query[name]);
    return this.json(`/films?${parameters}`, { signal });
  }

  /** @param {string} film @param {string} model   whose reading decides its state; "" for the default @returns {Promise<any>} */
  film(film, model) {
    return this.json(`/films/${film}${model === "" ? "" : `?model=${encodeURIComponent(model)}`}`);
  }

  /** @param {string} film */
  async remove(film) {
    await this.request(`/films/${film}`, { method: "DELETE" });
  }

  /** @param {string} path @param {RequestInit} [options] */
  async bytes(path, options) {
    return (await this.request(path, options)).arrayBuffer();
  }

  /** @param {string} path @param {RequestInit} [options] */
  async blob(path, options) {
    return (await this.request(path, options)).blob();
  }

  /** @param {string} film @param {string} model @returns {Promise<Reading>} */
  reading(film, model) {
    return this.json(`/films/${film}/readings/${encodeURIComponent(model)}`);
  }

  /**
   * Start reading films.
   *
   * @param {"all"|string[]} films @param {string} model @param {string|null} population
   * @returns {Promise<Job>}
   */
  startJob(films, model, population) {
    const body = JSON.stringify({ films, model, population });
    return this.json("/jobs", { method: "POST", body, headers: { "Content-Type": "application/json" } });
  }

  /** @param {string} job @returns {Promise<Job>} */
  job(job) {
    return this.json(`/jobs/${job}`);
  }

  /** @param {string} job */
  async cancelJob(job) {
    await this.request(`/jobs/${job}`, { method: "DELETE" });
  }

  /** @param {string} path @param {RequestInit} [options] @returns {Promise<any>} */
  async json(path, options) {
    return (await this.request(path, options)).json();
  }

  /**
   * @param {string} path
   * @param {RequestInit} [options]
   * @returns {Promise<Response>}   a success
   */
  async request(path, options = {}) {
    const headers = { ...options.headers, "X-Pneumoscope-Token": this.token };
    const response = await fetch(this.base + path, { ...options, headers, cache: "no-store" }).catch(
      (/** @type {Error} */ error) => {
        if (error.name === "AbortError") throw error;
        throw new ApiError(0, "unreachable", error.message);
      },
    );
    if (!response.ok) throw await errorOf(response);
    return response;
  }

  /**
   * Upload a file with progress. XMLHttpRequest: fetch does not say how much was sent.
   *
   * @param {File} file
   * @param {(share: number) => void} onProgress   share of the bytes that were sent, 0 to 1
   * @param {AbortSignal} signal
   * @returns {Promise<FilmSummary>}
   */
  upload(file, onProgress, signal) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", `${this.base}/films`);
      request.setRequestHeader("X-Pneumoscope-Token", this.token);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
      request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
      request.onload = () =>
        request.status < 300 ? resolve(JSON.parse(request.responseText)) : reject(errorIn(request.status, request.responseText));
      request.onerror = () => reject(new ApiError(0, "unreachable", ""));
      request.onabort = () => reject(new DOMException("", "AbortError"));
      signal.addEventListener("abort", () => request.abort(), { once: true });
      request.send(file);
    });
  }
}

/** @param {Response} response */
async function errorOf(response) {
  return errorIn(response.status, await response.text().catch(() => ""));
}

/**
 * @param {number} status
 * @param {string} body
 * @returns {ApiError}
 */
function errorIn(status, body) {
  try {
    const { kind, message } = JSON.parse(body).error;
    return new ApiError(status, String(kind), String(message));
  } catch {
    return new ApiError(status, "http", `HTTP ${status}`);
  }
}
