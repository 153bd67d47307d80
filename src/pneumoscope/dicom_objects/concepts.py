"""Coded concepts of a report: standard codes where there are any, else codes of the scheme `SCHEME`."""

from collections.abc import Mapping

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from pneumoscope.classifier.score import Decision
from pneumoscope.lung_fields.lung_fields import Laterality, State, Zone
from pneumoscope.radiograph import Caution

SCHEME = "99PNEUMOSCOPE"
"""Private Coding Scheme Designator (PS3.16 8.2: it begins with 99)."""


def _own(value: str, meaning: str) -> Code:
    return Code(value, SCHEME, meaning)


IMAGING: Code = codes.cid100.ImagingProcedure
LUNG: Code = codes.SCT.Lung
ANATOMY: Code = codes.SCT.AnatomicalStructure
ABNORMALITY: Code = codes.SCT.MorphologicallyAbnormalStructure
OPACITY: Code = codes.DCM.AbnormalOpacity
FAMILY: Code = codes.DCM.ArtificialIntelligence

PROBABILITY: Code = codes.DCM.Probability
THRESHOLD: Code = codes.DCM.ThresholdValue
CERTAINTY: Code = codes.DCM.CertaintyOfFinding
LOG_ODDS = _own("LOG_ODDS", "Log-odds before calibration")
DISTANCE = _own("DISTANCE", "Distance from the training images")
DISTANCE_LIMIT = _own("DISTANCE_LIMIT", "Limit of the distance from the training images")
LUNG_QUALITY = _own("LUNG_QUALITY", "Quality of the lung fields")
EVIDENCE = _own("EVIDENCE", "Evidence of the model for the target; 1 is full scale")
LUNG_SHARE = _own("LUNG_SHARE", "Share of the radiograph that is lung")
AREA = _own("AREA_PX", "Area in pixels")
PEAK_ROW = _own("PEAK_ROW", "Row of the highest value of the heat map, from 0")
PEAK_COL = _own("PEAK_COL", "Column of the highest value of the heat map, from 0")

ABSTENTION = _own("ABSTENTION", "The model abstains: the decision must not be relied on")
DOMAIN = _own("DOMAIN", "Resemblance to the training images")
LUNG_STATE = _own("LUNG_STATE", "Lung fields")
CAUTION = _own("CAUTION", "Caution")

INSIDE = _own("INSIDE", "Inside the domain of the model")
NO_LUNGS = _own("NO_LUNGS", "Outside the domain: no lungs found")
PHOTOGRAPH = _own("PHOTOGRAPH", "Outside the domain: a photograph")
UNLIKE = _own("UNLIKE", "Outside the domain: unlike the training images")

NO_UNITS: Code = codes.UCUM.NoUnits
PERCENT: Code = codes.UCUM.Percent
PIXELS = Code("{pixels}", "UCUM", "pixels")

YES_NO: Mapping[bool, Code] = {True: codes.SCT.Yes, False: codes.SCT.No}
DECISIONS: Mapping[Decision, Code] = {"positive": codes.SCT.Present, "negative": codes.SCT.Absent}
INDETERMINATE: Code = codes.SCT.Indeterminate
"""Stands for the decision where the model abstains."""
LATERALITIES: Mapping[Laterality, Code] = {"right": codes.SCT.Right, "left": codes.SCT.Left}
ZONES: Mapping[Zone, Code] = {
    "upper": codes.SCT.UpperZoneOfLung,
    "mid": codes.SCT.MiddleZoneOfLung,
    "lower": codes.SCT.LowerZoneOfLung,
}
STATES: Mapping[State, Code] = {
    "found": _own("LUNGS_FOUND", "Both lungs found"),
    "partly found": _own("LUNGS_PART", "One lung found"),
    "not found": _own("LUNGS_NOT_FOUND", "No lung found"),
}
CAUTIONS: Mapping[str, Code] = {caution.value: _own(caution.name, caution.value.capitalize()) for caution in Caution}
_TARGETS: Mapping[str, Code] = {"pneumonia": Code("233604007", "SCT", "Pneumonia")}


def decision_code(decision: Decision, abstains: bool) -> Code:
    """Give the code of a decision, which is right where it is read alone, without the row that says whether the model abstains.

    Parameters
    ----------
    decision : {"positive", "negative"}
        The decision by the threshold.
    abstains : bool
        Whether the model abstains.

    Returns
    -------
    Code
        Of SNOMED CT: *Indeterminate* where the model abstains, else *Present* or *Absent*.
    """
    return INDETERMINATE if abstains else DECISIONS[decision]


def target_code(target: str) -> Code:
    """Give the code of a target.

    Parameters
    ----------
    target : str
        What a probability is of, such as ``pneumonia``.

    Returns
    -------
    Code
        Of SNOMED CT where it is known.
    """
    return _TARGETS.get(target) or _own("TARGET", target[:64])


def scheme_item() -> CodingSchemeIdentificationItem:
    """Make the item that identifies the private coding scheme (PS3.3 C.12.1.1.7).

    Returns
    -------
    CodingSchemeIdentificationItem
        Designator, name and responsible organization.
    """
    return CodingSchemeIdentificationItem(designator=SCHEME, name="Pneumoscope", responsible_organization="Pneumoscope")
