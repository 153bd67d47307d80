"""The reading room: the only door between a client of a reader and the study.

Every function names the reader by the personal link, finds out where the reader is in the worklist, and refuses what the reader
may not see or change now. It knows no web framework.
"""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from pneumoscope.reader_study import answer as answers
from pneumoscope.reader_study import pixels, timing
from pneumoscope.reader_study import undo as undo_histories
from pneumoscope.reader_study.answer import DisplayCheck
from pneumoscope.reader_study.entry import Entry, Feedback, Receipt
from pneumoscope.reader_study.errors import ConflictError, ForbiddenError, NotSignedInError, ReaderStudyError
from pneumoscope.reader_study.journal import Change, Journal
from pneumoscope.reader_study.map_overlay import aid_png
from pneumoscope.reader_study.progress import current
from pneumoscope.reader_study.projection import Stored
from pneumoscope.reader_study.protocol import Protocol, StudyCase
from pneumoscope.reader_study.visible import (
    EarlierAnswer,
    View,
    case_token,
    correctable,
    earlier_answers,
    next_radiograph,
    token,
    view,
)
from pneumoscope.reader_study.worklist import Task, worklists

OVERRIDE, DISPLAY_CHECKED = "washout overridden", "display checked"


class ReadingRoom:
    """The sessions of all readers of a study.

    Parameters
    ----------
    protocol : Protocol
        The frozen study.
    key : bytes
        Secret of the study, from which links and tokens are made.
    journal : Journal
        Open journal.
    """

    def __init__(self, protocol: Protocol, key: bytes, journal: Journal) -> None:
        self.protocol, self.journal = protocol, journal
        self._key, self._tasks = key, worklists(protocol)
        self._links = {reader: reader_link(key, reader) for reader in self._tasks}

    def reader(self, link: str) -> str:
        """Find the reader to whom a personal link belongs.

        Parameters
        ----------
        link : str
            The secret part of the link.

        Returns
        -------
        str
            Pseudonym.

        Raises
        ------
        NotSignedInError
            If the link belongs to nobody.
        """
        for reader, own in self._links.items():
            if hmac.compare_digest(own.encode(), link.encode()):
                return reader
        raise NotSignedInError("this link belongs to no reader of the study; ask the coordinator for a new one")

    def tasks(self, reader: str) -> tuple[Task, ...]:
        """Return the worklist of a reader.

        Parameters
        ----------
        reader : str
            Pseudonym.

        Returns
        -------
        tuple of Task
            In order.
        """
        return self._tasks[reader]

    def view(self, link: str) -> View:
        """Return what the page of a reader shows now.

        Parameters
        ----------
        link : str
            The reader's personal link.

        Returns
        -------
        View
            From the journal alone: after a killed browser or server it is the exact case with the last saved answer.
        """
        reader = self.reader(link)
        stored, tasks = self.journal.answers(reader), self._tasks[reader]
        task = current(tasks, stored)
        end = self.washout_end(reader, task, stored) if task else None
        waiting = end.isoformat(timespec="seconds") if end and end > self.journal.time() else ""
        checked = [event.body["session"] for event in self.journal.events(DISPLAY_CHECKED) if event.actor == reader]
        undo = undo_histories.history(self.journal.saved(reader, task.number)) if task else None
        return view(self.protocol, self._key, reader, tasks, stored, waiting, checked, undo)

    def earlier(self, link: str) -> tuple[EarlierAnswer, ...]:
        """Return the locked answers that a reader may still correct.

        Parameters
        ----------
        link : str
            The reader's personal link.

        Returns
        -------
        tuple of EarlierAnswer
            As `visible.earlier_answers`.
        """
        reader = self.reader(link)
        return earlier_answers(self.protocol, self._key, reader, self._tasks[reader], self.journal.answers(reader))

    def check_display(self, link: str, key: str, check: Any) -> Receipt:
        """Record what a reader sees of the test pattern, for the session that the reader is at.

        Parameters
        ----------
        link : str
            The reader's personal link.
        key : str
            Idempotency key.
        check : object
            Parsed JSON of a `DisplayCheck`.

        Returns
        -------
        Receipt
            The check is on the disk.

        Raises
        ------
        ReaderStudyError
            If the check is not valid.
        """
        reader = self.reader(link)
        body = msgspec.to_builtins(answers.parsed(check, DisplayCheck))
        event = self.journal.record(DISPLAY_CHECKED, reader, key, {"session": self._current(reader).session, **body})
        return Receipt(event.number, event.sha256)

    def pixels(self, link: str, case: str) -> bytes:
        """Return the pixels of a radiograph.

        Parameters
        ----------
        link : str
            The reader's personal link.
        case : str
            Token of the current case, of the next one of the session, or of one whose answer may still be corrected.

        Returns
        -------
        bytes
            As `pixels.radiograph_png`.

        Raises
        ------
        ForbiddenError
            For any other token.
        """
        chosen = self._open_radiograph(link, case)
        return pixels.radiograph_png(self.protocol.file(chosen), chosen.sha256)

    def film(self, link: str, case: str) -> bytes:
        """Return a radiograph with the tables of its grey levels.

        Parameters
        ----------
        link : str
            The reader's personal link.
        case : str
            As in `pixels`.

        Returns
        -------
        bytes
            As `pixels.film_bytes`.

        Raises
        ------
        ForbiddenError
            As `pixels`.
        """
        chosen = self._open_radiograph(link, case)
        return pixels.film_bytes(self.protocol.file(chosen), chosen.sha256)

    def _open_radiograph(self, link: str, case: str) -> StudyCase:
        reader = self.reader(link)
        tasks, stored = self._tasks[reader], self.journal.answers(reader)
        task = current(tasks, stored)
        allowed = [task, task and next_radiograph(tasks, task), *correctable(self.protocol, tasks, stored)]
        named = next((one for one in allowed if one and case_token(self._key, reader, one) == case), None)
        if named is None:
            raise ForbiddenError("this radiograph is not open to the reader now")
        self._not_before_washout(reader, named)
        return self.protocol.by_name[named.case]

    def aid(self, link: str, case: str) -> bytes:
        """Return the overlay of the current case.

        Parameters
        ----------
        link : str
            The reader's personal link.
        case : str
            Token of the current case, or of an aided one whose answer may be corrected.

        Returns
        -------
        bytes
            As `map_overlay.aid_png`.

        Raises
        ------
        ForbiddenError
            Unless the reader is at an aided step of this very case and has opened it: before the unaided answer is locked, the
            step is an unaided one.
        """
        reader = self.reader(link)
        tasks, stored = self._tasks[reader], self.journal.answers(reader)
        now = current(tasks, stored)
        opened = [now] if now and any(one.task == now.number for one in stored) else []
        shown = [*opened, *correctable(self.protocol, tasks, stored)]
        task = next((one for one in shown if case_token(self._key, reader, one) == case), None)
        if task is None or self.protocol.definition.arm(task.arm).aid is None:
            raise ForbiddenError("the aid of this radiograph is not open to the reader now")
        file = self.protocol.aid_of[task.arm, task.case]
        return aid_png(self.protocol, file)

    def open(self, link: str, case: str, step: int, key: str) -> Receipt:
        """Record that a case is on the screen; the washout is enforced here.

        Parameters
        ----------
        link : str
            The reader's personal link.
        case : str
            Token of the current case.
        step : int
            Its step.
        key : str
            Idempotency key.

        Returns
        -------
        Receipt
            The base of the first change.

        Raises
        ------
        ForbiddenError
            Before the end of the washout.
        ConflictError
            If the reader is at another case or step.
        """
        reader = self.reader(link)
        task = self._named(reader, case, step)
        body = {"task": task.number, "session": task.session, "case": task.case, "arm": task.arm, "step": step}
        self._not_before_washout(reader, task)
        with self.journal.change() as change:
            event = change.earlier(key, reader, "shown", body)
            if event is None:
                self._must_be_current(change, reader, task)
                event = change.add("shown", reader, key, body)
        return Receipt(event.number, event.sha256)

    def save(self, link: str, entry: Entry) -> Receipt:
        """Save an answer that need not be complete.

        Parameters
        ----------
        link : str
            The reader's personal link.
        entry : Entry
            The change.

        Returns
        -------
        Receipt
            The answer is on the disk. A repeated request gets the receipt of the first.

        Raises
        ------
        ConflictError
            If the reader is at another case or step, or the answer was changed in another window.
        ReaderStudyError
            If the answer is not valid.
        """
        return self._change("saved", link, entry)

    def lock(self, link: str, entry: Entry) -> Receipt:
        """Lock an answer; the reader goes on to the next task.

        Parameters
        ----------
        link : str
            The reader's personal link.
        entry : Entry
            The change, with a complete answer.

        Returns
        -------
        Receipt
            With feedback for a case for practice.

        Raises
        ------
        ConflictError
            As `save`.
        ReaderStudyError
            If the answer is not valid or not complete.
        """
        return self._change("locked", link, entry)

    def correct(self, link: str, entry: Entry) -> Receipt:
        """Correct a locked answer as a new revision; earlier revisions stay in the journal.

        Parameters
        ----------
        link : str
            The reader's personal link.
        entry : Entry
            The change, with a complete answer.

        Returns
        -------
        Receipt
            The answer is on the disk.

        Raises
        ------
        ForbiddenError
            If the study does not allow going back, the session is over, or the aid of the case was shown after this answer.
        ConflictError
            If the answer is not locked, or was changed in another window.
        """
        return self._change("corrected", link, entry)

    def washout_end(self, reader: str, task: Task, stored: Sequence[Stored]) -> datetime | None:
        """Find the time from which a reader may see a case again.

        Parameters
        ----------
        reader : str
            Pseudonym.
        task : Task
            A task of the reader.
        stored : sequence of Stored
            The reader's answers.

        Returns
        -------
        datetime or None
            The last time that the reader saw the case in an earlier session, plus the washout; None if there is none, the case is
            for practice, or the coordinator has overridden the washout of the session with a reason.
        """
        if task.training or task.session == 1:
            return None
        earlier = {one.number for one in self._tasks[reader] if one.case == task.case and one.session < task.session}
        seen = [datetime.fromisoformat(one.last_at) for one in stored if one.task in earlier]
        overridden = any(
            event.body["reader"] == reader and event.body["session"] == task.session for event in self.journal.events(OVERRIDE)
        )
        if not seen or overridden:
            return None
        return max(seen) + timedelta(days=self.protocol.definition.washout_days)

    def _change(self, kind: Literal["saved", "locked", "corrected"], link: str, entry: Entry) -> Receipt:
        reader = self.reader(link)
        task = self._named(reader, entry.token, entry.step)
        body = self._body(task, entry, complete=kind != "saved")
        with self.journal.change() as change:
            event = change.earlier(entry.key, reader, kind, body)
            if event is None:
                self._may_change(change, kind, reader, task, entry.base)
                event = change.add(kind, reader, entry.key, body)
        return Receipt(event.number, event.sha256, self._feedback(task) if kind == "locked" else None)

    def _body(self, task: Task, entry: Entry, *, complete: bool) -> dict[str, Any]:
        questions, case = self.protocol.definition.questions, self.protocol.by_name[task.case]
        answer = answers.parsed(entry.answer, answers.Answer)
        screen = answers.parsed(entry.screen, answers.Screen)
        answers.check_draft(answer, questions, case)
        if complete and (open_ := answers.missing(answer, questions)):
            raise ReaderStudyError(f"the answer is not complete: {', '.join(open_)}")
        named = {"task": task.number, "session": task.session, "case": task.case, "arm": task.arm, "step": task.step}
        shown = {**msgspec.to_builtins(screen), **self._aid_shown(task)}
        signals = msgspec.to_builtins(timing.parsed(entry.signals))
        body = {**named, "base": entry.base, "answer": msgspec.to_builtins(answer), "screen": shown, "signals": signals}
        if entry.undo is None:
            return body
        return {**body, "undo": msgspec.to_builtins(undo_histories.parsed(entry.undo, questions, case))}

    def _aid_shown(self, task: Task) -> Mapping[str, Any]:
        aid = self.protocol.definition.arm(task.arm).aid
        if aid is None:
            return {}
        file = self.protocol.aid_of[task.arm, task.case]
        bundle, threshold = (file.bundle_sha256, file.threshold) if file.bundle_sha256 else (aid.bundle_sha256, aid.threshold)
        made = {"bundle_sha256": bundle, "threshold": threshold, "map_threshold": file.map_threshold}
        return {"aid_sha256": file.sha256, **made}

    def _may_change(self, change: Change, kind: str, reader: str, task: Task, base: int) -> None:
        stored = change.answer(reader, task.number)
        if kind == "corrected":
            self._may_correct(change, reader, task, stored)
        else:
            self._must_be_current(change, reader, task)
        if stored is None:
            raise ConflictError("the case was not opened; reload the page")
        if stored.event != base:
            raise ConflictError("the answer was changed in another window or by a repeated request; reload the page")

    def _may_correct(self, change: Change, reader: str, task: Task, stored: Stored | None) -> None:
        if not self.protocol.definition.going_back:
            raise ForbiddenError("this study does not allow going back to a locked answer")
        if stored is None or not stored.locked:
            raise ConflictError("only a locked answer can be corrected")
        later = [one for one in self._tasks[reader][task.number :] if change.answer(reader, one.number)]
        if any(one.session != task.session for one in later):
            raise ForbiddenError("the session of this answer is over")
        if any(one.place == task.place for one in later):
            raise ForbiddenError("the aid of this case was shown after this answer, which can no longer be corrected")

    def _must_be_current(self, change: Change, reader: str, task: Task) -> None:
        stored = change.answer(reader, task.number)
        before = change.answer(reader, task.number - 1) if task.number > 1 else None
        if (stored and stored.locked) or (task.number > 1 and not (before and before.locked)):
            raise ConflictError("the reader is at another case; reload the page")

    def _named(self, reader: str, case: str, step: int) -> Task:
        for task in self._tasks[reader]:
            if task.step == step and hmac.compare_digest(case_token(self._key, reader, task), case):
                return task
        raise ForbiddenError("this case does not belong to the reader")

    def _current(self, reader: str) -> Task:
        task = current(self._tasks[reader], self.journal.answers(reader))
        if task is None:
            raise ForbiddenError("all cases of the reader are locked")
        return task

    def _not_before_washout(self, reader: str, task: Task) -> None:
        end = self.washout_end(reader, task, self.journal.answers(reader))
        if end and end > self.journal.time():
            raise ForbiddenError(f"this case may be read again from {end:%Y-%m-%d %H:%M} UTC, after the washout")

    def _feedback(self, task: Task) -> Feedback | None:
        if not (task.training and task.last_step):
            return None
        case = self.protocol.by_name[task.case]
        return Feedback(case.diseased, tuple((one.top, one.left, one.bottom, one.right) for one in case.lesions))


def reader_link(key: bytes, reader: str) -> str:
    """Make the secret part of a reader's personal link.

    Parameters
    ----------
    key : bytes
        Secret of the study.
    reader : str
        Pseudonym.

    Returns
    -------
    str
        32 hexadecimal digits.
    """
    return token(key, "reader", reader)
