"""Read files in groups: in this process, or in worker processes that have a model of their own.

A group goes through the graph together. Where a group fails as a whole, each of its files is read alone, so that what one file
does costs that file an error and no other file anything.
"""

import itertools
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from pneumoscope import PneumoscopeError
from pneumoscope.archive import decoding
from pneumoscope.archive.decoding import Decode, decoder, loaded_decoder, seen_px
from pneumoscope.archive.journal import Options
from pneumoscope.classifier import Population
from pneumoscope.limited_process import ClosedError, LimitedPool, NotStartedError, UnexpectedFailureError, is_out_of_memory
from pneumoscope.radiograph import AcceptancePolicy, Radiograph
from pneumoscope.reader import BundleError, Outcome, Reader
from pneumoscope.readings import ModelIdentity

Item = TypeVar("Item")
Done = TypeVar("Done")
Content = bytes | PneumoscopeError | OSError
"""The content of a file, or why it could not be read from where it lies."""
Read = Callable[[Sequence[Item]], list[Done]]
"""Reads a group of files; the results are in their order."""

LEAST_FOR_WORKERS = 200
"""Files below which a model in each worker process takes longer to load than it saves."""
FEW_A_WORKER = 16
"""Files for each worker below which they go through the graph one by one, so that all workers end at the same time."""
_MOST_BYTES = 2**25
"""Content and pixels of a group after which its files go through the graph. What a group may hold is missing to the decoder of
its next file, which needs nearly all that the limits allow for the largest radiograph."""


