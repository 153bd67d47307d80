"""Define the key of a case: which image a reading is of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CaseKey:
    """The image that a reading is of.

    Parameters
    ----------
    path : str
        Name of the image: its path relative to the folder that was read, with forward slashes, or the name under which a study
        shows it.
    file_sha256 : str
        SHA-256 of the file's bytes, hexadecimal; empty where the image did not come from a file. A replaced file of the same
        name has another one.
    """

    path: str
    file_sha256: str = ""
