"""Read a Structured Report of this program back to the line that it was written from."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from pneumoscope.classifier.score import Decision
from pneumoscope.dicom_objects import concepts
from pneumoscope.dicom_objects.encoding import parsed
from pneumoscope.dicom_objects.errors import DicomObjectError
from pneumoscope.dicom_objects.silenced_libraries import silenced_libraries
from pneumoscope.lung_fields.lung_fields import Laterality, Zone
from pneumoscope.radiograph import Region
from pneumoscope.readings import DomainCheck, ModelIdentity, form
from pneumoscope.readings.line import (
    DomainLine,
    FindingLine,
    Line,
    LungFieldsLine,
    MapLine,
    OperatingPointLine,
    Pixel,
    PopulationLine,
)

_Key = TypeVar("_Key")
_RATING_DECIMALS = 4
DECISION_BY_THRESHOLD = "decision by the threshold"
"""Parameter of the algorithm where the model abstains, and the coded decision is therefore *Indeterminate*."""


def read(content: bytes) -> Line:
    """Read a report back.

    Parameters
    ----------
    content : bytes
        A Structured Report that `pneumoscope.dicom_objects.structured_report.write` made.

    Returns
    -------
    Line
        The line of the reading, without path, hash of the file and severity, which the report does not hold.

    Raises
    ------
    DicomObjectError
        The object is no such report.
    """
    with silenced_libraries("read"):
        groups = [_Group(group) for group in _groups(parsed(content))]
        if not groups or not groups[0].algorithm:
            raise DicomObjectError("the DICOM object is no report of Pneumoscope's: it has no measurement group; give its SR")
        return _line(groups[0], groups[1:])


class _Group:
    """A measurement group (TID 1410): its content items by concept.

    Parameters
    ----------
    item : Dataset
        The container.
    """

    def __init__(self, item: Dataset) -> None:
        self.items = list(item.ContentSequence)

    @property
    def algorithm(self) -> dict[str, str]:
        """Name, version and parameters of the algorithm."""
        named = {"name": codes.DCM.AlgorithmName, "version": codes.DCM.AlgorithmVersion}
        texts = {name: str(item.TextValue) for name, code in named.items() for item in self._of(code)}
        for item in self._of(codes.DCM.AlgorithmParameters):
            name, _, value = str(item.TextValue).partition(": ")
            texts[name] = value
        return texts

    @property
    def box(self) -> Region:
        """The rectangle around its region."""
        graphic = next(item.GraphicData for item in self.items if item.ValueType == "SCOORD")
        cols, rows = graphic[0::2], graphic[1::2]
        return Region(float(min(rows)), float(min(cols)), float(max(rows)), float(max(cols)))

    def number(self, code: Code) -> float:
        """The value of a measurement."""
        return float(self._of(code)[0].MeasuredValueSequence[0].NumericValue)

    def values(self, code: Code) -> list[Code]:
        """The coded values of a concept."""
        return [_code(item.ConceptCodeSequence[0]) for item in self._of(code)]

    @property
    def site(self) -> tuple[Code, Code | None]:
        """Finding site and laterality."""
        (item,) = self._of(codes.SCT.FindingSite)
        below = item.get("ContentSequence", ())
        return _code(item.ConceptCodeSequence[0]), _code(below[0].ConceptCodeSequence[0]) if below else None

    def _of(self, code: Code) -> list[Dataset]:
        return [item for item in self.items if _code(item.ConceptNameCodeSequence[0]) == code]


def _groups(dataset: Dataset) -> Sequence[Dataset]:
    measurements = [item for item in dataset.get("ContentSequence", ()) if _is(item, codes.DCM.ImagingMeasurements)]
    return [group for item in measurements for group in item.ContentSequence if _is(group, codes.DCM.MeasurementGroup)]


def _is(item: Dataset, code: Code) -> bool:
    return "ConceptNameCodeSequence" in item and _code(item.ConceptNameCodeSequence[0]) == code


def _code(item: Dataset) -> Code:
    return Code(str(item.CodeValue), str(item.CodingSchemeDesignator), str(item.CodeMeaning))


def _key(of: Mapping[_Key, Code], code: Code) -> _Key:
    return next(key for key, known in of.items() if known == code)


def _line(whole: _Group, findings: Sequence[_Group]) -> Line:
    said = whole.algorithm
    state = _key(concepts.STATES, whole.values(concepts.LUNG_STATE)[0])
    quality, share = whole.number(concepts.LUNG_QUALITY), whole.number(concepts.LUNG_SHARE)
    rows, cols = (int(size) for size in said["rows and columns"].split())
    return Line(
        schema=form.SCHEMA_VERSION,
        path="",
        file_sha256=None,
        target=said["target"],
        probability=whole.number(concepts.PROBABILITY),
        log_odds=whole.number(concepts.LOG_ODDS),
        decision=_decision(whole, said),
        abstains=_key(concepts.YES_NO, whole.values(concepts.ABSTENTION)[0]),
        population=_population(said),
        operating_point=OperatingPointLine(whole.number(concepts.THRESHOLD), said["operating point"]),
        domain=_domain(whole),
        cautions=tuple(_key(concepts.CAUTIONS, code) for code in whole.values(concepts.CAUTION)),
        findings=tuple(_finding(group) for group in findings),
        severity=None,
        lung_fields=LungFieldsLine(state, quality, share, whole.box),
        map=MapLine(
            said["target of the heat map"], said["heat map"], float(said["full scale"]), float(said["finding threshold"])
        ),
        rows=rows,
        cols=cols,
        model=ModelIdentity(said["name"], said["version"]),
        error=None,
    )


def _decision(whole: _Group, said: Mapping[str, str]) -> Decision:
    """The decision by the threshold; reports of earlier versions state it coded also where the model abstains."""
    stated = whole.values(concepts.target_code(said["target"]))[0]
    if stated == concepts.INDETERMINATE:
        return "positive" if said[DECISION_BY_THRESHOLD] == "positive" else "negative"
    return _key(concepts.DECISIONS, stated)


def _map(said: Mapping[str, str]) -> MapLine:
    return MapLine(said["target of the heat map"], said["heat map"], float(said["full scale"]), float(said["finding threshold"]))


def _population(said: Mapping[str, str]) -> PopulationLine | None:
    if "population" not in said:
        return None
    value, source, settings = said["population"].split(", ")
    known = {"child": "child", "adult": "adult"}
    return PopulationLine(known.get(value), source, known[settings], value not in known)  # type: ignore[arg-type]  # checked there


def _domain(whole: _Group) -> DomainLine | None:
    stated = whole.values(concepts.DOMAIN)
    if not stated:
        return None
    distance, limit = whole.number(concepts.DISTANCE), whole.number(concepts.DISTANCE_LIMIT)
    check = DomainCheck(distance, limit, concepts.NO_LUNGS not in stated, concepts.PHOTOGRAPH in stated)
    return DomainLine(stated == [concepts.INSIDE], distance, limit, check.reason or None)


def _finding(group: _Group) -> FindingLine:
    place, side = group.site
    laterality: dict[Code, Laterality] = {code: name for name, code in concepts.LATERALITIES.items()}
    zone: dict[Code, Zone] = {code: name for name, code in concepts.ZONES.items()}
    return FindingLine(
        box=group.box,
        peak=Pixel(int(group.number(concepts.PEAK_ROW)), int(group.number(concepts.PEAK_COL))),
        area_px=int(group.number(concepts.AREA)),
        rating=round(group.number(concepts.CERTAINTY) / 100, _RATING_DECIMALS),
        laterality=laterality[side] if side else None,
        zone=zone.get(place),
    )
