// What the browser remembers between two loads of the page: the personal link in this window, and a request that was not answered yet.

const LINK = "pneumoscope-study-link";
const UNANSWERED = "pneumoscope-study-unanswered";

/**
 * Take the personal link out of the address, where it would be seen and recorded, and remember it in this window.
 * @param {Location} location
 * @param {globalThis.History} history
 * @returns {string} empty where there is none
 */
export function takeLink(location, history) {
  const given = new URLSearchParams(location.hash.slice(1)).get("link");
  if (given) {
    sessionStorage.setItem(LINK, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
  return given ?? sessionStorage.getItem(LINK) ?? "";
}

/** Forget the personal link. */
export function forgetLink() {
  sessionStorage.removeItem(LINK);
}

/** A request that must reach the server even when the page, the browser or the machine is stopped now; without any name in it. */
export const unanswered = {
  /** @param {import("./saver.js").Request} request */
  put(request) {
    try {
      localStorage.setItem(UNANSWERED, JSON.stringify(request));
    } catch {
      // A browser that is set to remember nothing: the request is still sent until it is answered.
    }
  },
  drop() {
    localStorage.removeItem(UNANSWERED);
  },
  /** @returns {import("./saver.js").Request | null} */
  get() {
    const text = localStorage.getItem(UNANSWERED);
    return text ? JSON.parse(text) : null;
  },
};
