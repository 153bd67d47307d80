"""Read files in groups, which go through the graph together.

What one file does costs that file an error, and no other file anything: where the radiographs of a group cannot be read together,
each is read alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from pneumoscope import PneumoscopeError
from pneumoscope.archive.decoding import Decode
from pneumoscope.archive.journal import Options
from pneumoscope.limited_process import ClosedError, NotStartedError, UnexpectedFailureError
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Outcome, Reader

Item = TypeVar("Item")

Done = TypeVar("Done")
Content = bytes | PneumoscopeError | OSError
"""The content of a file, or why it could not be read from where it lies."""

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
        Makes the result of a file from the file, its content and its outcome, which has the error of a file that cannot be read;
        called once more, with that error, where it raises one that is no OSError.

    Returns
    -------
    list
        The result of each file.

    Raises
    ------
    NotStartedError, ClosedError
        The system allows no further process, or the run was stopped.
    OSError
        The results cannot be written.
    """
    done: list[Done] = []
    asked = partial(reader.read_together, target=options.target, method=options.method, population=options.population)
    for group in _groups(files, decode):
        done += _read_group(group, asked, finish)
        group.clear()  # nothing holds a radiograph while the next one is decoded
    return done


_Group = list[tuple[Item, Content, Radiograph | PneumoscopeError | OSError]]
_Asked = Callable[[Sequence[Radiograph]], Sequence[Outcome]]


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
    except (NotStartedError, ClosedError):
        raise
    except PneumoscopeError as error:
        return error
    except Exception as error:
        return UnexpectedError(type(error).__name__)


def _read_group(group: _Group[Item], asked: _Asked, finish: Callable[[Item, Content, Outcome], Done]) -> list[Done]:
    answers = iter(_answers([image for _, _, image in group if isinstance(image, Radiograph)], asked))
    outcomes = (next(answers) if isinstance(image, Radiograph) else Outcome(b"", error=image) for _, _, image in group)
    return [_finished(item, content, outcome, finish) for (item, content, _), outcome in zip(group, outcomes, strict=True)]


def _answers(images: Sequence[Radiograph], asked: _Asked) -> Sequence[Outcome]:
    try:
        return asked(images) if images else []
    except Exception as error:
        if len(images) == 1:
            return [Outcome(b"", error=_of_file(error))]
        return [answer for image in images for answer in _answers([image], asked)]


def _finished(item: Item, content: Content, outcome: Outcome, finish: Callable[[Item, Content, Outcome], Done]) -> Done:
    try:
        return finish(item, content, outcome)
    except OSError:
        raise
    except Exception as error:
        return finish(item, content, Outcome(b"", error=_of_file(error)))


def _of_file(error: Exception) -> PneumoscopeError:
    return error if isinstance(error, PneumoscopeError) else UnexpectedError(type(error).__name__)
