"""Read any number of files into an output folder, in flat memory, resumably."""

import errno
import hashlib
import importlib
import itertools
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from pneumoscope import PneumoscopeError
from pneumoscope.archive import journal, outputs
from pneumoscope.archive.decoding import Decode, DecodeEach, decoder, one_by_one, seen_px
from pneumoscope.archive.errors import ArchiveError
from pneumoscope.archive.items import Item, Items
from pneumoscope.archive.journal import Options, Run
from pneumoscope.archive.outputs import FurtherFiles, Sums
from pneumoscope.archive.reading import FEW_A_WORKER, Content, read_together
from pneumoscope.classifier.severity_scale import HIGHEST_SCORE
from pneumoscope.ordered_map import chunks, ordered_map
from pneumoscope.radiograph import Caution, Radiograph
from pneumoscope.radiograph.files import content_of
from pneumoscope.reader import Outcome, Reader
from pneumoscope.reader.composition import check_asked
from pneumoscope.readings import CaseKey, ModelReading, form
from pneumoscope.readings.line import Line
from pneumoscope.readings.severity import SEVERITY_NAME

_OF_ONE_NAME = (errno.ENAMETOOLONG, errno.EILSEQ)
"""Errors of the system that concern the name of one file, not the output folder."""
_MOST_LISTED = 20
"""Files of one kind that a summary lists; the lines hold all."""


@dataclass(frozen=True)
class Summary:
    """What became of the files of a manifest.

    Parameters
    ----------
    read, positive, unsure, outside, cautioned : int
        Files that were read; of these, positive ones, ones for which the model abstains, ones outside of its domain, and ones
        with a caution.
    failed : int
        Files that were not read.
    populations : mapping of str to int
        Number of files by the population that they were read as and how it was known, in words; empty for a model that has the
        same settings for all patients.
    no_side, otherwise_cautioned : int
        Files with the caution that no side is stated, which every PNG and JPEG has, and files with another caution.
    failed_listed, outside_listed, cautioned_listed : tuple of str
        Name and reason of the first 20 files that were not read, outside of the domain, and with another caution.
    severity : str
        The severity scores in a few words; empty if no file has one.
    others : int
        Lines of files that are not in the manifest: they were read into the same folder before.
    """

    read: int
    positive: int
    unsure: int
    outside: int
    cautioned: int
    failed: int
    populations: Mapping[str, int]
    no_side: int
    otherwise_cautioned: int
    failed_listed: tuple[str, ...]
    outside_listed: tuple[str, ...]
    cautioned_listed: tuple[str, ...]
    severity: str = ""
    others: int = 0


def read_files(
    reader: Reader,
    items: Sequence[Item],
    out: Path,
    options: Options | None = None,
    *,
    batch: int | None = None,
    isolate: bool | None = None,
    decode: Decode | None = None,
    further: FurtherFiles | None = None,
    show_progress: bool = False,
    on_resume: Callable[[int], None] = lambda done: None,
) -> Summary:
    """Read the files of a manifest into an output folder.

    ``OUT/readings.jsonl`` gets one line a file, in the order of the manifest. A file that cannot be read gets a line with its
    error and the rest go on. After an interruption or a kill the same call goes on where it stopped; files that were replaced
    since, or that had an error, are read again.

    Parameters
    ----------
    reader : Reader
        The model.
    items : sequence of Item
        The manifest (`pneumoscope.archive.manifest.find`).
    out : Path
        The output folder.
    options : Options, optional
        What is asked of every file.
    batch : int, optional
        Radiographs that go through the graph together, >= 1; by default `Reader.batch`, or 1 for few files, which are divided
        among more threads. On the processor the lines do not depend on it.
    isolate : bool, optional
        Decode in worker processes with limits (`pneumoscope.archive.decoding.decoder`), so that no file can stop the run; by
        default where there is more than one file. The lines of files that can be read do not depend on it.
    decode : callable, optional
        Decodes the files in place of what `isolate` says; safe to use from several threads.
    further : FurtherFiles, optional
        Files of another kind that belong to each line; they lie in ``OUT/objects/<path>/``.
    show_progress : bool
        Show a progress bar on a terminal.
    on_resume : callable, optional
        Called with the number of files that were read before, if there are any.

    Returns
    -------
    Summary
        Counts, and what was not read.

    Raises
    ------
    FolderInUseError
        Another process is writing to the folder.
    ArchiveError
        The folder holds readings of another model, or further files are asked of radiographs that are decoded at a reduced scale.
    CardError
        The model does not have this target or method, or no settings for the stated population.
    OSError
        The folder cannot be written: the disk is full, or permission is denied.
    """
    options = options or Options()
    card = reader.card
    check_asked(card, options.target, options.method, options.population)
    named = replace(options, target=options.target or card.target, method=options.method or card.map_method)
    named = replace(named, further=further.setting if further else "")
    if further and named.decode == "reduced":
        raise ArchiveError("files of another kind are made from every pixel of a radiograph; decode in full")
    run = Run(reader.model, named, reader.policy)
    items = items if isinstance(items, Items) else Items(items)
    apart = decode is None and (len(items) > 1 if isolate is None else isolate)
    with journal.open_journal(out, run, items) as opened, ExitStack() as processes:
        n_pending, pending = opened.pending(items)
        if n_pending < len(items):
            on_resume(len(items) - n_pending)
        decoding = decoder(apart, reader.workers, seen_px(reader, named))
        each = one_by_one(decode) if decode else processes.enter_context(decoding)
        # Each is painted where it is read, so that a line waits for no file but those before it.
        read = _Lines(reader, named, each, out, further)
        together = batch or (reader.batch if n_pending >= FEW_A_WORKER * reader.workers else 1)
        answers = ordered_map(read, chunks(pending, together), reader.workers, abandon=processes.close)
        lines = itertools.chain.from_iterable(answers)
        for line, written in _with_progress(lines, n_pending) if show_progress and n_pending > 1 else lines:
            opened.append(line, written)
        opened.settle(items)
    return summary(out, items)


