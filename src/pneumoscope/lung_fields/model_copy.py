"""Load and store the lung-field model of a classifier: the shipped one, or a copy in the classifier's folder."""

import shutil
from pathlib import Path

from pneumoscope.lung_fields import card as cards
from pneumoscope.lung_fields.errors import LungFieldsError
from pneumoscope.lung_fields.finder import GRAPH_NAME, SHIPPED, LungFinder

FOLDER = "lungs"


def load(folder: Path, sha256: str, *, threads: int = 0) -> LungFinder:
    """Load the lung-field model of a classifier: the copy in the classifier's folder, or the shipped model if there is none.

    Parameters
    ----------
    folder : Path
        Folder of the classifier.
    sha256 : str
        SHA-256 of the lung-field graph that the classifier's card names. If empty, the classifier does not crop to the lungs
        and any lung-field model is accepted; it gives findings their laterality and zone.
    threads : int
        Number of threads within one inference, >= 0; 0 for the number of available cores, at most 8.

    Returns
    -------
    LungFinder
        The lung-field model.

    Raises
    ------
    LungFieldsError
        If the lung-field model is damaged or differs from the one that the card names.
    """
    own = folder / FOLDER
    finder = LungFinder.load(own if own.is_dir() else SHIPPED, threads=threads)
    if sha256 and finder.sha256 != sha256:
        raise LungFieldsError(
            f"the model in '{folder}' needs the lung-field model {sha256[:12]}, but {finder.sha256[:12]} is "
            f"{'in its folder' if own.is_dir() else 'shipped with this version'}; copy the model with its subfolder {FOLDER}"
        )
    return finder


def keep(finder: LungFinder | None, sha256: str, folder: Path) -> None:
    """Copy the lung-field model into a classifier's folder, unless it is the shipped model or the card names none.

    Parameters
    ----------
    finder : LungFinder or None
        The lung-field model; nothing is copied if None.
    sha256 : str
        SHA-256 of the lung-field graph that the classifier's card names; nothing is copied if empty.
    folder : Path
        Folder of the classifier; the copy goes into its subfolder `FOLDER`.
    """
    if not sha256 or finder is None or _is_shipped(sha256):
        return
    for name in (GRAPH_NAME, cards.CARD_NAME):
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(finder.folder / name, folder / FOLDER / name)


def _is_shipped(sha256: str) -> bool:
    return cards.read(SHIPPED).files[GRAPH_NAME] == sha256
