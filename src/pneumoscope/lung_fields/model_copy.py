"""Which lung-field model belongs to a model: the shipped one, or a copy in the model's own folder."""

import shutil
from pathlib import Path

from pneumoscope.lung_fields import card as cards
from pneumoscope.lung_fields.errors import LungFieldsError
from pneumoscope.lung_fields.finder import GRAPH_NAME, SHIPPED, LungFinder

FOLDER = "lungs"


def load(folder: Path, sha256: str, *, threads: int = 0) -> LungFinder:
    """The lung-field model of the classifier in `folder`, whose card names it by `sha256`.

    The copy in the folder, else the shipped model; LungFieldsError where that is another one. A classifier that names none
    gets the shipped model: findings have a side and a zone all the same.
    """
    own = folder / FOLDER
    finder = LungFinder.load(own if own.is_dir() else SHIPPED, threads=threads)
    if sha256 and finder.sha256 != sha256:
        raise LungFieldsError(
            f"'{folder}' looks through the lung-field model {sha256[:12]}, but {finder.sha256[:12]} is "
            f"{'in it' if own.is_dir() else 'shipped with this version'}; copy the model again with its folder {FOLDER}"
        )
    return finder


def keep(finder: LungFinder | None, sha256: str, folder: Path) -> None:
    """Copy the lung-field model beside a classifier's weights, unless it is the shipped one or none is named."""
    if not sha256 or finder is None or _is_shipped(sha256):
        return
    for name in (GRAPH_NAME, cards.CARD_NAME):
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(finder.folder / name, folder / FOLDER / name)


def _is_shipped(sha256: str) -> bool:
    return cards.read(SHIPPED).files[GRAPH_NAME] == sha256
