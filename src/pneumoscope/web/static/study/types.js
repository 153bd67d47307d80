// The shapes that the pages of a reader study share with the server (`pneumoscope.reader_study`). Types only; nothing runs here.

/**
 * A rating scale: from low to high, both allowed, in steps.
 * @typedef {object} Scale
 * @property {number} low
 * @property {number} high
 * @property {number} step
 * @property {string[]} labels  a word for each rating of an ordinal scale; empty without
 */

/**
 * A further question of the form.
 * @typedef {object} Item
 * @property {string} name
 * @property {string} text
 * @property {string[]} choices  empty for free text
 * @property {boolean} required
 */

/**
 * What is asked of each case.
 * @typedef {object} Questions
 * @property {Scale} rating
 * @property {boolean} decision
 * @property {Scale | null} marks  null where readers do not mark
 * @property {Item[]} items
 */

/**
 * A place that the reader points at, in continuous pixels of the stored grid, with the rectangle that the reader drew.
 * @typedef {object} Mark
 * @property {number} row
 * @property {number} col
 * @property {number | null} rating
 * @property {import("../film/film.js").Box | null} region
 */

/**
 * The answer to one case; every part may be missing until it is locked.
 * @typedef {object} Answer
 * @property {number | null} rating
 * @property {"positive" | "negative" | null} decision
 * @property {Mark[]} marks
 * @property {boolean} no_marks
 * @property {Record<string, string>} items
 */

/**
 * What was on the screen with an answer.
 * @typedef {object} Screen
 * @property {number | null} window_centre
 * @property {number | null} window_width
 * @property {boolean} inverted
 * @property {number | null} zoom
 * @property {number | null} overlay_opacity
 */

/**
 * Something that happened on the page, for the active time.
 * @typedef {object} Signal
 * @property {string} page
 * @property {"loaded" | "hidden" | "visible" | "blurred" | "focused" | "input" | "mark" | "paused" | "resumed" | "closed"} kind
 * @property {number} ms
 */

/**
 * The states of an answer between which the reader may go back and forth.
 * @typedef {object} Undo
 * @property {Partial<Answer>[]} states  oldest first; at least one
 * @property {number} place  index of the present one
 */

/**
 * What the server lets the reader see now.
 * @typedef {object} View
 * @property {"reading" | "waiting" | "finished"} state
 * @property {string} question
 * @property {Questions} questions
 * @property {number} locked
 * @property {number} assigned
 * @property {number} session
 * @property {boolean} practice
 * @property {string} token
 * @property {number} step
 * @property {number} rows
 * @property {number} cols
 * @property {boolean} aid
 * @property {boolean} opened
 * @property {number} base
 * @property {Partial<Answer>} answer
 * @property {Undo | null} undo  null before the case is opened
 * @property {Partial<Answer>} previous  the reader's own answer to the step before; empty at the first step
 * @property {string} next_token
 * @property {boolean} may_go_back
 * @property {string} waiting_until
 * @property {boolean} display_checked
 */

/**
 * A locked answer that may still be corrected.
 * @typedef {object} EarlierAnswer
 * @property {string} token
 * @property {number} step
 * @property {number} rows
 * @property {number} cols
 * @property {boolean} aid
 * @property {number} base
 * @property {Partial<Answer>} answer
 */

/**
 * The reference standard of a case for practice.
 * @typedef {object} Feedback
 * @property {boolean} diseased
 * @property {[number, number, number, number][]} lesions  top, left, bottom, right
 */

/**
 * The proof that a change is on the disk.
 * @typedef {object} Receipt
 * @property {number} number
 * @property {string} sha256
 * @property {Feedback | null} feedback
 */

export {};
