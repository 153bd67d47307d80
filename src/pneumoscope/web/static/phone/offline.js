// The page's side of the service worker: keep the application on the phone, tell of updates, take what was shared.

const SHARED = "shared-with-pneumoscope";

/**
 * @typedef {object} OfflineEvents
 * @property {(done: number, all: number) => void} progress  files that are kept by now
 * @property {(apply: () => void) => void} update  a new version is kept; `apply` starts it
 */

/**
 * Keep the application on the phone.
 * @param {OfflineEvents} events
 * @returns {Promise<boolean>}  whether it works without a network from now on
 */
export async function keepOffline(events) {
  const container = navigator.serviceWorker;
  if (!container) return false;
  container.addEventListener("message", ({ data, source }) => heard(data, /** @type {ServiceWorker} */ (source), events));
  container.startMessages();
  try {
    const registration = await container.register(new URL("../service-worker.js", import.meta.url), { updateViaCache: "none" });
    registration.addEventListener("updatefound", () => watch(registration));
    if (container.controller) registration.waiting?.postMessage("offer");
    watch(registration); // one that began before this page heard of it
    if (container.controller) return true;
    return await controlled(registration);
  } catch {
    return Boolean(container.controller); // without a network the registration cannot be renewed
  }
}

/**
 * Hear what a service worker says.
 * @param {{kind: "progress", done: number, all: number} | {kind: "update"} | {kind: "started"}} said
 * @param {ServiceWorker} from
 * @param {OfflineEvents} events
 */
function heard(said, from, events) {
  if (said.kind === "progress") events.progress(said.done, said.all);
  else if (said.kind === "update") events.update(() => from.postMessage("start"));
  else location.reload();
}

/**
 * Ask the service worker that is being installed to offer its version as soon as all files are kept.
 * @param {ServiceWorkerRegistration} registration
 */
function watch(registration) {
  const next = registration.installing;
  next?.addEventListener("statechange", () => {
    if (next.state === "installed" && navigator.serviceWorker.controller) next.postMessage("offer");
  });
}

/**
 * Wait until the first service worker answers this page, or fails.
 * @param {ServiceWorkerRegistration} registration
 * @returns {Promise<boolean>}
 */
function controlled(registration) {
  return new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(true), { once: true });
    const first = registration.installing ?? registration.waiting ?? registration.active;
    first?.addEventListener("statechange", () => first.state === "redundant" && resolve(false));
    if (navigator.serviceWorker.controller) resolve(true);
  });
}

/**
 * Take the file that another application shared, once.
 * @returns {Promise<File | null>}
 */
export async function takeShared() {
  if (location.hash !== "#shared") return null;
  history.replaceState(null, "", location.pathname);
  const cache = await caches.open(SHARED);
  const [request] = await cache.keys();
  const response = request && (await cache.match(request));
  await caches.delete(SHARED);
  if (!response) return null;
  return new File([await response.blob()], decodeURIComponent(response.headers.get("X-File-Name") ?? ""));
}

/**
 * Hear of files that are opened with the application.
 * @param {(file: File) => void} opened
 */
export function hearOpenedFiles(opened) {
  const queue = /** @type {any} */ (window).launchQueue;
  queue?.setConsumer(async (/** @type {any} */ { files }) => files?.length && opened(await files[0].getFile()));
}
