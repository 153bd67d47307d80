"""What `localize` measures with PyTorch: other methods, and a network that forgets."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.classifier.checkpoint import Classifier, load
from pneumoscope.cohort import Case, Cohort
from pneumoscope.faithfulness import explainer_benchmark as comparison
from pneumoscope.faithfulness import randomization_test
from pneumoscope.heatmap import library_explainers
from pneumoscope.heatmap.heatmap import scaled
from pneumoscope.heatmap.randomization import cascade, maps_of
from pneumoscope.localization.case import LocalizationCase
from pneumoscope.statistics.estimate import Estimate


def measure(
    folder: Path,
    cohort: Cohort,
    cases: Sequence[Case],
    marked: Sequence[LocalizationCase],
    others: Mapping[str, Path],
    draws: int,
) -> dict[str, Mapping[str, Estimate]]:
    """Tables by title, of the checkpoint in `folder`; `cases` are for the sanity checks, `marked` for the methods."""
    classifier = load(folder)
    tables: dict[str, Mapping[str, Estimate]] = {}
    if marked:
        tables |= _methods(classifier, cohort, marked, draws)
    if cases:
        found = _sanity(classifier, cohort, cases, {name: _like(classifier, path) for name, path in others.items()}, draws)
        tables[f"agreement with the map of a network that forgets, {len(cases)} cases"] = found
    return tables


def _like(classifier: Classifier, folder: Path) -> Classifier:
    other = load(folder)
    if other.card.preprocessing != classifier.card.preprocessing:
        raise click.UsageError(f"'{folder}' looks at another square than the model; compare maps of like checkpoints")
    return other


def _methods(
    classifier: Classifier, cohort: Cohort, marked: Sequence[LocalizationCase], draws: int
) -> dict[str, Mapping[str, Estimate]]:
    def attribute(name: str, square: NDArray[np.float32]) -> NDArray[np.float32]:
        found = library_explainers.attribute(name, classifier.network, square)
        return scaled(found, classifier.card) if name == library_explainers.OWN else found

    found = comparison.compare(
        attribute, library_explainers.names(classifier.network), classifier, cohort, marked, draws=draws, show_progress=True
    )
    titles = {"hit": "hit", "pixel_ap": "pixel AP", "lung_energy": "energy in the lungs", "lung_peak": "peak in the lungs"}
    tables: dict[str, Mapping[str, Estimate]] = {
        f"{title} by method, {len(marked)} cases": {
            f"{name} ({row.seconds:.2g} s)": getattr(row, field) for name, row in found.items()
        }
        for field, title in titles.items()
    }
    return tables


def _sanity(
    classifier: Classifier, cohort: Cohort, cases: Sequence[Case], others: Mapping[str, Classifier], draws: int
) -> dict[str, Estimate]:
    squares = np.stack([classifier.prepare(radiograph.read(cohort.file(c))).pixels for c in cases])

    def stages() -> Iterator[tuple[str, NDArray[np.float32]]]:
        for share, network in tqdm(cascade(classifier.network), desc="forgetting", total=8, disable=None):
            yield f"{share:.0%} of the layers random", maps_of(network, squares)
        for name, other in others.items():
            yield name, maps_of(other.network, squares)

    trained = maps_of(classifier.network, squares)
    return randomization_test.against_random(trained, stages(), [c.patient_id for c in cases], draws=draws)
