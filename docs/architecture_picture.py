"""The picture of the architecture: the layers of the import contract in pyproject.toml, as SVG."""

import itertools
import math
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_WIDTH, _ROW, _GAP, _LEFT = 860, 46, 10, 130
_MOST_IN_A_ROW, _WITHIN_LAYER = 6, 3
_INK = "#374151"
WINGS = {
    "face": ("cli",),
    "compare": ("comparison", "experiment", "training", "export"),
    "measure": ("faithfulness", "localization", "reference", "evaluation", "cohort", "statistics"),
    "use": ("archive", "reader_study", "reports", "web"),
    "read": ("reader", "readings", "heatmap", "classifier", "lung_fields", "radiograph"),
}
_COLOURS = {
    "face": "#374151",
    "compare": "#b45309",
    "measure": "#047857",
    "use": "#7c3aed",
    "read": "#1d4ed8",
    "ground": "#64748b",
}


def layers() -> list[list[str]]:
    """Return the folders of each layer, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    stated = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [[name.strip() for name in layer.split("|")] for layer in stated]


def wing_of(folder: str) -> str:
    """Return the wing that a folder belongs to; what is in none is at the ground."""
    return next((wing for wing, folders in WINGS.items() if folder in folders), "ground")


def picture() -> str:
    """Draw each layer as a row of boxes, or as rows close together; imports point only down."""
    bottom, boxes = 10, []
    for folders in layers():
        for row in _rows(folders):
            boxes += _row(row, bottom)
            bottom += _ROW + _WITHIN_LAYER
        bottom += _GAP - _WITHIN_LAYER
    height = bottom + 60
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" ',
            '  font-family="sans-serif" font-size="14">',
            "<title>The folders of the package by layer; a folder imports only from layers below it</title>",
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            *boxes,
            *_arrow(bottom),
            *_legend(bottom),
            "</svg>\n",
        ]
    )


def _text(x: float, y: float, text: str, colour: str, more: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}" {more}>{escape(text)}</text>'


def _rows(folders: list[str]) -> list[list[str]]:
    """Divide the folders of a layer into as few rows as can be read, of about the same length."""
    n_rows = math.ceil(len(folders) / _MOST_IN_A_ROW)
    ends = [round(len(folders) * k / n_rows) for k in range(n_rows + 1)]
    return [folders[start:end] for start, end in itertools.pairwise(ends)]


def _row(folders: list[str], top: int) -> list[str]:
    width = (_WIDTH - _LEFT - 10 - _GAP * (len(folders) - 1)) / len(folders)
    parts = []
    for place, folder in enumerate(folders):
        left, colour = _LEFT + place * (width + _GAP), _COLOURS[wing_of(folder)]
        parts.append(f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{_ROW}" rx="6" fill="{colour}"/>')
        parts.append(_text(left + width / 2, top + _ROW / 2 + 5, folder, "#ffffff", 'text-anchor="middle"'))
    return parts


def _arrow(bottom: int) -> list[str]:
    turned = f'text-anchor="middle" transform="rotate(-90 44 {bottom / 2:.0f})"'
    return [
        f'<line x1="60" y1="20" x2="60" y2="{bottom - 20}" stroke="{_INK}" stroke-width="2"/>',
        f'<path d="M54 {bottom - 26} L60 {bottom - 12} L66 {bottom - 26} Z" fill="{_INK}"/>',
        _text(44, bottom / 2, "imports point down", _INK, turned),
    ]


def _legend(bottom: int) -> list[str]:
    parts = []
    for place, (wing, colour) in enumerate(_COLOURS.items()):
        left = _LEFT + place * 118
        parts.append(f'<rect x="{left}" y="{bottom + 14}" width="14" height="14" fill="{colour}"/>')
        parts.append(_text(left + 20, bottom + 26, wing, _INK))
    return parts
