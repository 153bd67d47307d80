/** The token of the server, and what the reader has chosen on this machine. */

const TOKEN = "pneumoscope.token";
const SETTINGS = "pneumoscope.viewer";
/** Browsers refuse to note hundreds of visits within seconds, as a held key makes them. */
const PASSING_MS = 250;

let lastVisit = -Infinity;

/**
 * Take the token from the URL's fragment, keep it for this tab and take it out of the address bar.
 *
 * @returns {string}   empty where there is none
 */
export function takeToken() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const token = fragment.get("token");
  if (token !== null) {
    store(sessionStorage, TOKEN, token);
    fragment.delete("token");
    const rest = fragment.toString();
    history.replaceState(null, "", location.pathname + location.search + (rest === "" ? "" : `#${rest}`));
  }
  return token ?? recall(sessionStorage, TOKEN) ?? "";
}

/** @returns {string|null}   the film that the URL's fragment names */
export function filmInUrl() {
  return new URLSearchParams(location.hash.slice(1)).get("film");
}

/**
 * Put the film that is open into the address, which then has its id and nothing else of it.
 *
 * @param {string|null} film   null: the worklist alone
 * @param {boolean} [visited]   a step that the Back button takes back; films passed quickly are one step
 */
export function putFilmInUrl(film, visited = false) {
  if (film === filmInUrl()) return;
  const address = location.pathname + location.search + (film === null ? "" : `#film=${film}`);
  const now = performance.now();
  if (visited && now - lastVisit > PASSING_MS) history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  if (visited) lastVisit = now;
}

/**
 * @typedef {object} Settings
 * @property {"system"|"dark"|"light"} theme
 * @property {boolean} mapFirst          the map is visible when a film is opened
 * @property {number} opacity            of the map, 0 to 1
 * @property {boolean} smooth
 * @property {boolean} contours
 * @property {boolean} whole             colour below the threshold too
 * @property {boolean} boxes
 * @property {boolean} singleKeys        keys without Ctrl or Alt are shortcuts
 * @property {{[action: string]: string[]}} keys   what was changed
 */

/** @type {Settings} */
const DEFAULTS = {
  theme: "dark",
  mapFirst: false,
  opacity: 0.5,
  smooth: false,
  contours: true,
  whole: false,
  boxes: true,
  singleKeys: true,
  keys: {},
};

/** The reader's choices, kept in localStorage; where the browser forbids that, for this page alone. */
export class SettingsStore {
  constructor() {
    /** @type {Settings} */
    this.values = { ...DEFAULTS, ...parsed(recall(localStore(), SETTINGS)) };
  }

  /**
   * @template {keyof Settings} K
   * @param {K} name
   * @returns {Settings[K]}
   */
  get(name) {
    return this.values[name];
  }

  /**
   * @template {keyof Settings} K
   * @param {K} name @param {Settings[K]} value
   */
  set(name, value) {
    this.values[name] = value;
    store(localStore(), SETTINGS, JSON.stringify(this.values));
  }
}

/** @returns {Storage|null} */
function localStore() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

/** @param {Storage|null} storage @param {string} name */
function recall(storage, name) {
  try {
    return storage?.getItem(name) ?? null;
  } catch {
    return null;
  }
}

/** @param {Storage|null} storage @param {string} name @param {string} value */
function store(storage, name, value) {
  try {
    storage?.setItem(name, value);
  } catch {
    // The choice then holds for this page alone.
  }
}

/** @param {string|null} text @returns {Partial<Settings>} */
function parsed(text) {
  try {
    const value = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
