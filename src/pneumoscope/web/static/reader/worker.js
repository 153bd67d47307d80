// The Web Worker that decodes and reads, so that the page stays responsive. Messages: {id, kind: "open"} and {id, kind: "read",
// bytes, path, population}; each is answered by {id, result} or {id, failure}.

import { loadModel } from "./model.js";
import { read } from "./read.js";

/** @typedef {import("./card.js").Card} Card */
/** @typedef {{id: number, kind: "open"} | {id: number, kind: "read", bytes: Uint8Array, path: string, population: import("./card.js").Population | null}} Request */

const VENDOR = new URL("../vendor/", import.meta.url);
const MODEL = new URL("../model/", import.meta.url);
/** @type {Map<string, Promise<WebAssembly.Module>>} */
const codecs = new Map();
/** @type {Promise<{card: Card, model: import("./model.js").Model}> | null} */
let opened = null;

/**
 * @param {URL} url
 * @returns {Promise<Response>}
 */
async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname.split("/").pop()}: ${response.status}`);
  return response;
}

/**
 * @param {URL} url
 */
async function bytesAt(url) {
  return new Uint8Array(await (await fetched(url)).arrayBuffer());
}

/** Load the card, the graph and the runtime, once. */
async function open() {
  const card = await (await fetched(new URL("client.json", MODEL))).json();
  const graph = await bytesAt(new URL(card.file, MODEL));
  const [runtime, glue] = ["wasm", "js"].map((kind) => new URL(`ort-wasm-simd-threaded.${kind}`, VENDOR).href);
  return { card, model: await loadModel(card, graph, runtime, glue) };
}

/**
 * The compiled WebAssembly of a codec.
 * @param {string} name
 */
function codec(name) {
  const known = codecs.get(name);
  if (known) return known;
  const compiled = bytesAt(new URL(`${name}.wasm`, VENDOR)).then((bytes) => WebAssembly.compile(/** @type {BufferSource} */ (bytes)));
  codecs.set(name, compiled);
  return compiled;
}

/**
 * @param {Request} request
 */
async function answer(request) {
  opened ??= open();
  const { card, model } = await opened;
  if (request.kind === "open") return { card };
  return read(card, model, codec, request.bytes, request.path, request.population);
}

/**
 * The buffers of an answer that are handed over, not copied.
 * @param {any} result
 * @returns {Transferable[]}
 */
function buffers(result) {
  const film = result.radiograph?.film;
  return film ? [film.levels.buffer] : [];
}

self.addEventListener("message", async ({ data }) => {
  try {
    const result = await answer(data);
    self.postMessage({ id: data.id, result }, { transfer: buffers(result) });
  } catch (error) {
    if (data.kind === "open" || !opened) opened = null;
    self.postMessage({ id: data.id, failure: String(error instanceof Error ? error.message : error) });
  }
});
