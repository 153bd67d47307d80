// Dark, light, or as the phone is set; the choice is kept on the phone.

/** The choices. */
export const THEMES = /** @type {const} */ (["system", "dark", "light"]);
const KEY = "pneumoscope-theme";

/** The theme that was chosen last. */
export function chosenTheme() {
  try {
    const kept = localStorage.getItem(KEY);
    return THEMES.find((name) => name === kept) ?? "system";
  } catch {
    return "system"; // a browser that keeps nothing
  }
}

/**
 * Use a theme from now on.
 * @param {string} name
 */
export function setTheme(name) {
  document.documentElement.dataset.theme = name;
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // a browser that keeps nothing
  }
}
