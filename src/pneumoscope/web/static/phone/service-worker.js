// Keeps the application on the phone, so that it works without a network. The build writes `self.APPLICATION` before this line:
// the version, the SHA-256 of every file by its path, and the content security policy of every answer.
//
// An update is whole or not at all: the files of a version lie in a cache of their own, each is compared with its hash, and if
// one is missing or different, the installation fails and the earlier version stays.
//
// Which version the pages get is written in a cache, too, and does not depend on which service worker runs: the earlier one
// answers with the files of the version that was started. The new one takes over when every page is closed. It does not skip its
// waiting: Chromium activates it only when the earlier one has nothing left to do, forgets that it waits when a request arrives
// while the earlier one stops, and leaves requests of web workers without an answer that are under way during the change.

const worker = /** @type {any} */ (self);
/** @type {{version: string, files: Record<string, string>, policy: string}} */
const { version, files, policy } = worker.APPLICATION;
const PREFIX = "pneumoscope-";
const CACHE = PREFIX + version;
const SHARED = "shared-with-pneumoscope";
const STARTED = "started-by-pneumoscope";
const HASH = "X-Content-SHA256";
const SCOPE = new URL("./", worker.location.href);
/** @type {Record<string, string>} */
const TYPES = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  onnx: "application/octet-stream",
  png: "image/png",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
  webmanifest: "application/manifest+json",
};

worker.addEventListener("install", (/** @type {any} */ event) => event.waitUntil(install()));
worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (/** @type {any} */ event) => event.respondWith(answer(event.request)));
worker.addEventListener("message", (/** @type {any} */ event) => {
  if (event.data === "offer") event.waitUntil(offer(event.source));
  if (event.data === "start") event.waitUntil(start());
});

/**
 * Version that the pages get, as read last.
 * @type {Promise<string> | null}
 */
let started = null;

/** Read which version the pages get. */
async function readStarted() {
  const stated = await (await caches.open(STARTED)).match(key("version"));
  const chosen = (await stated?.text()) ?? version;
  return (await caches.has(PREFIX + chosen)) ? chosen : version;
}

/** Let the pages get this version from their next load on. */
async function writeStarted() {
  await (await caches.open(STARTED)).put(key("version"), new Response(version));
}

/**
 * Tell a page that this version can be started, unless it was started already.
 * @param {any} page  its client
 */
async function offer(page) {
  if ((await readStarted()) !== version) page.postMessage({ kind: "update" });
}

/** Start this version: every open page loads again. */
async function start() {
  await writeStarted();
  await tell({ kind: "started" });
}

/** Keep every file of this version; those that an earlier version has are copied. */
async function install() {
  const cache = await caches.open(CACHE);
  const names = Object.keys(files);
  try {
    for (const [done, name] of names.entries()) {
      await keep(cache, name);
      await tell({ kind: "progress", done: done + 1, all: names.length });
    }
  } catch (error) {
    if ((await readStarted()) !== version) await caches.delete(CACHE);
    throw error;
  }
}

/** Forget the earlier versions, and answer the open pages from now on. */
async function activate() {
  await writeStarted();
  for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
  await worker.clients.claim();
}

/**
 * @param {object} message
 */
async function tell(message) {
  for (const client of await worker.clients.matchAll({ includeUncontrolled: true })) client.postMessage(message);
}

/**
 * @param {string} name
 */
function key(name) {
  return new URL(name, SCOPE).href;
}

/**
 * Put a file into the cache of this version.
 * @param {Cache} cache
 * @param {string} name
 */
async function keep(cache, name) {
  if (await cache.match(key(name))) return;
  const kept = (await ofEarlierVersion(name)) ?? (await download(name, "default")) ?? (await download(name, "reload"));
  if (!kept) throw new Error(`the server's ${name} is not the one of version ${version}`);
  const type = TYPES[name.split(".").pop() ?? ""] ?? "application/octet-stream";
  const headers = {
    "Content-Type": type, "Content-Security-Policy": policy, "Cross-Origin-Opener-Policy": "same-origin", "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer", [HASH]: files[name],
  };
  await cache.put(key(name), new Response(kept, { headers }));
}

/**
 * The same file of an earlier version; null where there is none.
 * @param {string} name
 * @returns {Promise<ArrayBuffer | null>}
 */
async function ofEarlierVersion(name) {
  for (const cacheName of await caches.keys()) {
    if (!cacheName.startsWith(PREFIX)) continue;
    const kept = await (await caches.open(cacheName)).match(key(name));
    if (kept?.headers.get(HASH) === files[name]) return kept.arrayBuffer();
  }
  return null;
}

/**
 * Download a file; null where it is not the one of this version.
 * @param {string} name
 * @param {RequestCache} cache
 * @returns {Promise<ArrayBuffer | null>}
 */
async function download(name, cache) {
  const response = await fetch(key(name), { cache });
  if (!response.ok) return null;
  const content = await response.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  const hash = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hash === files[name] ? content : null;
}

/**
 * Answer a request of a page: files of the started version from its cache, and nothing else.
 * @param {Request} request
 * @returns {Promise<Response>}
 */
async function answer(request) {
  const url = new URL(request.url);
  if (url.origin !== SCOPE.origin || !url.pathname.startsWith(SCOPE.pathname)) return Response.error();
  const name = decodeURIComponent(url.pathname.slice(SCOPE.pathname.length)) || "index.html";
  if (request.method === "POST" && name === "share") return shared(request);
  if (request.method !== "GET") return new Response("", { status: 404 });
  if (request.mode === "navigate") started = null; // the files of a page are those of one version
  const chosen = await (started ??= readStarted());
  const cache = await caches.open(PREFIX + chosen);
  const kept = await cache.match(key(name));
  if (kept) return kept;
  if (chosen !== version || !(name in files)) return new Response("", { status: 404 });
  await keep(cache, name); // a browser that is short of space may have dropped it
  return (await cache.match(key(name))) ?? Response.error();
}

/**
 * Keep a file that another application shares, and open the page, which takes it.
 * @param {Request} request
 */
async function shared(request) {
  const film = (await request.formData()).get("film");
  if (film instanceof File) {
    const headers = { "X-File-Name": encodeURIComponent(film.name) };
    await (await caches.open(SHARED)).put(key("share"), new Response(film, { headers }));
  }
  return Response.redirect(new URL("./#shared", SCOPE).href, 303);
}
