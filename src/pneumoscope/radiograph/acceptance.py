"""The noun `AcceptancePolicy`: which radiographs are read, which are read with a caution, and which are refused.

The models learned from frontal chest radiographs in display grey levels, the patient's right side on the left of the picture. A
reading of anything else is either refused or carries a caution in every output; the policy says which, one choice each.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pneumoscope.radiograph.errors import NotAcceptedError, NotAChestError
from pneumoscope.radiograph.radiograph import GREY_LEVELS, Radiograph
from pneumoscope.radiograph.terms import LATERAL_VIEWS, NOT_A_TERM, PROJECTION_MODALITIES, TERMS, is_chest

Choice = Literal["refuse", "mark"]
"""Refuse the radiograph, or read it with a caution."""

FEWEST_GREY_LEVELS = 64
"""Of 256 grey levels, below which a reading abstains: contrast is then a quarter of what the models know."""


class Caution(StrEnum):
    """Why a reading should be taken with care; the value is the word in every output."""

    LATERAL = "lateral or oblique view"
    RAW = "raw detector data"
    ORIENTATION = "orientation not stated"
    SIDE = "no side stated: patient's right assumed on the left"
    TURNED = "stored turned or mirrored"
    CONTRADICTION = "contradictory header"
    MODALITY = "modality not stated"
    BODY_PART = "body part not the chest"
    GREY_SCALE = "grey scale taken from the data"
    AGE = "age not readable"
    PHOTOGRAPH = "photograph of a film or a screen"
    FEW_GREY_LEVELS = f"uses fewer than {FEWEST_GREY_LEVELS} of {GREY_LEVELS} grey levels"


@dataclass(frozen=True)
class AcceptancePolicy:
    """What becomes of a radiograph that is not a frontal chest radiograph for presentation.

    Parameters
    ----------
    lateral : {"refuse", "mark"}
        A lateral or oblique view, by View Position, View Code Sequence or Patient Orientation.
    raw : {"refuse", "mark"}
        Raw detector data, Presentation Intent Type FOR PROCESSING.
    orientation : {"refuse", "mark"}
        A DICOM image without Patient Orientation, so that the patient's right side is assumed on the left. PNG and JPEG never
        state an orientation: they are taken as displayed, and read with the caution `Caution.SIDE`.
    contradiction : {"refuse", "mark"}
        A header that contradicts itself on orientation or grey scale.
    modality : {"refuse", "mark"}
        A DICOM image whose Modality is missing, OT, or no defined term.
    body_part : {"refuse", "mark"}
        A Body Part Examined that is not the chest, or no defined term; a missing one is accepted.
    """

    lateral: Choice = "refuse"
    raw: Choice = "refuse"
    orientation: Choice = "mark"
    contradiction: Choice = "refuse"
    modality: Choice = "refuse"
    body_part: Choice = "refuse"


DEFAULT_POLICY = AcceptancePolicy()
"""Refuses what the models cannot read; marks an orientation that is not stated."""
MARK_ALL = AcceptancePolicy("mark", "mark", "mark", "mark", "mark", "mark")
"""Refuses nothing: for the radiographs of a cohort, which were refused or accepted when the cohort was built."""


def review(radiograph: Radiograph, policy: AcceptancePolicy = DEFAULT_POLICY) -> tuple[Caution, ...]:
    """Decide whether a radiograph is read, and with which cautions.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph.
    policy : AcceptancePolicy
        What is refused.

    Returns
    -------
    tuple of Caution
        Cautions that belong to every reading of it; empty for a frontal chest radiograph whose file states its orientation.

    Raises
    ------
    NotAChestError
        If the body part is refused.
    NotAcceptedError
        If anything else is refused; one sentence names what was seen and the option that accepts it.

    Examples
    --------
    >>> import numpy as np
    >>> lateral = Radiograph(np.linspace(0, 1, 9, dtype=np.float32).reshape(3, 3), view_position="LL")
    >>> review(lateral, AcceptancePolicy(lateral="mark"))
    (<Caution.LATERAL: 'lateral or oblique view'>,)
    >>> review(lateral)
    Traceback (most recent call last):
    pneumoscope.radiograph.errors.NotAcceptedError: the View Position is LL, not a frontal view; to read it, say --lateral mark
    """
    cautions = []
    for caution, choice, sentence, option in _concerns(radiograph, policy):
        if choice == "refuse":
            error = NotAChestError if caution is Caution.BODY_PART else NotAcceptedError
            raise error(f"{sentence}; to read it, say --{option} mark")
        cautions.append(caution)
    if radiograph.file_format in ("PNG", "JPEG"):
        cautions.append(Caution.SIDE)
    if not radiograph.orientation.is_displayed:
        cautions.append(Caution.TURNED)
    if radiograph.grey_source == "bulk":
        cautions.append(Caution.GREY_SCALE)
    if abstains(radiograph):
        cautions.append(Caution.FEW_GREY_LEVELS)
    if radiograph.photograph:
        cautions.append(Caution.PHOTOGRAPH)
    return tuple(cautions)


def abstains(radiograph: Radiograph) -> bool:
    """Whether a reading must abstain because the radiograph uses too few grey levels.

    Parameters
    ----------
    radiograph : Radiograph
        The radiograph.

    Returns
    -------
    bool
        True where fewer than `FEWEST_GREY_LEVELS` of 256 grey levels are used.
    """
    return radiograph.grey_levels_used < FEWEST_GREY_LEVELS


def _quotable(keyword: str, text: str) -> str:
    """Text of a header that may be quoted: a defined term in upper case, or the statement that it is none."""
    term = text.upper()
    return term if not term or term in TERMS[keyword] else NOT_A_TERM


def _concerns(radiograph: Radiograph, policy: AcceptancePolicy) -> Iterator[tuple[Caution, Choice, str, str]]:
    """Each caution with the policy's choice, its sentence and the option that decides it; body part first."""
    part, modality = (
        _quotable(keyword, text)
        for keyword, text in (("BodyPartExamined", radiograph.body_part), ("Modality", radiograph.modality))
    )
    if part and not is_chest(radiograph.body_part):
        yield Caution.BODY_PART, policy.body_part, f"the DICOM Body Part Examined is {part}, not the chest", "body-part"
    if radiograph.file_format == "DICOM" and modality not in PROJECTION_MODALITIES:
        stated = ", ".join(sorted(PROJECTION_MODALITIES))
        yield Caution.MODALITY, policy.modality, f"the DICOM Modality is {modality or 'missing'}, not one of {stated}", "modality"
    if radiograph.intent == "FOR PROCESSING":
        yield Caution.RAW, policy.raw, "the image is raw detector data (FOR PROCESSING), not for presentation", "raw"
    if radiograph.view_position in LATERAL_VIEWS:
        sentence = f"the View Position is {radiograph.view_position}, not a frontal view"
        yield Caution.LATERAL, policy.lateral, sentence, "lateral"
    elif radiograph.orientation.plane == "sagittal" and not radiograph.contradictions:
        sentence = "the Patient Orientation is that of a lateral view, not of a frontal one"
        yield Caution.LATERAL, policy.lateral, sentence, "lateral"
    if radiograph.contradictions:
        sentence = f"the DICOM header contradicts itself or leaves sides in doubt: {' and '.join(radiograph.contradictions)}"
        yield Caution.CONTRADICTION, policy.contradiction, sentence, "contradiction"
    elif radiograph.file_format == "DICOM" and radiograph.orientation.plane == "unknown":
        sentence = "the DICOM image states no Patient Orientation, so that its right and left are not known"
        yield Caution.ORIENTATION, policy.orientation, sentence, "unknown-orientation"
