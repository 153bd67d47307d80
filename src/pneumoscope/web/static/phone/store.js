// The film that is open, kept on the phone (IndexedDB), so that it is there again after the browser was ended in the middle.

/** @typedef {import("../reader/card.js").Population} Population */
/**
 * @typedef {object} OpenFilm
 * @property {Uint8Array} bytes  the file
 * @property {string} name
 * @property {Population | null} population
 * @property {number} unfinished  readings of it that were begun and not finished
 */

const DATABASE = "pneumoscope";
const STORE = "films";
const KEY = "open";

/**
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} ask
 * @returns {Promise<any>}
 */
async function asked(mode, ask) {
  const database = await new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
  try {
    const transaction = database.transaction(STORE, mode);
    const request = ask(transaction.objectStore(STORE));
    return await new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

/**
 * Keep the open film; where the phone has no room or forbids it, the film is read all the same.
 * @param {OpenFilm} film
 * @returns {Promise<boolean>}  whether it is kept
 */
export function keepFilm(film) {
  return asked("readwrite", (store) => store.put(film, KEY)).then(() => true, () => false);
}

/**
 * The film that was open last; null where there is none.
 * @returns {Promise<OpenFilm | null>}
 */
export function keptFilm() {
  return asked("readonly", (store) => store.get(KEY)).then((film) => film ?? null, () => null);
}

/** Forget the open film. */
export function forgetFilm() {
  return asked("readwrite", (store) => store.delete(KEY)).then(() => true, () => false);
}
