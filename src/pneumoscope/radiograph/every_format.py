"""Read a radiograph with the decoders of every format loaded beforehand.

For worker processes: what a module takes to load does not count against the limits of the file that needs it first.
"""

from pathlib import Path

from pneumoscope.radiograph import dicom as dicom
from pneumoscope.radiograph import files
from pneumoscope.radiograph.film import Film
from pneumoscope.radiograph.radiograph import Radiograph


def read(source: Path | str | bytes, seen_px: int = 0) -> Radiograph:
    """Read a radiograph.

    Parameters
    ----------
    source : Path, str or bytes
        A path, or the content of a file.
    seen_px : int
        As for `pneumoscope.radiograph.read`.

    Returns
    -------
    Radiograph
        As from `pneumoscope.radiograph.read`, whose errors are raised.
    """
    return files.read(source, seen_px)


def read_film(source: Path | str | bytes) -> Film:
    """Read a radiograph with the tables of its grey levels.

    Parameters
    ----------
    source : Path, str or bytes
        A path, or the content of a file.

    Returns
    -------
    Film
        As from `pneumoscope.radiograph.read_film`, whose errors are raised.
    """
    return files.read_film(source)