class UnexpectedError(PneumoscopeError):
    """A file met an error that no one foresaw; the message leaves out its text, which may quote the file's header."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"it could not be read because of an unexpected {kind}; please report this with the kind of the file")


class SentReader:
    """A reader that a process which unpickles it loads again, with one thread.

    Parameters
    ----------
    reader : Reader
        A reader that was loaded from a folder.
    """

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __reduce__(self) -> tuple[Callable[..., "SentReader"], tuple[object, ...]]:
        reader = self.reader
        if reader.folder is None or not reader.on_one_thread:
            raise pickle.PicklingError("only a reader that was loaded from a folder to run by one thread is loaded again")
        return _loaded_again, (reader.folder, reader.policy, reader.population, reader.model)


def _loaded_again(folder: Path, policy: AcceptancePolicy, population: Population | None, model: ModelIdentity) -> SentReader:
    reader = Reader.load(folder, threads=1, policy=policy, population=population)
    if reader.model != model:
        raise BundleError(f"the model in '{folder}' was replaced while it was in use; run the command again")
    return SentReader(reader)


def read_together(
    files: Iterable[tuple[Item, Content]],
    reader: Reader,
    decode: Decode,
    options: Options,
    finish: Callable[[Item, Content, Outcome], Done],
) -> list[Done]:
    """Read files, as many together as `_MOST_BYTES` allows.

    Parameters
    ----------
    files : iterable of (item, content)
        The files; each is asked for when those before it are decoded.
    reader : Reader
        The model.
    decode : callable
        Decodes the content of a file.
    options : Options
        What is asked of every file.
    finish : callable
        Makes the result of a file from the file, its content and its outcome, which has the error of a file that cannot be read.

    Returns
    -------
    list
        The result of each file.

    Raises
    ------
    NotStartedError
        The system allows no further process.
    """
    done: list[Done] = []
    asked = partial(reader.read_together, target=options.target, method=options.method, population=options.population)
    for group in _groups(files, decode):
        images = [image for _, _, image in group if isinstance(image, Radiograph)]
        answers = iter(asked(images) if images else ())
        done += [
            finish(item, content, next(answers) if isinstance(image, Radiograph) else Outcome(b"", error=image))
            for item, content, image in group
        ]
        del images, answers
        group.clear()  # nothing holds a radiograph while the next one is decoded
    return done


_Group = list[tuple[Item, Content, Radiograph | PneumoscopeError | OSError]]


def _groups(files: Iterable[tuple[Item, Content]], decode: Decode) -> Iterator[_Group[Item]]:
    group: _Group[Item] = []
    n_bytes = 0
    for item, content in files:
        group.append((item, content, _decoded(content, decode)))
        del content
        n_bytes += _n_bytes(*group[-1])
        if n_bytes >= _MOST_BYTES:
            yield group
            group, n_bytes = [], 0
    yield group


def _n_bytes(_: Item, content: Content, image: Radiograph | PneumoscopeError | OSError) -> int:
    of_image = (image.looked_up.levels if image.looked_up else image.pixels).nbytes if isinstance(image, Radiograph) else 0
    return of_image + (len(content) if isinstance(content, bytes) else 0)


def _decoded(content: Content, decode: Decode) -> Radiograph | PneumoscopeError | OSError:
    if not isinstance(content, bytes):
        return content
    try:
        return decode(content)
    except UnexpectedFailureError as error:
        return UnexpectedError(error.kind)
    except NotStartedError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise MemoryError from error
        return error if isinstance(error, PneumoscopeError) else UnexpectedError(type(error).__name__)


@dataclass(frozen=True, eq=False)
class Work(ABC, Generic[Item, Done]):
    """What is done to a group of files, in this process or in a worker.

    Parameters
    ----------
    sent : SentReader
        The model.
    options : Options
        What is asked of every file.
    decode : callable
        Decodes the content of a file.
    """

    sent: SentReader
    options: Options
    decode: Decode

    @abstractmethod
    def __call__(self, group: Sequence[Item]) -> list[Done]:
        """Read a group.

        Parameters
        ----------
        group : sequence
            The files.

        Returns
        -------
        list
            The result of each.
        """

    @abstractmethod
    def failed(self, item: Item, error: PneumoscopeError) -> Done:
        """Make the result of a file that cannot be read even alone.

        Parameters
        ----------
        item : object
            The file.
        error : PneumoscopeError
            Why.

        Returns
        -------
        object
            Its result.
        """

    @property
    def can_be_sent(self) -> bool:
        """Whether worker processes can do the work.

        The model was then loaded from a folder to run by one thread of the processor, not by another execution provider, and no
        other part of the work belongs to this process alone.
        """
        try:
            pickle.dumps(self)
        except (pickle.PicklingError, AttributeError, TypeError):  # pickle raises either for what it cannot name
            return False
        return True


@contextmanager
def reading(work: Work[Item, Done], workers: int, *, isolate: bool, many: bool) -> Iterator[Read[Item, Done]]:
    """Provide what reads groups of files; it is safe to use from several threads.

    Parameters
    ----------
    work : Work
        What is done to a group; where the files are isolated, its decoder is not used.
    workers : int
        Number of worker processes, >= 1.
    isolate : bool
        Decode in worker processes within `pneumoscope.archive.decoding.LIMITS`.
    many : bool
        Whether there are files enough for each worker to load a model of its own and do all of the work, where it can.

    Yields
    ------
    callable
        Reads a group; raises `NotStartedError`, `ClosedError` and the OSError of what it writes, which are no fault of a file.
    """
    seen = seen_px(work.sent.reader, work.options)
    in_worker = replace(work, decode=loaded_decoder(seen)) if isolate and many else None
    with ExitStack() as processes:
        if in_worker and in_worker.can_be_sent:
            read = processes.enter_context(_in_workers(in_worker, workers))
        elif isolate:
            read = replace(work, decode=processes.enter_context(decoder(True, workers, seen)))
        else:
            read = work
        yield _one_by_one(read, work.failed)


def _one_by_one(read: Read[Item, Done], failed: Callable[[Item, PneumoscopeError], Done]) -> Read[Item, Done]:
    """Read the files of a group alone where the group cannot be read as a whole."""

    def read_group(group: Sequence[Item]) -> list[Done]:
        try:
            return read(group)
        except (NotStartedError, ClosedError, OSError):
            raise
        except Exception as error:
            if len(group) > 1:
                return list(itertools.chain.from_iterable(read_group([item]) for item in group))
            return [failed(group[0], _error_of(error))]

    return read_group


def _error_of(error: Exception) -> PneumoscopeError:
    if isinstance(error, UnexpectedFailureError):
        return UnexpectedError(error.kind)
    return error if isinstance(error, PneumoscopeError) else UnexpectedError(type(error).__name__)


@contextmanager
def _in_workers(work: Work[Item, Done], workers: int) -> Iterator[Read[Item, Done]]:
    with LimitedPool(_Caught(work), "decoding", decoding.LIMITS, workers=workers) as pool:

        def read_group(group: Sequence[Item]) -> list[Done]:
            done = pool(group)
            if isinstance(done, OSError):
                raise done
            return done

        yield read_group


class _Caught(Generic[Item, Done]):
    """Return the OSError of what is written, which a worker's answer would otherwise name by its kind only."""

    def __init__(self, read: Read[Item, Done]) -> None:
        self._read = read

    def __call__(self, group: Sequence[Item]) -> list[Done] | OSError:
        try:
            return self._read(group)
        except OSError as error:
            return error
