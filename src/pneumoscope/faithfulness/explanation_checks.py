"""Checks of an explanation that need the network itself: other explanation methods, and randomized weights; needs PyTorch."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from pneumoscope.classifier import device as devices
from pneumoscope.classifier.checkpoint import Classifier, load
from pneumoscope.cohort import Case
from pneumoscope.cohort.case import positives_by_rule
from pneumoscope.faithfulness import randomization_test
from pneumoscope.faithfulness.assessment import marked_by_rule
from pneumoscope.faithfulness.explainer_benchmark import ExplainerBenchmark
from pneumoscope.heatmap import library_explainers
from pneumoscope.heatmap.heatmap import scaled
from pneumoscope.heatmap.randomization import STAGES, cascade, maps_of
from pneumoscope.localization.case import ReadCase
from pneumoscope.localization.errors import LocalizationError
from pneumoscope.localization.localize import Selected
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reference.regions import ReferenceRegions
from pneumoscope.statistics.estimate import Estimate

Square = NDArray[np.float32]


def checks(
    folder: Path,
    cases: Sequence[Case],
    regions: Mapping[str, ReferenceRegions],
    explained: int,
    randomized: int,
    others: Mapping[str, Path],
    *,
    device: str = "cpu",
    show_progress: bool = False,
) -> list[Selected]:
    """Prepare the checks of a checkpoint, to be fed from one pass over the cases.

    Parameters
    ----------
    folder
        Folder of the checkpoint.
    cases
        The cases of the pass.
    regions
        Reference regions by path of the case.
    explained
        Number of cases with reference regions on which other explanation methods are measured; 0 for none.
    randomized
        Number of cases with the target on which maps of randomized weights are compared; 0 for none.
    others
        Folders of other checkpoints whose maps are compared as well, by name.
    device
        Where the networks compute, as `pneumoscope.classifier.device.find` takes it.
    show_progress
        Show a progress bar on a terminal.

    Returns
    -------
    list of Selected
        The checks with the cases that they are for.

    Raises
    ------
    LocalizationError
        If another checkpoint prepares radiographs otherwise.
    CheckpointError
        If a folder holds no checkpoint.
    DeviceError
        If there is no such device.
    """
    classifier = load(folder, devices.find(device))
    loaded = {name: comparable(classifier, path) for name, path in others.items()}
    selected = []
    if marked := marked_by_rule(cases, regions, explained):
        selected.append(Selected(explainers(classifier), frozenset(case.path for case in marked)))
    if chosen := positives_by_rule(cases, randomized):
        test = Randomization(classifier, chosen, loaded, show_progress=show_progress)
        selected.append(Selected(test, frozenset(case.path for case in chosen)))
    return selected


def explainers(classifier: Classifier) -> ExplainerBenchmark:
    """Prepare the comparison of the model's own explanation with those of other libraries.

    Parameters
    ----------
    classifier
        The checkpoint that is explained.

    Returns
    -------
    ExplainerBenchmark
        To be fed with cases that have reference regions.
    """

    def attribute(name: str, square: Square) -> Square:
        raw = library_explainers.attribute(name, classifier.network, square)
        return scaled(raw, classifier.card) if name == library_explainers.OWN else raw

    return ExplainerBenchmark(attribute, library_explainers.names(classifier.network), classifier)


def comparable(classifier: Classifier, folder: Path) -> Classifier:
    """Load another checkpoint whose maps can be compared with those of a classifier.

    Parameters
    ----------
    classifier
        The classifier.
    folder
        Folder of the other checkpoint.

    Returns
    -------
    Classifier
        The other checkpoint.

    Raises
    ------
    LocalizationError
        If it prepares radiographs otherwise.
    CheckpointError
        If the folder holds no checkpoint.
    """
    other = load(folder, devices.of(classifier.network))
    if other.card.preprocessing != classifier.card.preprocessing:
        raise LocalizationError(
            f"the checkpoint '{folder}' prepares radiographs otherwise than the model, so their maps cannot be compared; "
            "give a checkpoint of the same size, crop and lung-field model"
        )
    return other


class Randomization:
    """Compare the maps of a checkpoint with those of its randomized copies and of other checkpoints.

    The prepared squares of the cases are kept, as every stage of the randomization needs all of them.

    Parameters
    ----------
    classifier
        The checkpoint.
    cases
        The cases that will be added, in any order.
    others
        Checkpoints to compare with, by name, such as one trained on shuffled labels.
    show_progress
        Show a progress bar on a terminal.
    """

    def __init__(
        self, classifier: Classifier, cases: Sequence[Case], others: Mapping[str, Classifier], *, show_progress: bool = False
    ) -> None:
        self._classifier, self._cases, self._others = classifier, cases, others
        self._show_progress = show_progress
        self._squares: dict[str, Grey] = {}

    def add(self, read: ReadCase) -> None:
        """Prepare one case.

        Parameters
        ----------
        read
            One of the cases.
        """
        self._squares[read.case.path] = self._classifier.prepare(read.radiograph).pixels

    def tables(self, draws: int) -> Mapping[str, Mapping[str, Estimate]]:
        """Explain the cases by every network and summarize the agreement as a table.

        Parameters
        ----------
        draws
            Number of bootstrap draws of patients, ≥ 1.

        Returns
        -------
        mapping of str to mapping of str to Estimate
            One table: SSIM and rank correlation by stage of the randomization and by other checkpoint.
        """
        squares = np.stack([self._squares[case.path] for case in self._cases])
        trained = maps_of(self._classifier.network, squares)
        patients = [case.patient_id for case in self._cases]
        rows = randomization_test.against_random(trained, self._stages(squares), patients, draws=draws)
        return {"randomization test, agreement with the maps of other networks": rows}

    def _stages(self, squares: Square) -> Iterator[tuple[str, Square]]:
        disable = None if self._show_progress else True
        for share, network in tqdm(cascade(self._classifier.network), desc="randomizing", total=STAGES, disable=disable):
            yield f"{share:.0%} of the layers random", maps_of(network, squares)
        for name, other in self._others.items():
            yield name, maps_of(other.network, squares)
