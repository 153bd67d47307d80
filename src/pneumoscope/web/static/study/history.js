// Undo and redo, and what of them the server does not know yet.

/**
 * What a request tells the server about the history.
 * @template T
 * @typedef {{kept: number, added: T[], place: number}} HistoryChange
 */

/**
 * The states of a value, of which one is the present one.
 * @template T
 */
export class History {
  /**
   * @param {T[]} states  at least one, oldest first; the server knows all of them
   * @param {number} place  index of the present one
   */
  constructor(states, place = states.length - 1) {
    this.states = states;
    this.place = place;
    /** Number of states at the start that the server knows. */
    this.known = states.length;
  }

  /** The present state. */
  get present() {
    return this.states[this.place];
  }

  /** Whether there is a state to go back to. */
  get canUndo() {
    return this.place > 0;
  }

  /** Whether there is a state that was undone. */
  get canRedo() {
    return this.place + 1 < this.states.length;
  }

  /**
   * Add a state; what was undone is forgotten.
   * @param {T} state
   */
  push(state) {
    this.put(this.place + 1, state);
  }

  /**
   * Replace the present state, for changes that are one step to the user, such as the digits of a number.
   * @param {T} state
   */
  amend(state) {
    this.put(this.place, state);
  }

  /**
   * @param {number} place
   * @param {T} state
   */
  put(place, state) {
    this.states = [...this.states.slice(0, place), state];
    this.place = place;
    this.known = Math.min(this.known, place);
  }

  /** Go back one state; without one, nothing happens. */
  undo() {
    if (this.canUndo) this.place -= 1;
  }

  /** Go forward one state; without one, nothing happens. */
  redo() {
    if (this.canRedo) this.place += 1;
  }

  /**
   * Take what the server does not know, for a request that is sent until it is answered.
   * @returns {HistoryChange<T>}
   */
  take() {
    const change = { kept: this.known, added: this.states.slice(this.known), place: this.place };
    this.known = this.states.length;
    return change;
  }
}
