"""Read files in groups, which go through the graph together.

What one file does costs that file an error, and no other file anything: where the radiographs of a group cannot be read together,
each is read alone.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TypeVar

from pneumoscope import PneumoscopeError
from pneumoscope.archive.decoding import Decoded, DecodeEach
from pneumoscope.archive.errors import error_of_file
from pneumoscope.archive.journal import Options
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


def read_together(
    files: Iterable[tuple[Item, Content]],
    reader: Reader,
    decode: DecodeEach,
    options: Options,
    finish: Callable[[Item, Content, Outcome], Done],
) -> list[Done]:
    """Read files, as many together as `_MOST_BYTES` allows.

    Parameters
    ----------
    files : iterable of (item, content)
        The files; each is asked for shortly before it is decoded.
    reader : Reader
        The model.
    decode : callable
        Decodes the contents of files.
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


_File = tuple[Item, Content, Decoded | OSError]
_Asked = Callable[[Sequence[Radiograph]], Sequence[Outcome]]


def _groups(files: Iterable[tuple[Item, Content]], decode: DecodeEach) -> Iterator[list[_File[Item]]]:
    group: list[_File[Item]] = []
    n_bytes = 0
    for file in _decoded(files, decode):
        group.append(file)
        n_bytes += _n_bytes(*file)
        del file
        if n_bytes >= _MOST_BYTES:
            yield group
            group, n_bytes = [], 0
    yield group


def _n_bytes(_: Item, content: Content, image: Decoded | OSError) -> int:
    of_image = (image.looked_up.levels if image.looked_up else image.pixels).nbytes if isinstance(image, Radiograph) else 0
    return of_image + (len(content) if isinstance(content, bytes) else 0)


def _decoded(files: Iterable[tuple[Item, Content]], decode: DecodeEach) -> Iterator[_File[Item]]:
    """Files with their radiographs; between two of them nothing here holds the first while the second is decoded."""
    taken: deque[tuple[Item, Content]] = deque()

    def contents() -> Iterator[bytes]:
        for item, content in files:
            taken.append((item, content))
            if isinstance(content, bytes):
                yield content
            del item, content

    def with_those_before(image: Decoded) -> list[_File[Item]]:
        return [*_without_content(taken), (*taken.popleft(), image)]

    yield from chain.from_iterable(map(with_those_before, decode(contents())))
    yield from _without_content(taken)


def _without_content(taken: deque[tuple[Item, Content]]) -> Iterator[_File[Item]]:
    """Take files from the left that could not be read from where they lie."""
    while taken and not isinstance(error := taken[0][1], bytes):
        yield (*taken.popleft(), error)


def _read_group(group: list[_File[Item]], asked: _Asked, finish: Callable[[Item, Content, Outcome], Done]) -> list[Done]:
    answers = iter(_answers([image for _, _, image in group if isinstance(image, Radiograph)], asked))
    outcomes = (next(answers) if isinstance(image, Radiograph) else Outcome(b"", error=image) for _, _, image in group)
    return [_finished(item, content, outcome, finish) for (item, content, _), outcome in zip(group, outcomes, strict=True)]


def _answers(images: Sequence[Radiograph], asked: _Asked) -> Sequence[Outcome]:
    try:
        return asked(images) if images else []
    except Exception as error:
        if len(images) == 1:
            return [Outcome(b"", error=error_of_file(error))]
        return [answer for image in images for answer in _answers([image], asked)]


def _finished(item: Item, content: Content, outcome: Outcome, finish: Callable[[Item, Content, Outcome], Done]) -> Done:
    try:
        return finish(item, content, outcome)
    except OSError:
        raise
    except Exception as error:
        return finish(item, content, Outcome(b"", error=error_of_file(error)))
