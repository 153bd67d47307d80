"""The worklist of each reader: a pure function of the frozen protocol.

Every order comes from SHA-256 of the seed and of what is ordered, so that any program in any language can repeat it.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pneumoscope.reader_study.definition import Definition, Reader
from pneumoscope.reader_study.protocol import Protocol, StudyCase
from pneumoscope.reader_study.squares import latin, williams

ORDER_BLOCKS = 4
"""Parts of a session whose order is balanced over readers, so that no case is always read late."""


@dataclass(frozen=True)
class Task:
    """One answer that one reader is to give.

    Parameters
    ----------
    number : int
        Place in the reader's worklist, from 1.
    session : int
        From 1; two sessions are separated by the washout.
    place : int
        Place of the case in its session, from 1; cases for practice come first.
    case : str
        Name of the case.
    arm : str
        Name of the arm.
    step : int
        0, or 1, 2, … for a further answer to the same case in a sequential study.
    last_step : bool
        Whether no further answer to the case follows in this session.
    training : bool
        Whether the case is for practice.
    """

    number: int
    session: int
    place: int
    case: str
    arm: str
    step: int
    last_step: bool
    training: bool


@dataclass(frozen=True)
class _Read:
    """A case in a session, with the arms in which it is read there."""

    case: str
    arms: tuple[str, ...]
    training: bool = False


def worklist(protocol: Protocol, reader: str) -> tuple[Task, ...]:
    """Make the worklist of one reader.

    Parameters
    ----------
    protocol : Protocol
        The frozen study.
    reader : str
        Pseudonym.

    Returns
    -------
    tuple of Task
        In the order in which the reader answers.
    """
    tasks: list[Task] = []
    for number, session in enumerate(_sessions(protocol, reader), start=1):
        for place, read in enumerate(session, start=1):
            for step, arm in enumerate(read.arms):
                last = step + 1 == len(read.arms)
                tasks.append(Task(len(tasks) + 1, number, place, read.case, arm, step, last, read.training))
    return tuple(tasks)


def worklists(protocol: Protocol) -> dict[str, tuple[Task, ...]]:
    """Make the worklists of all readers.

    Parameters
    ----------
    protocol : Protocol
        The frozen study.

    Returns
    -------
    dict of str to tuple of Task
        By reader.
    """
    return {reader.name: worklist(protocol, reader.name) for reader in protocol.definition.readers}


def _order(seed: int, *parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, (seed, *parts))).encode()).hexdigest()


def _shuffled(names: Iterable[str], seed: int, *parts: object) -> list[str]:
    return sorted(names, key=lambda name: _order(seed, *parts, name))


def blocks(cases: Sequence[StudyCase], n: int, seed: int, purpose: str) -> tuple[tuple[str, ...], ...]:
    """Divide cases at random into blocks with the same share of diseased cases.

    Parameters
    ----------
    cases : sequence of StudyCase
        The cases.
    n : int
        Number of blocks, at least 1.
    seed : int
        Of the study.
    purpose : str
        What the blocks are for: another purpose gives another division.

    Returns
    -------
    tuple of tuple of str
        Names; the sizes of two blocks, and their numbers of diseased cases, differ by at most 1.
    """
    parts: list[list[str]] = [[] for _ in range(n)]
    place = 0
    for diseased in (True, False):
        for name in _shuffled((case.name for case in cases if case.diseased is diseased), seed, purpose):
            parts[place % n].append(name)
            place += 1
    return tuple(map(tuple, parts))


def _own_cases(protocol: Protocol, reader: Reader) -> tuple[StudyCase, ...]:
    """The cases that a reader reads: in a split-plot study those of the reader's group."""
    definition = protocol.definition
    if definition.mode != "split-plot":
        return protocol.read_cases
    groups = sorted({one.group for one in definition.readers})
    own = set(blocks(protocol.read_cases, len(groups), definition.seed, "groups")[groups.index(reader.group)])
    return tuple(case for case in protocol.read_cases if case.name in own)


def _place_of(definition: Definition, reader: Reader) -> int:
    """Place of a reader among the readers of the same group, in an order that the seed decides."""
    group = [one.name for one in definition.readers if one.group == reader.group or definition.mode != "split-plot"]
    return _shuffled(group, definition.seed, "readers").index(reader.name)


def _sessions(protocol: Protocol, name: str) -> list[list[_Read]]:
    definition = protocol.definition
    reader = next(one for one in definition.readers if one.name == name)
    cases, place = _own_cases(protocol, reader), _place_of(definition, reader)
    found = []
    for number, arms_of in enumerate(_arms(definition, cases, place), start=1):
        order = _session_order(cases, definition.seed, name, place, number)
        reads = [_Read(case, arms_of[case]) for case in order]
        used = tuple(arm.name for arm in definition.arms if any(arm.name in read.arms for read in reads))
        found.append([*_practice(protocol, name, number, used), *reads])
    return found


def _arms(definition: Definition, cases: Sequence[StudyCase], place: int) -> list[dict[str, tuple[str, ...]]]:
    """For each session, the arms in which each case is read."""
    arms = tuple(arm.name for arm in definition.arms)
    everything = [case.name for case in cases]
    if definition.mode == "sequential":
        return [dict.fromkeys(everything, arms)]
    if definition.mode == "independent":
        return [dict.fromkeys(everything, (arm,)) for arm in arms]
    if definition.mode == "concurrent":
        square = latin(len(arms))
        parts = blocks(cases, len(arms), definition.seed, "arms")
        return [{case: (arms[square[(place + part) % len(square)][0]],) for part, names in enumerate(parts) for case in names}]
    square = williams(len(arms))
    parts = blocks(cases, len(square), definition.seed, "arms")
    rows = {case: square[(place + part) % len(square)] for part, names in enumerate(parts) for case in names}
    return [{case: (arms[row[session]],) for case, row in rows.items()} for session in range(len(arms))]


def _session_order(cases: Sequence[StudyCase], seed: int, reader: str, place: int, session: int) -> list[str]:
    """Blocks in the order of a Williams square, the cases of each block at random."""
    n = min(ORDER_BLOCKS, len(cases))
    square = williams(n)
    parts = blocks(cases, n, seed, "order")
    return [
        case
        for part in square[(place + session - 1) % len(square)]
        for case in _shuffled(parts[part], seed, "order", reader, session)
    ]


def _practice(protocol: Protocol, reader: str, session: int, arms: tuple[str, ...]) -> list[_Read]:
    """Cases for practice: with all arms in turn in a sequential study, else once in each arm of the session."""
    names = _shuffled(
        (case.name for case in protocol.cases if case.training), protocol.definition.seed, "practice", reader, session
    )
    if protocol.definition.mode == "sequential":
        return [_Read(name, arms, training=True) for name in names]
    return [_Read(name, (arm,), training=True) for arm in arms for name in names]
