"""Read files in groups, which go through the graph together.

Where a group fails as a whole, each of its files is read alone, so that what one file does costs that file an error and no other
file anything.
"""

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from pneumoscope import PneumoscopeError
from pneumoscope.archive.decoding import Decode, decoder, seen_px
from pneumoscope.archive.journal import Options
from pneumoscope.limited_process import ClosedError, NotStartedError, UnexpectedFailureError
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Outcome, Reader

Item = TypeVar("Item")
Done = TypeVar("Done")
Content = bytes | PneumoscopeError | OSError
"""The content of a file, or why it could not be read from where it lies."""
Read = Callable[[Sequence[Item]], list[Done]]
"""Reads a group of files; the results are in their order."""

FEW_A_WORKER = 16
"""Files for each worker below which they go through the graph one by one, so that all workers end at the same time."""
_MOST_BYTES = 2**25
"""Content and pixels of a group after which its files go through the graph: large radiographs gain nothing by it."""


class UnexpectedError(PneumoscopeError):
    """A file met an error that no one foresaw; the message leaves out its text, which may quote the file's header."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"it could not be read because of an unexpected {kind}; please report this with the kind of the file")


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
    except PneumoscopeError as error:
        return error
    except Exception as error:
        return UnexpectedError(type(error).__name__)


@dataclass(frozen=True, eq=False)
class Work(ABC, Generic[Item, Done]):
    """What is done to a group of files.

    Parameters
    ----------
    reader : Reader
        The model.
    options : Options
        What is asked of every file.
    decode : callable
        Decodes the content of a file.
    """

    reader: Reader
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


@contextmanager
def reading(work: Work[Item, Done], workers: int, *, isolate: bool) -> Iterator[Read[Item, Done]]:
    """Provide what reads groups of files; it is safe to use from several threads.

    Parameters
    ----------
    work : Work
        What is done to a group; where the files are isolated, its decoder is not used.
    workers : int
        Number of worker processes, >= 1.
    isolate : bool
        Decode in worker processes within `pneumoscope.archive.decoding.LIMITS`.

    Yields
    ------
    callable
        As from `one_by_one`.
    """
    with ExitStack() as processes:
        if isolate:
            decode = processes.enter_context(decoder(True, workers, seen_px(work.reader, work.options)))
            work = replace(work, decode=decode)
        yield one_by_one(work)


def one_by_one(work: Work[Item, Done]) -> Read[Item, Done]:
    """Read the files of a group alone where the group cannot be read as a whole.

    Parameters
    ----------
    work : Work
        What is done to a group.

    Returns
    -------
    callable
        Reads a group; raises `NotStartedError`, `ClosedError` and the OSError of what it writes, which are no fault of a file.
    """

    def read_group(group: Sequence[Item]) -> list[Done]:
        try:
            return work(group)
        except (NotStartedError, ClosedError, OSError):
            raise
        except Exception as error:
            if len(group) > 1:
                return list(itertools.chain.from_iterable(read_group([item]) for item in group))
            return [
                work.failed(group[0], error if isinstance(error, PneumoscopeError) else UnexpectedError(type(error).__name__))
            ]

    return read_group
