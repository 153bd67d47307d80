"""Several explanation methods of one model, measured on the same cases."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pneumoscope.evaluation import Model
from pneumoscope.localization import figures
from pneumoscope.localization.case import ReadCase
from pneumoscope.localization.figures import block_mean, reduction_factor
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.patient_bootstrap import Bootstrap

Attribute = Callable[[str, NDArray[np.float32]], NDArray[np.float32]]
"""Name of a method and a prepared square (channels, size_px, size_px) to a map (size_px, size_px)."""
TITLES = {
    "hit": "hit", "pixel_ap": "pixel AP", "lung_energy": "energy in the lungs", "lung_peak": "peak in the lungs",
}  # fmt: skip
_SHARES = ("hit", "lung_peak")


@dataclass(frozen=True)
class ExplainerRow:
    """The figures of one method on one case; see `pneumoscope.localization.figures`.

    Parameters
    ----------
    hit, pixel_ap
        Against the reference regions.
    lung_energy, lung_peak
        Against the lungs; NaN where they are not known.
    seconds
        Time that the method took.
    """

    hit: float
    pixel_ap: float
    lung_energy: float
    lung_peak: float
    seconds: float


def explained(read: ReadCase, name: str, attribute: Attribute, model: Model) -> ExplainerRow:
    """Explain one case by one method and measure the map. Negative values count as none, as they are no evidence for the target.

    Parameters
    ----------
    read
        A case with reference regions.
    name
        Name of the method.
    attribute
        Makes the map.
    model
        Prepares the square.

    Returns
    -------
    ExplainerRow
        The figures of the case.
    """
    case = read.reduced
    assert case.mask is not None
    square = model.prepare(read.radiograph)
    start = time.perf_counter()
    raw = attribute(name, square.pixels)
    seconds = time.perf_counter() - start
    whole = square.placement.map_to_radiograph(np.maximum(raw, 0))
    values = block_mean(whole, reduction_factor(whole.shape))
    return ExplainerRow(
        hit=figures.hit(values, case.mask),
        pixel_ap=figures.pixel_average_precision(values, case.mask),
        lung_energy=figures.energy_inside(values, case.lungs),
        lung_peak=figures.hit(values, case.lungs),
        seconds=seconds,
    )


class ExplainerBenchmark:
    """Measure several explanation methods on some cases, one case after the other.

    Parameters
    ----------
    attribute
        Makes the map of a method.
    names
        Names of the methods.
    model
        Prepares the squares.
    """

    def __init__(self, attribute: Attribute, names: Sequence[str], model: Model) -> None:
        self._attribute, self._model = attribute, model
        self._rows: dict[str, list[ExplainerRow]] = {name: [] for name in names}
        self._patients: list[str] = []

    def add(self, read: ReadCase) -> None:
        """Measure one case by every method.

        Parameters
        ----------
        read
            A case with reference regions.
        """
        self._patients.append(read.case.patient_id)
        for name, rows in self._rows.items():
            rows.append(explained(read, name, self._attribute, self._model))

    def tables(self, draws: int) -> Mapping[str, Mapping[str, Estimate]]:
        """Summarize the cases as tables.

        Parameters
        ----------
        draws
            Number of bootstrap draws of patients, ≥ 1.

        Returns
        -------
        mapping of str to mapping of str to Estimate
            One table a figure: its mean by method, which is named with its median time a case.
        """
        if not self._patients:
            return {}
        boot = Bootstrap.of_patients(self._patients, draws)
        return {
            f"{title} by explanation method": {
                f"{name} ({np.median([row.seconds for row in rows]):.2g} s)": boot.mean(
                    [getattr(row, figure) for row in rows], share=figure in _SHARES
                )
                for name, rows in self._rows.items()
            }
            for figure, title in TITLES.items()
        }
