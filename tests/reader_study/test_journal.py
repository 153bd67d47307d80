"""The journal under faults: killed at any statement, cut, repeated, tampered with, used by two processes at once."""

import itertools
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from pneumoscope.reader_study import journal as journals
from pneumoscope.reader_study import projection
from pneumoscope.reader_study.errors import ConflictError, ReaderStudyError, TamperedJournalError
from pneumoscope.reader_study.journal import Journal, verify

START = datetime(2026, 4, 1, 9, 0, tzinfo=UTC)


def ticking(start=START):
    """A clock that goes one second forward with each look."""
    seconds = itertools.count()
    return lambda: start + timedelta(seconds=next(seconds))


def shown(task):
    return {"task": task}


def answered(task, rating):
    return {"task": task, "answer": {"rating": rating}, "screen": {"zoom": 1.0}}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "journal.sqlite"
    with closing(journals.create(path, "coordinator", {"protocol": "p"}, ticking())) as journal:
        for task in (1, 2):
            journal.record("shown", "R1", f"s{task}", shown(task))
            journal.record("saved", "R1", f"a{task}", answered(task, 10 * task))
            journal.record("locked", "R1", f"l{task}", answered(task, 10 * task + 1))
    return path


# Killed

KILLED = """
import os, shutil, sys
from pathlib import Path
from pneumoscope.reader_study import journal as journals
journals.SYNCHRONOUS = "OFF"  # a killed process, unlike a power cut, loses nothing that the system has

def change(path, last):
    journal, statements = journals.Journal(path), 0
    def trace(statement):
        nonlocal statements
        statements += 1
        if statements == last:
            os._exit(9)
    journal._connection.set_trace_callback(trace)
    journal.record("saved", "R1", "new", {"task": 2, "answer": {"rating": 77}, "screen": {}})
    os._exit(0)

source, ended = Path(sys.argv[1]), 9
for statement in range(1, 100):
    copy = source.with_name(f"{statement}.sqlite")
    shutil.copyfile(source, copy)
    child = os.fork()
    if not child:
        change(copy, statement)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(statement, ended)
    if ended != 9:
        break
"""


