"""Define `OpacityMasks`: pictures whose grey values say how opaque the lung is, and the opaqueness of its zones."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscope.lung_fields import LungFields
from pneumoscope.lung_fields.lung_fields import ZONES
from pneumoscope.reference.errors import RegionsError
from pneumoscope.reference.mask_files import from_masks, grey
from pneumoscope.reference.rasterization import resampled

CONSOLIDATED = 255
"""Grey value of consolidated lung; ground glass is 128, lung without opacity 0."""
_LEAST_CONSOLIDATED = 64
"""Masks whose highest grey value is below this hold numbers of classes, not opaqueness."""


@dataclass(frozen=True, eq=False)
class OpacityMasks:
    """The opacity masks of the cases of a cohort, decoded when they are asked for.

    Parameters
    ----------
    folder : Path
        The folder of the masks.
    files : mapping of str to tuple of Path
        The masks of each case that has one, by path of the case; one for each reader.
    values : tuple of int
        The grey values that occur in them, increasing.
    """

    folder: Path
    files: Mapping[str, tuple[Path, ...]]
    values: tuple[int, ...]

    def zone_opaqueness(self, path: str, lung_fields: LungFields) -> NDArray[np.float64] | None:
        """Compute the mean opaqueness of each lung zone.

        Parameters
        ----------
        path : str
            Path of the case.
        lung_fields : LungFields
            The lungs of its radiograph.

        Returns
        -------
        ndarray of float64, shape (6,), or None
            Mean over the zone's lung area of grey value / 255, in [0, 1], averaged over the readers; zones in the order of
            `pneumoscope.lung_fields.lung_fields.ZONES`. None if the case has no mask or unless both lungs were found.

        Raises
        ------
        RegionsError
            If a mask is damaged or has another aspect ratio than the radiograph.
        """
        zones = lung_fields.zones
        if path not in self.files or zones is None:
            return None
        grid = lung_fields.placement.rows, lung_fields.placement.cols
        drawn = [resampled(grey(file, self._where(file)), grid, self._where(file)) for file in self.files[path]]
        opaqueness = np.stack(drawn).mean(0, dtype=np.float64) / CONSOLIDATED
        return np.array([opaqueness[zones[name]].mean() if zones[name].any() else math.nan for name in ZONES])

    def summary(self) -> str:
        """Say in one line what was read.

        Returns
        -------
        str
            Number of cases and the grey values.
        """
        shown = ", ".join(map(str, self.values)) if len(self.values) <= 8 else f"{self.values[0]} to {self.values[-1]}"
        return f"opacity masks of {len(self.files)} cases, grey values {shown} (128 is ground glass, {CONSOLIDATED} consolidated)"

    def _where(self, file: Path) -> str:
        return _where(file, self.folder)


def read(folder: Path, paths: Sequence[str]) -> OpacityMasks:
    """Find the opacity masks of the cases of a cohort.

    A mask belongs to the case of the same relative path or stem; a folder ``reader-NAME`` holds the masks of one reader
    (`pneumoscope.reference.mask_files.from_masks`).

    Parameters
    ----------
    folder : Path
        A folder of grey PNG files: grey value / 255 is the opaqueness.
    paths : sequence of str
        The paths of the cases that a mask may belong to.

    Returns
    -------
    OpacityMasks
        The masks of each case that has one.

    Raises
    ------
    RegionsError
        If no mask belongs to a case, a mask may belong to several, a file is damaged or not grey, or the highest grey value of
        all is too low for opaqueness.
    """
    files: dict[str, list[Path]] = {}
    for one in from_masks(sorted(folder.rglob("*.png")), folder, paths):
        for path in one.cases:
            assert isinstance(one.content, Path)
            files.setdefault(path, []).append(one.content)
    if not files:
        raise RegionsError(f"no mask in '{folder}' has the name of a radiograph of these cases; give the masks of this cohort")
    occur = np.zeros(256, bool)
    for file in (file for several in files.values() for file in several):
        occur[np.unique(grey(file, _where(file, folder)))] = True
    values = tuple(np.flatnonzero(occur).tolist())
    if values[-1] < _LEAST_CONSOLIDATED:
        raise RegionsError(
            f"the highest grey value of the masks in '{folder}' is {values[-1]}, so they hold numbers of classes and not "
            f"opaqueness; save consolidation as {CONSOLIDATED} and ground glass as 128"
        )
    return OpacityMasks(folder, {path: tuple(several) for path, several in files.items()}, values)


def _where(file: Path, folder: Path) -> str:
    return f"the opacity mask '{file.relative_to(folder)}'"
