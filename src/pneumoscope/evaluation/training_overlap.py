"""The noun `TrainingOverlap`: how many of the cases under test a model was trained on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pneumoscope.cohort import Case
from pneumoscope.cohort.fingerprint import overlap
from pneumoscope.evaluation.errors import TrainingPatientsError
from pneumoscope.fingerprint import Fingerprint


@dataclass(frozen=True)
class TrainingOverlap:
    """How many of the cases under test are of patients, or are images, that a model was trained on.

    Parameters
    ----------
    known
        Whether the model says what it was trained on; models of earlier versions do not.
    cases, patients, images
        Number of cases, patients and images under test that the model was trained on; 0 if that is not known.
    """

    known: bool = False
    cases: int = 0
    patients: int = 0
    images: int = 0

    def __bool__(self) -> bool:
        """Whether the model is known to have been trained on a case under test."""
        return self.cases > 0

    def __str__(self) -> str:
        """One sentence about the overlap."""
        if not self.known:
            return "The model does not say which patients it was trained on."
        if not self:
            return "The model was trained on none of these patients and images."
        return (
            f"The model was trained on {self.cases} of these images ({self.patients} patients, {self.images} identical images): "
            "its figures are too good."
        )


def training_overlap(trained_on: Sequence[Fingerprint], cases: Iterable[Case]) -> TrainingOverlap:
    """Count the cases that a model was trained on.

    Parameters
    ----------
    trained_on
        Fingerprints of the training cases, of the model and of those that it learned from; empty if it says nothing.
    cases
        The cases under test.

    Returns
    -------
    TrainingOverlap
        Every case counted once, however many fingerprints recognise it.
    """
    tested = tuple(cases)
    recognised = [overlap(known, tested) for known in trained_on]
    if not recognised:
        return TrainingOverlap()
    cases_seen = {id(case): case for one in recognised for case in one.cases}
    return TrainingOverlap(
        known=True,
        cases=len(cases_seen),
        patients=len({case.patient_id for case in cases_seen.values()}),
        images=max(one.n_images for one in recognised),
    )


def require_unseen(seen: TrainingOverlap, model: str, *, allow: bool = False) -> None:
    """Refuse to test a model on what it was trained on.

    Parameters
    ----------
    seen
        The overlap of training cases and cases under test.
    model
        Name of the model, for the message.
    allow
        Whether to test it all the same; every output must then show the overlap.

    Raises
    ------
    TrainingPatientsError
        If there is an overlap and it is not allowed.
    """
    if seen and not allow:
        raise TrainingPatientsError(
            f"'{model}' was trained on {seen.cases} of the images under test ({seen.patients} patients, {seen.images} "
            "identical images); test it on other patients, or mark the results with --allow-training-patients"
        )
