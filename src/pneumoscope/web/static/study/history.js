// Undo and redo.

/**
 * The states of a value, of which one is the present one.
 * @template T
 */
export class History {
  /** @param {T} first */
  constructor(first) {
    /** @type {T[]} */
    this.states = [first];
    this.place = 0;
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
    this.states = [...this.states.slice(0, this.place + 1), state];
    this.place += 1;
  }

  /**
   * Replace the present state, for changes that are one step to the user, such as the digits of a number.
   * @param {T} state
   */
  amend(state) {
    this.states = [...this.states.slice(0, this.place), state];
  }

  /** Go back one state; without one, nothing happens. */
  undo() {
    if (this.canUndo) this.place -= 1;
  }

  /** Go forward one state; without one, nothing happens. */
  redo() {
    if (this.canRedo) this.place += 1;
  }
}
