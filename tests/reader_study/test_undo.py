"""The undo history: what a page has done between two reloads is rebuilt from the journal."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.reader_study.answer import Answer
from pneumoscope.reader_study.entry import Entry
from pneumoscope.reader_study.errors import ReaderStudyError
from pneumoscope.reader_study.folder import open_study
from pneumoscope.reader_study.journal import canonical
from pneumoscope.reader_study.trail import audit_lines
from pneumoscope.reader_study.undo import UndoHistory, history
from tests.reader_study.study_files import Clock, answer_one, frozen, full, key, link

EMPTY = Answer()


def rated(rating):
    return Answer(rating=float(rating))


def saved(answer, kept, added, place):
    """The body of an event, as the journal gives it back."""
    undo = {"kept": kept, "added": added, "place": place}
    return json.loads(canonical(msgspec.to_builtins({"answer": answer, "undo": undo})))


def test_a_history_by_hand():
    a, b, c = rated(1), rated(2), rated(3)
    events = [saved(a, 1, [a], 1), saved(b, 2, [b], 2)]
    assert history(events) == UndoHistory((EMPTY, a, b), 2)
    undone = [*events, saved(a, 3, [], 1)]
    assert history(undone) == UndoHistory((EMPTY, a, b), 1)
    assert history([*undone, saved(EMPTY, 3, [], 0)]) == UndoHistory((EMPTY, a, b), 0)
    assert history([*undone, saved(c, 2, [c], 2)]) == UndoHistory((EMPTY, a, c), 2)  # what was undone is forgotten
    assert history([*events, saved(c, 2, [c], 2)]) == UndoHistory((EMPTY, a, c), 2)  # the digits of one number are one step


def test_without_a_saved_change_the_history_is_the_empty_answer():
    assert history([]) == UndoHistory((EMPTY,), 0)


def test_changes_of_a_client_without_undo_are_one_state_each():
    assert history([{"answer": {"rating": 1}}, {"answer": {"rating": 2}}]) == UndoHistory((EMPTY, rated(1), rated(2)), 2)


def test_a_history_that_contradicts_the_answer_gives_way_to_the_answer():
    assert history([saved(rated(1), 1, [rated(2)], 1)]) == UndoHistory((rated(1),), 0)
    assert history([saved(rated(1), 7, [rated(1)], 7)]) == UndoHistory((rated(1),), 0)


class Page:
    """What `history.js` does, in Python."""

    def __init__(self):
        self.states, self.place, self.known = [EMPTY], 0, 1

    def do(self, action, value):
        if action == "push" or (action == "amend" and not self.place):
            self._put(self.place + 1, rated(value))
        elif action == "amend":
            self._put(self.place, rated(value))
        else:
            step = {"undo": -1, "redo": 1}[action]
            self.place = min(max(self.place + step, 0), len(self.states) - 1)

    def _put(self, place, state):
        self.states, self.place, self.known = [*self.states[:place], state], place, min(self.known, place)

    def save(self):
        body = saved(self.states[self.place], self.known, self.states[self.known :], self.place)
        self.known = len(self.states)
        return body


@given(
    st.lists(
        st.tuples(st.sampled_from(["push", "amend", "undo", "redo"]), st.integers(0, 9), st.booleans()), min_size=1, max_size=30
    )
)
def test_whatever_was_done_and_however_changes_were_gathered_the_history_is_that_of_the_page(actions):
    page, events = Page(), []
    for action, value, sent in actions:
        page.do(action, value)
        if sent:
            events.append(page.save())
    events.append(page.save())
    assert history(events) == UndoHistory(tuple(page.states), page.place)


@pytest.fixture
def study(tmp_path):
    study = frozen(tmp_path, Clock())
    yield study
    study.journal.close()


def save(room, who, base, rating, kept, place, **more):
    view = room.view(who)
    answer = {"rating": rating}
    undo = more.get("undo", {"kept": kept, "added": [answer], "place": place})
    return room.save(who, Entry(view.token, view.step, key(), base, answer, undo=undo)).number


def test_undo_survives_a_killed_server_and_ends_with_the_case(study, tmp_path):
    who, room = link(study), study.room()
    assert room.view(who).undo is None
    view = room.view(who)
    base = room.open(who, view.token, 0, key()).number
    assert room.view(who).undo == UndoHistory((EMPTY,), 0)
    base = save(room, who, base, 30, 1, 1)
    base = save(room, who, base, 40, 2, 2)
    again = open_study(tmp_path)
    try:
        assert again.room().view(who).undo == UndoHistory((EMPTY, rated(30), rated(40)), 2)
    finally:
        again.journal.close()
    room.lock(who, Entry(view.token, 0, key(), base, full()))
    assert room.view(who).undo is None
    answer_one(room, who)  # the aided answer
    assert room.view(who).undo is None


def test_the_blinded_trail_holds_no_state_of_a_history(study):
    who, room = link(study), study.room()
    view = room.view(who)
    save(room, who, room.open(who, view.token, 0, key()).number, 73, 1, 1)
    lines = [json.loads(line) for line in audit_lines(study, with_answers=False)]
    assert (lines[-1]["body"]["answer"], lines[-1]["body"]["undo"]) == ("blinded", "blinded")
    assert "73" not in json.dumps(lines[-1]["body"])


@pytest.mark.parametrize(
    ("undo", "message"),
    [
        ({"kept": 1, "added": [], "place": 1}, "not one of its states"),
        ({"kept": -1, "added": [], "place": 0}, "not one of its states"),
        ({"kept": 1, "added": [{"rating": 101}], "place": 1}, "not on the scale"),
        ({"kept": 1, "added": [{"rating": float("inf")}], "place": 1}, "not finite"),
        ({"kept": 1000, "added": [{}], "place": 0}, "at most 1000 states"),
        ({"kept": 1, "added": [{"note": "Mustermann"}], "place": 1}, "no valid undo history"),
    ],
)
def test_a_history_that_cannot_be_right_is_refused(study, undo, message):
    who, room = link(study), study.room()
    view = room.view(who)
    base = room.open(who, view.token, 0, key()).number
    with pytest.raises(ReaderStudyError, match=message):
        save(room, who, base, 30, 1, 1, undo=undo)
