"""Contact sheets: every radiograph of a study with its borders enlarged, for a person who looks for burned-in names."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from pneumoscope import atomic_files, radiograph
from pneumoscope.reader_study.pixel_check import code_of
from pneumoscope.reader_study.protocol import Protocol, StudyCase

CASES_A_SHEET = 6
BORDER = 0.12
"""Share of height and width that is shown enlarged at each border; burned-in text is nearly always there."""
_FILM, _STRIP, _GAP, _TEXT = 480, (960, 111), 12, 22
_WIDTH = _FILM + _STRIP[0] + 3 * _GAP
_TILE = _FILM + _TEXT + 2 * _GAP


def write_contact_sheets(protocol: Protocol, out: Path) -> tuple[Path, ...]:
    """Write the contact sheets of a study.

    Parameters
    ----------
    protocol : Protocol
        The study.
    out : Path
        Folder for ``sheet-001.png``, …; created if needed.

    Returns
    -------
    tuple of Path
        The sheets. The last one ends with the code to confirm them.
    """
    pages = [protocol.cases[start : start + CASES_A_SHEET] for start in range(0, len(protocol.cases), CASES_A_SHEET)]
    sheets = []
    for number, cases in enumerate(pages, start=1):
        last = _confirmation(protocol) if number == len(pages) else ""
        title = f"Contact sheet {number} of {len(pages)}: names the cases, not for readers. Look for names, dates and numbers."
        sheets.append(out / f"sheet-{number:03}.png")
        with atomic_files.binary(sheets[-1]) as stream:
            _sheet(protocol, cases, title, last).save(stream, "PNG")
    return tuple(sheets)


def _confirmation(protocol: Protocol) -> str:
    line = f'pixel_check = {{ by = "YOUR INITIALS", code = "{code_of(protocol)}" }}'
    return f"{len(protocol.cases)} radiographs. If none shows a name or a date, write below [cases] in study.toml:  {line}"


def _sheet(protocol: Protocol, cases: Sequence[StudyCase], title: str, last: str) -> Image.Image:
    page = Image.new("L", (_WIDTH, _TEXT + 2 * _GAP + _TILE * len(cases) + (_TEXT + 2 * _GAP if last else 0)), 40)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_TEXT - 4)
    draw.text((_GAP, _GAP), title, 255, font)
    top = _TEXT + 2 * _GAP
    for case in cases:
        draw.text((_GAP, top), f"{case.name}   ({case.rows} x {case.cols})", 255, font)
        _paste_case(page, _greys(protocol, case), top + _TEXT)
        top += _TILE
    draw.text((_GAP, top), last, 255, font)
    return page


def _greys(protocol: Protocol, case: StudyCase) -> NDArray[np.uint8]:
    """The radiograph as readers see it first."""
    film = radiograph.read(protocol.file(case))
    return film.orientation.to_display(np.round(np.clip(film.pixels, 0, 1) * 255).astype(np.uint8))


def _paste_case(page: Image.Image, greys: NDArray[np.uint8], top: int) -> None:
    page.paste(ImageOps.contain(Image.fromarray(greys), (_FILM, _FILM)), (_GAP, top))
    for number, strip in enumerate(borders(greys)):
        place = (_FILM + 2 * _GAP, top + number * (_STRIP[1] + _GAP))
        page.paste(ImageOps.contain(Image.fromarray(strip), _STRIP), place)


def borders(greys: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Cut out the borders of a radiograph.

    Parameters
    ----------
    greys : ndarray of uint8, shape (rows, cols)
        The radiograph.

    Yields
    ------
    ndarray of uint8
        The upper, the lower, the left and the right border; the last two are turned so that they lie on their side.
    """
    rows, cols = (max(1, round(BORDER * size)) for size in greys.shape)
    yield greys[:rows]
    yield greys[-rows:]
    yield np.rot90(greys[:, :cols])
    yield np.rot90(greys[:, -cols:])
