// The answer of a reader as a value: every change makes a new one.

/** @typedef {import("./types.js").Answer} Answer */
/** @typedef {import("./types.js").Mark} Mark */
/** @typedef {import("./types.js").Questions} Questions */

/** At most this many marks are stored with a case. */
export const MOST_MARKS = 100;

/**
 * Complete what the server has stored of an answer.
 * @param {Partial<Answer>} stored  empty before the first save
 * @returns {Answer}
 */
export function completed(stored) {
  return {
    rating: stored.rating ?? null,
    decision: stored.decision ?? null,
    marks: (stored.marks ?? []).map((mark) => ({ row: mark.row, col: mark.col, rating: mark.rating ?? null, region: mark.region ?? null })),
    no_marks: stored.no_marks ?? false,
    items: { ...(stored.items ?? {}) },
  };
}

/**
 * Add a mark; an answer with a mark no longer says that there is nothing to mark.
 * @param {Answer} answer
 * @param {Mark} mark
 * @returns {Answer}
 */
export function withMark(answer, mark) {
  return { ...answer, marks: [...answer.marks, mark], no_marks: false };
}

/**
 * Replace a mark.
 * @param {Answer} answer
 * @param {number} index
 * @param {Mark} mark
 * @returns {Answer}
 */
export function withMarkAt(answer, index, mark) {
  return { ...answer, marks: answer.marks.map((one, k) => (k === index ? mark : one)) };
}

/**
 * Remove a mark.
 * @param {Answer} answer
 * @param {number} index
 * @returns {Answer}
 */
export function withoutMark(answer, index) {
  return { ...answer, marks: answer.marks.filter((_, k) => k !== index) };
}

/**
 * Confirm that there is nothing to mark, or take the confirmation back.
 * @param {Answer} answer  without marks
 * @returns {Answer}
 */
export function withNothingToMark(answer) {
  return { ...answer, no_marks: !answer.no_marks };
}

/**
 * List what is still to be answered before the case can be locked.
 * @param {Answer} answer
 * @param {Questions} questions
 * @returns {string[]} of "rating", "decision", "marks", "confidence" and the names of items as "item:name"
 */
export function missing(answer, questions) {
  const open = [];
  if (answer.rating === null) open.push("rating");
  if (questions.decision && answer.decision === null) open.push("decision");
  if (questions.marks && answer.marks.length === 0 && !answer.no_marks) open.push("marks");
  if (answer.marks.some((mark) => mark.rating === null)) open.push("confidence");
  const items = questions.items.filter((item) => item.required && !answer.items[item.name]);
  return [...open, ...items.map((item) => `item:${item.name}`)];
}

/**
 * Compare two answers.
 * @param {Answer} one
 * @param {Answer} other
 * @returns {boolean}
 */
export function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}
