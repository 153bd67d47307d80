// The logic of the study's page without a page: node --test study_logic.mjs, with the folder of the static files in STATIC.

import assert from "node:assert/strict";
import { test } from "node:test";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const load = (name) => import(pathToFileURL(join(process.env.STATIC, "study", name)));
const answers = await load("answer.js");
const { Activity } = await load("activity.js");
const { after, displayedToStored } = await load("aid.js");
const { ApiError } = await load("api.js");
const { History } = await load("history.js");
const { markAt, moved, pointMark, sized, spanned } = await load("mark_geometry.js");
const { Saver } = await load("saver.js");
const { allows, TypedRating, valuesOf } = await load("scale.js");

const scale = (low, high, step = 1) => ({ low, high, step, labels: [] });

test("digits that follow one another are one number on the scale", () => {
  const typed = new TypedRating(scale(0, 100));
  assert.deepEqual([typed.type("7"), typed.type("5")], [7, 75]);
  assert.equal(typed.type("9"), 9); // 759 has no room: the next number begins
  assert.equal(typed.back(), null);
  assert.deepEqual([..."100"].map((digit) => typed.type(digit)), [1, 10, 100]);
});

test("a digit of a short scale is the whole rating, and one off the scale is none", () => {
  const typed = new TypedRating(scale(1, 5));
  assert.deepEqual([typed.type("3"), typed.type("4"), typed.type("0"), typed.type("6")], [3, 4, null, null]);
});

test("a decimal point is typed only where the scale has decimals", () => {
  const fine = new TypedRating(scale(0, 10, 0.5));
  assert.deepEqual([fine.type("7"), fine.type("."), fine.type("5")], [7, 7, 7.5]);
  const whole = new TypedRating(scale(0, 100));
  whole.type("7");
  assert.equal(whole.type("."), 7);
});

test("ratings are on the scale as the server decides it", () => {
  assert.deepEqual([1, 5, 2.5, 6, NaN].map((rating) => allows(scale(1, 5), rating)), [true, true, false, false, false]);
  assert.deepEqual(valuesOf(scale(0, 0.3, 0.1)), [0, 0.1, 0.2, 0.3]);
});

test("what was undone is forgotten by the next change, and an amended state is one step", () => {
  const history = new History(["a"]);
  history.push("b");
  history.push("7");
  history.amend("75");
  history.undo();
  assert.equal(history.present, "b");
  history.redo();
  assert.equal(history.present, "75");
  history.undo();
  history.push("c");
  assert.deepEqual([history.canRedo, history.present], [false, "c"]);
  history.undo();
  history.undo();
  history.undo();
  assert.deepEqual([history.present, history.canUndo], ["a", false]);
});

test("a request takes the states that the server does not know, and every state reaches the server once", () => {
  const history = new History(["", "a", "b"], 1);
  assert.deepEqual([history.canUndo, history.canRedo, history.present], [true, true, "a"]);
  assert.deepEqual(history.take(), { kept: 3, added: [], place: 1 });
  history.redo();
  assert.deepEqual(history.take(), { kept: 3, added: [], place: 2 });
  history.push("7");
  history.amend("75");
  history.push("c");
  history.undo();
  assert.deepEqual(history.take(), { kept: 3, added: ["75", "c"], place: 3 });
  history.amend("80");
  assert.deepEqual(history.take(), { kept: 3, added: ["80"], place: 3 });
  history.undo();
  history.undo();
  history.push("d");
  assert.deepEqual(history.take(), { kept: 2, added: ["d"], place: 2 });
});

test("zero marks is an answer that is confirmed, and a mark takes the confirmation back", () => {
  const questions = { rating: scale(0, 100), decision: true, marks: scale(1, 5), items: [{ name: "q", required: true }] };
  const empty = answers.completed({});
  assert.deepEqual(answers.missing(empty, questions), ["rating", "decision", "marks", "item:q"]);
  const confirmed = answers.withNothingToMark({ ...empty, rating: 0, decision: "negative", items: { q: "x" } });
  assert.deepEqual(answers.missing(confirmed, questions), []);
  const marked = answers.withMark(confirmed, pointMark(1, 2));
  assert.deepEqual([marked.no_marks, answers.missing(marked, questions)], [false, ["confidence"]]);
});

const film = { rows: 100, cols: 200, aspect: 1, orientation: { transposed: false, flip_rows: false, flip_cols: false } };
const twice = [2, 0, 0, 2, 10, 20]; // x = 2·col + 10, y = 2·row + 20

test("a drag spans the rectangle of a mark on the film, and a short one is a click", () => {
  const mark = pointMark(10, 10);
  assert.equal(spanned(film, twice, mark, { x: 30, y: 40 }, { x: 33, y: 42 }), mark);
  const drawn = spanned(film, twice, mark, { x: 110, y: 60 }, { x: 30, y: -50 }); // beyond the upper edge
  assert.deepEqual(drawn.region, { top: 0, bottom: 20, left: 10, right: 50 });
  assert.deepEqual([drawn.row, drawn.col], [10, 30]);
});

