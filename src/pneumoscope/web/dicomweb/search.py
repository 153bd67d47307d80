"""Search the catalogue: QIDO-RS (PS3.18 10.6)."""

import fnmatch
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydicom.datadict import dictionary_VR, tag_for_keyword

from pneumoscope.web.dicomweb.catalogue import Attributes, Entry
from pneumoscope.web.dicomweb.json_model import SEARCHED, first, tag, texts
from pneumoscope.web.errors import RequestError

Level = Literal["studies", "series", "instances"]

MOST_RESULTS = 1000
"""Results of one answer."""
_MOST_PATTERN = 256
_STUDY = (
    "SpecificCharacterSet", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyDescription",
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
)  # fmt: skip
_SERIES = ("Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "BodyPartExamined")
_OF_LEVEL: Mapping[Level, tuple[str, ...]] = {"studies": _STUDY, "series": (*_STUDY, *_SERIES), "instances": SEARCHED}
_DEPTH: Mapping[Level, int] = {"studies": 1, "series": 2, "instances": 3}
_MATCHED = {tag(keyword): keyword for keyword in (*SEARCHED, "ModalitiesInStudy") if keyword != "SpecificCharacterSet"}
_DATE = re.compile(r"(\d{8})?-(\d{8})?|\d{8}")


@dataclass(frozen=True)
class Query:
    """What is searched for.

    Parameters
    ----------
    level : {"studies", "series", "instances"}
        What a result is.
    uids : tuple of str
        UIDs of the path: of a study, or of a study and a series; or none.
    matching : mapping of str to str
        Values to match by keyword.
    limit, offset : int
        Most results, and results to skip.
    fuzzy : bool
        Whether the client asked for fuzzy matching of names, which is not done.
    """

    level: Level
    uids: tuple[str, ...] = ()
    matching: Mapping[str, str] = field(default_factory=dict, repr=False)
    limit: int = MOST_RESULTS
    offset: int = 0
    fuzzy: bool = False


def parse(level: Level, uids: tuple[str, ...], parameters: Sequence[tuple[str, str]]) -> Query:
    """Parse the parameters of a search.

    Parameters
    ----------
    level : {"studies", "series", "instances"}
        What a result is.
    uids : tuple of str
        UIDs of the path.
    parameters : sequence of tuple of str and str
        Names and values, as the client sent them.

    Returns
    -------
    Query
        The query.

    Raises
    ------
    RequestError
        If a name is not an attribute that can be matched, or a value has not the form that it needs.
    """
    matching: dict[str, str] = {}
    limit, offset, fuzzy = MOST_RESULTS, 0, False
    for name, value in parameters:
        if name == "limit":
            limit = min(_number(name, value), MOST_RESULTS)
        elif name == "offset":
            offset = _number(name, value)
        elif name == "fuzzymatching":
            fuzzy = value.lower() == "true"
        elif name != "includefield":  # all attributes that there are, are always sent
            matching[_keyword(name)] = _checked(_keyword(name), value)
    return Query(level, uids, matching, limit, offset, fuzzy)


def _keyword(name: str) -> str:
    keyword = _MATCHED.get(name.upper()) or (name if name in _MATCHED.values() else None)
    if keyword is None:
        raise RequestError(f"a parameter is no attribute that can be matched here; those are {', '.join(_MATCHED.values())}")
    return keyword


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RequestError(f"the parameter '{name}' must be a whole number")
    return int(text)


def _checked(keyword: str, value: str) -> str:
    if len(value) > _MOST_PATTERN and _vr(keyword) != "UI":
        raise RequestError(f"the value of {keyword} has more than {_MOST_PATTERN} characters")
    if value and _vr(keyword) == "DA" and not _DATE.fullmatch(value):
        raise RequestError(f"the value of {keyword} must be a date or a range of dates, as 20240101-20240131")
    return value


def _vr(keyword: str) -> str:
    return dictionary_VR(tag_for_keyword(keyword) or 0)


def results(query: Query, entries: Sequence[Entry], root: str) -> tuple[list[dict[str, Any]], int]:
    """Search.

    Parameters
    ----------
    query : Query
        What is searched for.
    entries : sequence of Entry
        The catalogue.
    root : str
        URL of the service, for Retrieve URL.

    Returns
    -------
    tuple of list of dict and int
        The results in the DICOM JSON model, and how many more there are behind them.
    """
    depth = _DEPTH[query.level]
    studies = _grouped(entries, 1)
    modalities = {uids[0]: _modalities(study) for uids, study in studies.items()}
    below = [entry for entry in entries if entry.uids[: len(query.uids)] == query.uids]
    matched = dict.fromkeys(entry.uids[:depth] for entry in below if _matches(entry, query.matching, modalities))
    page = list(matched)[query.offset : query.offset + query.limit]
    groups = _grouped(entries, depth)
    made = [_result(query.level, uids, groups[uids], studies[uids[:1]], root) for uids in page]
    return made, max(0, len(matched) - query.offset - len(page))


def _grouped(entries: Sequence[Entry], depth: int) -> dict[tuple[str, ...], list[Entry]]:
    groups: dict[tuple[str, ...], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.uids[:depth], []).append(entry)
    return groups


def _modalities(study: Sequence[Entry]) -> list[str]:
    return [modality for modality in dict.fromkeys(first(entry.attributes, "Modality") for entry in study) if modality]


def _matches(entry: Entry, matching: Mapping[str, str], modalities: Mapping[str, list[str]]) -> bool:
    for keyword, wanted in matching.items():
        there = modalities[entry.uids[0]] if keyword == "ModalitiesInStudy" else texts(entry.attributes.get(tag(keyword), {}))
        if wanted and not any(_equal(_vr(keyword), wanted, text) for text in there):
            return False
    return True


def _equal(vr: str, wanted: str, there: str) -> bool:
    """Single value, list of UIDs, wild card and range matching of PS3.4 C.2.2.2."""
    if vr in ("UI", "CS") and ("," in wanted or "\\" in wanted):
        return any(_equal(vr, one, there) for one in re.split(r"[,\\]", wanted) if one)
    if vr == "UI":
        return wanted == there
    if vr == "DA" and "-" in wanted:
        low, _, high = wanted.partition("-")
        return (low or there) <= there <= (high or there)
    pattern = wanted.replace("[", "[[]").lower()
    return fnmatch.fnmatchcase(there.lower(), pattern)


def _result(level: Level, uids: tuple[str, ...], below: Sequence[Entry], study: Sequence[Entry], root: str) -> dict[str, Any]:
    attributes: Attributes = below[0].attributes
    result = {tag(keyword): attributes[tag(keyword)] for keyword in _OF_LEVEL[level] if tag(keyword) in attributes}
    path = "".join(f"/{name}/{uid}" for name, uid in zip(_DEPTH, uids, strict=False))
    result[tag("RetrieveURL")] = {"vr": "UR", "Value": [root + path]}
    result[tag("InstanceAvailability")] = {"vr": "CS", "Value": ["ONLINE"]}
    if level != "instances":
        result[tag("ModalitiesInStudy")] = {"vr": "CS", "Value": _modalities(study)}
        result[tag("NumberOfStudyRelatedSeries")] = {"vr": "IS", "Value": [len(_grouped(study, 2))]}
        result[tag("NumberOfStudyRelatedInstances")] = {"vr": "IS", "Value": [len(study)]}
    if level == "series":
        result[tag("NumberOfSeriesRelatedInstances")] = {"vr": "IS", "Value": [len(below)]}
    return dict(sorted(result.items()))