def _with_progress(lines: Iterable[tuple[Line, Sums]], n_lines: int) -> Iterable[tuple[Line, Sums]]:
    """Show a progress bar on a terminal. tqdm takes long to import, and one file needs no bar."""
    bar: Iterable[tuple[Line, Sums]] = importlib.import_module("tqdm").tqdm(lines, total=n_lines, unit="file", disable=None)
    return bar


def summary(out: Path, items: Items) -> Summary:
    """Count what the lines of an output folder say about the files of a manifest.

    Parameters
    ----------
    out : Path
        The output folder.
    items : Items
        The manifest.

    Returns
    -------
    Summary
        Counts, and what was not read.
    """
    read = positive = unsure = n_cautioned = no_side = n_others = 0
    failed, outside, cautioned = _Listed(), _Listed(), _Listed()
    populations: Counter[str] = Counter()
    severities, scores = _Listed(), array("d")
    for line in journal.lines_of(out):
        if items.find(line.path) is None:
            n_others += 1
            continue
        if line.error:
            failed.add(f"{line.path}: {line.error.message}")
            continue
        read += 1
        positive += line.decision == "positive"
        unsure += bool(line.abstains)
        if line.population:
            populations[str(line.population.choice)] += 1
        if line.severity and line.severity.score is not None:
            severities.add(str(line.severity))
            scores.append(line.severity.score)
        if line.outside_domain:
            outside.add(f"{line.path}: {line.outside_domain}")
        no_side += Caution.SIDE in line.cautions
        n_cautioned += bool(line.cautions)
        others = [caution for caution in line.cautions if caution != Caution.SIDE]
        if others:
            cautioned.add(f"{line.path}: {', '.join(others)}")
    return Summary(
        read,
        positive,
        unsure,
        outside=outside.count,
        cautioned=n_cautioned,
        failed=failed.count,
        populations=dict(populations.most_common()),
        no_side=no_side,
        otherwise_cautioned=cautioned.count,
        failed_listed=tuple(failed.first),
        outside_listed=tuple(outside.first),
        cautioned_listed=tuple(cautioned.first),
        severity=_severity_text(scores, severities.first, read),
        others=n_others,
    )


class _Listed:
    """The first of some texts, and their number."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, text: str) -> None:
        self.count += 1
        if self.count <= _MOST_LISTED:
            self.first.append(text)


def _severity_text(scores: Sequence[float], texts: Sequence[str], n_read: int) -> str:
    """The severity of one file, or the range of several, and of how many it is undefined."""
    if not scores:
        return ""
    if n_read == 1:
        return f"{texts[0]}: {SEVERITY_NAME}"
    undefined = f", undefined in {n_read - len(scores)}" if n_read > len(scores) else ""
    return (
        f"severity {min(scores):.1f} to {max(scores):.1f} of {HIGHEST_SCORE}, median {float(np.median(scores)):.1f}, "
        f"in {len(scores)} radiographs{undefined}: {SEVERITY_NAME}"
    )


@dataclass(frozen=True, eq=False)
class _Lines:
    """Read a few files together, write what belongs to their lines, and give the lines with what was written."""

    reader: Reader
    options: Options
    decode: DecodeEach
    out: Path
    further: FurtherFiles | None

    def __call__(self, group: Sequence[Item]) -> list[tuple[Line, Sums]]:
        files = ((item, _content(item.file)) for item in group)
        return read_together(files, self.reader, self.decode, self.options, self._line)

    def _line(self, item: Item, content: Content, outcome: Outcome) -> tuple[Line, Sums]:
        return _line(self.reader, item, content, outcome, self.out, self.options, self.further)


def _content(file: Path) -> Content:
    try:
        return content_of(file)
    except (PneumoscopeError, OSError) as error:
        return error


def _line(
    reader: Reader, item: Item, content: Content, outcome: Outcome, out: Path, options: Options, further: FurtherFiles | None
) -> tuple[Line, Sums]:
    sha256 = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else ""
    case, error = CaseKey(item.name, sha256), outcome.error
    if isinstance(content, bytes) and outcome.radiograph is not None and outcome.reading is not None:
        try:
            written = _write(content, outcome.radiograph, outcome.reading, out, item.name, options, further)
            return form.line_of(case, outcome.reading), written
        except PneumoscopeError as failure:
            error = failure
        except OSError as failure:
            if failure.errno not in _OF_ONE_NAME:
                raise
            message = f"nothing can be written under its name ({(failure.strerror or '').lower()}); rename it"
            return form.error_line(case, reader.card.target, reader.model, type(failure).__name__, message), Sums()
    outputs.remove(out, item.name)
    outputs.remove_further(out, item.name)
    message = str(error) if isinstance(error, PneumoscopeError) else (error and error.strerror) or "could not be opened"
    return form.error_line(case, reader.card.target, reader.model, type(error).__name__, message), Sums()


def _write(
    content: bytes,
    radiograph: Radiograph,
    reading: ModelReading,
    out: Path,
    name: str,
    options: Options,
    further: FurtherFiles | None,
) -> Sums:
    """Write what belongs to a line; what an earlier run left and is not wanted is removed."""
    objects = ""
    if further:
        objects = outputs.write_further(further.make(content, radiograph, reading, datetime.now().astimezone()), out, name)
    else:
        outputs.remove_further(out, name)
    painted = outputs.write(radiograph, reading, out, name, options.overlays, options.maps, options.overlay_format)
    return replace(painted, further=objects)