test("a mark is moved and sized within the film", () => {
  const mark = { row: 50, col: 100, rating: 3, region: { top: 40, bottom: 60, left: 90, right: 110 } };
  assert.deepEqual(moved(film, twice, mark, 20, -10), { row: 45, col: 110, rating: 3, region: { top: 35, bottom: 55, left: 100, right: 120 } });
  assert.deepEqual(moved(film, twice, mark, 1e6, 0).region, { top: 40, bottom: 60, left: 180, right: 200 });
  assert.deepEqual(sized(film, twice, mark, 8, 0).region, { top: 40, bottom: 60, left: 88, right: 112 });
  assert.deepEqual(sized(film, twice, pointMark(50, 100), 8, 0).region, { top: 38, bottom: 62, left: 88, right: 112 });
});

test("the nearest point is hit, else the smallest rectangle around", () => {
  const marks = [{ ...pointMark(50, 50), region: { top: 20, bottom: 80, left: 20, right: 80 } }, { ...pointMark(40, 40), region: { top: 35, bottom: 45, left: 35, right: 45 } }, pointMark(90, 90)];
  const at = (row, col) => markAt(twice, marks, { x: 2 * col + 10, y: 2 * row + 20 }, 6);
  assert.deepEqual([at(50, 51), at(36, 36), at(25, 25), at(90, 92), at(5, 5)], [0, 1, 0, 2, -1]);
});

test("an aid in the displayed order lies on the stored grid of a mirrored and of a transposed film", () => {
  const place = (orientation, x, y) => {
    const [a, b, c, d, e, f] = displayedToStored({ ...film, orientation });
    return [a * x + c * y + e, b * x + d * y + f]; // column, row
  };
  assert.deepEqual(place({ transposed: false, flip_rows: false, flip_cols: true }, 0, 5), [200, 5]);
  assert.deepEqual(place({ transposed: true, flip_rows: false, flip_cols: false }, 30, 170), [170, 30]);
  assert.deepEqual(place({ transposed: true, flip_rows: true, flip_cols: false }, 30, 0), [200, 30]);
  assert.deepEqual(after([1, 0, 0, 1, 5, 6], [2, 0, 0, 2, 1, 1]), [2, 0, 0, 2, 6, 7]);
});

test("inputs are gathered, and what a request has taken is not sent again", () => {
  let now = 0;
  const activity = new Activity("page", () => now);
  activity.add("loaded");
  activity.input();
  now = 500;
  activity.input();
  now = 1500;
  activity.input();
  activity.add("mark");
  assert.deepEqual(activity.take().map(({ kind, ms }) => [kind, ms]), [["loaded", 0], ["input", 0], ["input", 1500], ["mark", 1500]]);
  assert.deepEqual(activity.take(), []);
});

function saver(outcomes) {
  const sent = [];
  const states = [];
  const memory = { request: null, put: (request) => (memory.request = request), drop: () => (memory.request = null) };
  let answer = 0;
  const made = new Saver({
    send: async (request) => {
      sent.push(structuredClone(request));
      const outcome = outcomes.shift();
      if (outcome instanceof Error) throw outcome;
      return outcome;
    },
    content: () => ({ answer: { rating: (answer += 1) }, screen: {}, signals: [] }),
    onState: (state) => states.push(state),
    memory,
    token: "t",
    step: 0,
    base: 4,
  });
  made.waited = async () => undefined;
  return { made, sent, states, memory };
}

test("after a failure of the network the same request with the same key is sent again", async () => {
  const { made, sent, states, memory } = saver([new ApiError(0, "lost"), new ApiError(503, "busy"), { number: 7 }]);
  await made.save();
  assert.equal(sent.length, 3);
  assert.deepEqual(sent[0], sent[1]);
  assert.deepEqual(sent[1], sent[2]);
  assert.deepEqual([states.at(-1), made.base, memory.request], ["saved", 7, null]);
  assert.ok(states.includes("retrying"));
});

test("changes that come meanwhile are one request, based on the one before; then the lock", async () => {
  const { made, sent } = saver([{ number: 5 }, { number: 6 }, { number: 9 }]);
  made.save();
  made.save();
  made.save();
  await made.finish("lock");
  assert.deepEqual(sent.map(({ action, body }) => [action, body.base, body.answer.rating]), [["save", 4, 1], ["save", 5, 2], ["lock", 6, 3]]);
  assert.equal(new Set(sent.map(({ body }) => body.key)).size, 3);
});

test("what the server refuses is said and not sent again; the next change is", async () => {
  const { made, sent, states } = saver([new ApiError(409, "another window"), { number: 5 }]);
  await assert.rejects(made.save(), /another window/);
  assert.equal(states.at(-1), "refused");
  await made.save();
  assert.deepEqual([sent.length, states.at(-1)], [2, "saved"]);
});