def test_killed_at_any_statement_the_change_is_there_wholly_or_not_at_all_and_is_not_doubled(path):
    done = subprocess.run([sys.executable, "-c", KILLED, path], capture_output=True, text=True, check=True)
    killed = [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    assert len(killed) > 5  # several statements were a place to die at
    assert [code for _, code in killed] == [9] * (len(killed) - 1) + [0]
    outcomes = set()
    for statement, code in killed:
        copy = path.with_name(f"{statement}.sqlite")
        number, _ = verify(copy)
        with closing(Journal(copy)) as journal:
            present = sum(event.key == "new" for event in journal.events())
            outcomes.add(present)
            assert number == 7 + present
            assert present or code  # what was acknowledged is there
            again = journal.record("saved", "R1", "new", {"task": 2, "answer": {"rating": 77}, "screen": {}})
            assert again.number == 8
            assert journal.answers("R1")[1].answer == {"rating": 77}
        assert verify(copy)[0] == 8
    assert outcomes == {0, 1}


def test_a_write_ahead_log_cut_at_any_place_gives_an_earlier_state_that_is_whole(path, tmp_path):
    writer = Journal(path)
    for k in range(4):
        writer.record("saved", "R1", f"w{k}", answered(2, 50 + k))
    log = path.with_name(path.name + "-wal").read_bytes()
    numbers = set()
    for end in range(0, len(log) + 1, max(1, len(log) // 23)):
        copy = tmp_path / f"cut{end}.sqlite"
        shutil.copyfile(path, copy)
        copy.with_name(copy.name + "-wal").write_bytes(log[:end])
        numbers.add(verify(copy)[0])
    writer.close()
    assert min(numbers) == 7
    assert max(numbers) > 8
    assert numbers <= set(range(7, 12))


PRAGMAS = """
import sys
from pathlib import Path
from pneumoscope.reader_study.journal import Journal
connection = Journal(Path(sys.argv[1]))._connection
print(connection.execute("PRAGMA synchronous").fetchone(), connection.execute("PRAGMA journal_mode").fetchone())
"""


def test_the_journal_asks_sqlite_to_flush_every_transaction(path):
    done = subprocess.run([sys.executable, "-c", PRAGMAS, path], capture_output=True, text=True, check=True)
    assert done.stdout == "(2,) ('wal',)\n"  # 2 is FULL


def test_an_exception_within_a_change_leaves_nothing(path):
    with closing(Journal(path)) as journal:
        with pytest.raises(ZeroDivisionError), journal.change() as change:
            change.add("saved", "R1", "half", answered(1, 5))
            raise ZeroDivisionError
        assert journal.head()[0] == 7
        journal.record("saved", "R1", "whole", answered(1, 5))
    assert verify(path)[0] == 8


# Repeated


def test_a_repeated_request_adds_nothing_and_gets_the_first_receipt(path):
    with closing(Journal(path, ticking(START + timedelta(days=1)))) as journal:
        first = journal.record("saved", "R1", "k", answered(1, 5))
        assert [journal.record("saved", "R1", "k", answered(1, 5)) for _ in range(3)] == [first] * 3
        assert journal.head()[0] == 8


@pytest.mark.parametrize(
    ("kind", "actor", "body"),
    [("saved", "R1", answered(1, 6)), ("locked", "R1", answered(1, 5)), ("saved", "R2", answered(1, 5))],
)
def test_a_key_that_was_used_for_another_change_is_refused(path, kind, actor, body):
    with closing(Journal(path)) as journal:
        journal.record("saved", "R1", "k", answered(1, 5))
        with pytest.raises(ConflictError, match="used for another change; make a new key"):
            journal.record(kind, actor, "k", body)


def test_a_change_without_a_key_is_refused(path):
    with closing(Journal(path)) as journal, pytest.raises(ReaderStudyError, match="without an idempotency key"):
        journal.record("saved", "R1", "", answered(1, 5))


def test_the_same_request_from_many_threads_and_two_connections_is_stored_once(path):
    with closing(Journal(path)) as one, closing(Journal(path)) as other:
        receipts = []

        def send(journal):
            receipts.append(journal.record("saved", "R1", "same", answered(1, 5)).number)

        threads = [threading.Thread(target=send, args=(journal,)) for journal in (one, other) * 6]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert receipts == [8] * 12
    assert verify(path)[0] == 8


def test_changes_of_many_threads_make_one_chain(path):
    with closing(Journal(path)) as one, closing(Journal(path)) as other:
        jobs = [(journal, f"k{i}{j}", i) for i, journal in enumerate((one, other)) for j in range(10)]
        threads = [
            threading.Thread(target=journal.record, args=("saved", f"R{i}", key, answered(1, 1))) for journal, key, i in jobs
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert verify(path)[0] == 27


# Time


def test_a_clock_that_is_set_back_does_not_turn_the_order_of_events(path):
    with closing(Journal(path, lambda: START - timedelta(days=3))) as journal:
        event = journal.record("saved", "R1", "late", answered(1, 5))
        assert event.at == journal.events()[-2].at
    verify(path)


# The projection


def test_the_answers_are_what_the_events_give(path):
    first, second = Journal(path).answers("R1")
    assert (first.status, first.revision, first.answer) == ("locked", 1, {"rating": 11})
    assert (second.task, second.locked, second.answer, second.event) == (2, True, {"rating": 21}, 7)
    assert first.shown_at < first.locked_at


def test_the_answers_can_be_rebuilt_from_the_events(path):
    with closing(Journal(path)) as journal, closing(sqlite3.connect(":memory:")) as rebuilt:
        journal.record("corrected", "R1", "c", answered(1, 90))
        rebuilt.executescript(projection.TABLE)
        for event in journal.events():
            projection.apply(rebuilt, event)
        assert projection.all_stored(rebuilt, None) == journal.answers()
        assert journal.answers()[0].revision == 2


# Tampered with


def tampered(path, *statements, forget_triggers=True):
    with closing(sqlite3.connect(path)) as connection:
        if forget_triggers:
            connection.executescript("DROP TRIGGER events_are_not_changed; DROP TRIGGER events_are_not_removed;")
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.mark.parametrize("statement", ["UPDATE events SET actor = 'R2'", "DELETE FROM events WHERE number = 7"])
def test_events_are_not_changed_through_sql(path, statement):
    with pytest.raises(sqlite3.IntegrityError, match="events are only added"):
        tampered(path, statement, forget_triggers=False)


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("UPDATE events SET body = replace(body, '11', '99') WHERE number = 4", 4),
        ("UPDATE events SET at = '2020-01-01T00:00:00.000000+00:00' WHERE number = 3", 3),
        ("UPDATE events SET actor = 'R2' WHERE number = 5", 5),
        ("UPDATE events SET kind = 'saved' WHERE number = 7", 7),
        ("UPDATE events SET key = 'other' WHERE number = 2", 2),
        ("DELETE FROM events WHERE number = 3", 3),
        ("DELETE FROM events WHERE number = 1", 1),
        ("INSERT INTO events SELECT 8, at, actor, kind, 'forged', body, previous, sha256 FROM events WHERE number = 7", 8),
    ],
)
def test_a_tampered_event_is_named(path, statement, number):
    tampered(path, statement)
    with pytest.raises(TamperedJournalError, match=f"event {number} of the journal is not what was written"):
        verify(path)


def test_a_journal_that_was_cut_at_its_end_is_recognised_by_a_hash_noted_earlier(path):
    noted = Journal(path).head()[1]
    tampered(path, "DELETE FROM events WHERE number = 7", "DELETE FROM answers WHERE task = 2")
    with pytest.raises(TamperedJournalError, match="cut off or rewritten"):
        verify(path, head=noted)


def test_a_hash_noted_earlier_is_found_in_a_journal_that_has_grown(path):
    noted = Journal(path).head()[1]
    with closing(Journal(path)) as journal:
        journal.record("saved", "R1", "more", answered(1, 5))
    assert verify(path, head=noted)[0] == 8


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE answers SET answer = '{\"rating\": 99}' WHERE task = 2", "answer to task 2 does not follow"),
        ("UPDATE answers SET status = 'saved' WHERE task = 1", "answer to task 1 does not follow"),
        ("DELETE FROM answers WHERE task = 2", "1 answers are stored where the events give 2"),
    ],
)
def test_a_tampered_answer_is_named(path, statement, message):
    tampered(path, statement)
    with pytest.raises(TamperedJournalError, match=message):
        verify(path)


def test_a_damaged_file_is_refused(path, tmp_path):
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database" * 500)
    with pytest.raises(TamperedJournalError, match="damaged"):
        verify(damaged)


def test_a_journal_that_does_not_exist_is_not_made_by_opening_it(tmp_path):
    with pytest.raises(ReaderStudyError, match="launch the study first"):
        Journal(tmp_path / "journal.sqlite")
    assert list(tmp_path.iterdir()) == []


def test_a_journal_is_created_once(path):
    with pytest.raises(ConflictError, match="frozen once"):
        journals.create(path, "coordinator", {})
