"""Short names of data sets, as cases and recipes have them."""

import re
from pathlib import Path

from pneumoscope.cohort.errors import CohortError

_NAME = re.compile(r"\w[\w.-]*")
_OTHER_CHARACTERS = re.compile(r"[^\w.-]+")


def source_name(text: str) -> str:
    """Check the name of a data set.

    Parameters
    ----------
    text
        The name.

    Returns
    -------
    str
        The same text.

    Raises
    ------
    CohortError
        If it is not made of letters, digits, ``_``, ``.`` and ``-``, with a letter or digit first.
    """
    if not _NAME.fullmatch(text):
        raise CohortError(
            f"the name of the source '{text}' should have letters, digits, '_', '.' and '-' only; give another --source"
        )
    return text


def name_of(folder: Path) -> str:
    """Name a data set after its folder.

    Parameters
    ----------
    folder
        The folder.

    Returns
    -------
    str
        The folder's name with ``-`` for all characters that a name may not have.

    Raises
    ------
    CohortError
        If nothing is left of it.

    Examples
    --------
    >>> name_of(Path("/data/chest x-rays (2019)"))
    'chest-x-rays-2019'
    """
    name = _OTHER_CHARACTERS.sub("-", folder.resolve().name).strip("-._")
    if not name:
        raise CohortError("the folder has no name that could name the data set; give --source NAME")
    return name
