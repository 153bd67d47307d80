"""Read DICOM attributes one by one, as DCMTK reads them; name the one that cannot be read and never quote what it holds.

A damaged or misused attribute can hold a patient's name. Text from a header therefore leaves this module only if it is one
of the Standard's defined terms; all other text becomes `NOT_A_TERM`.
"""

import functools
import re
from collections.abc import Sequence
from typing import Any, Literal, cast

from pydicom.datadict import dictionary_description, tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from pneumoscope.radiograph.errors import UnreadableFileError
from pneumoscope.radiograph.terms import NOT_A_TERM, TERMS, Sex

OLDEST_YEARS = 130
"""Age in years above which a stated age is not one of a patient."""
_AGE = re.compile(r"(\d{3})([DWMY])")
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_TEXT_VRS = frozenset(
    {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UN", "UR", "UT"}
)


def attribute(keyword: str) -> str:
    """Name an attribute as the Standard does, with its tag.

    Parameters
    ----------
    keyword : str
        Keyword of the attribute, PS3.6.

    Returns
    -------
    str
        Such as ``Window Center (0028,1050)``.
    """
    tag = tag_for_keyword(keyword) or 0
    return f"{dictionary_description(tag)} ({tag >> 16:04X},{tag & 0xFFFF:04X})"


def unreadable(keyword: str, problem: str) -> UnreadableFileError:
    """Make the error that names an attribute and what is wrong with it.

    Parameters
    ----------
    keyword : str
        Keyword of the attribute.
    problem : str
        What is wrong with it, without its value.

    Returns
    -------
    UnreadableFileError
        To be raised.
    """
    return UnreadableFileError(f"the DICOM attribute {attribute(keyword)} is {problem}; export the image again from its source")


def value_of(dataset: Dataset, keyword: str) -> Any:
    """Read an attribute as pydicom does.

    Parameters
    ----------
    dataset : Dataset
        Data set or sequence item.
    keyword : str
        Keyword of the attribute.

    Returns
    -------
    Any
        Its value, None where it is missing or empty.

    Raises
    ------
    UnreadableFileError
        If pydicom cannot convert the value.
    """
    try:
        tag = _tag(keyword)
        content = dataset[tag].value if tag in dataset else None
        return None if content is None or content == "" else content
    except Exception as error:  # pydicom converts values late, with errors of many classes
        raise unreadable(keyword, "not readable") from error


@functools.cache
def _tag(keyword: str) -> BaseTag:
    """The tag of a keyword, in the form that pydicom looks up without converting it."""
    return Tag(keyword)


def texts_of(dataset: Dataset, keyword: str) -> tuple[str, ...]:
    """Read the values of an attribute as text, without converting them.

    Parameters
    ----------
    dataset : Dataset
        Data set or sequence item.
    keyword : str
        Keyword of the attribute.

    Returns
    -------
    tuple of str
        Values without leading and trailing spaces; empty where the attribute is missing or empty.

    Raises
    ------
    UnreadableFileError
        If the value is binary and cannot be converted.
    """
    element = dataset.get_item(_tag(keyword))
    if element is None:
        return ()
    if isinstance(element, RawDataElement) and (element.VR is None or element.VR in _TEXT_VRS) and _is_text(keyword):
        parts = bytes(element.value or b"").decode("latin-1").split("\\")
    else:
        content = value_of(dataset, keyword)
        several = isinstance(content, Sequence) and not isinstance(content, str | bytes)
        parts = [str(part) for part in content] if several else [] if content is None else [str(content)]
    stripped = tuple(part.strip(" \0\t\r\n") for part in parts)
    return stripped if any(stripped) else ()


def _is_text(keyword: str) -> bool:
    return keyword in TERMS or keyword in _TEXT_ATTRIBUTES


_TEXT_ATTRIBUTES = frozenset(
    {
        "EstimatedRadiographicMagnificationFactor",
        "ImagerPixelSpacing",
        "NominalScannedPixelSpacing",
        "NumberOfFrames",
        "PatientAge",
        "PatientOrientation",
        "PixelAspectRatio",
        "PixelSpacing",
        "RescaleIntercept",
        "RescaleSlope",
        "WindowCenter",
        "WindowWidth",
    }
)


def term_of(dataset: Dataset, keyword: str) -> str:
    """Read an attribute whose values are defined terms.

    Parameters
    ----------
    dataset : Dataset
        Data set or sequence item.
    keyword : str
        Keyword of the attribute, a key of `TERMS`.

    Returns
    -------
    str
        The term; `NOT_A_TERM` for any other text, empty where the attribute is missing or empty.

    Raises
    ------
    UnreadableFileError
        If the value cannot be converted.
    """
    given = texts_of(dataset, keyword)
    if not given:
        return ""
    upper = given[0].upper()
    return upper if upper in TERMS[keyword] else NOT_A_TERM


def numbers_of(dataset: Dataset, keyword: str) -> tuple[float, ...]:
    """Read the values of a Decimal String, an Integer String or a binary number.

    A decimal comma, which the Standard does not allow, ends the number, as in DCMTK: ``-1024,5`` is −1024.

    Parameters
    ----------
    dataset : Dataset
        Data set or sequence item.
    keyword : str
        Keyword of the attribute.

    Returns
    -------
    tuple of float
        Finite values; empty where the attribute is missing or empty.

    Raises
    ------
    UnreadableFileError
        If a value is no finite number.
    """
    return tuple(_number(text, keyword) for text in texts_of(dataset, keyword))


def _number(text: str, keyword: str) -> float:
    start = _NUMBER.match(text)
    rest = text[start.end() :] if start else ""
    if start is None or not (not rest or re.fullmatch(r",\d*", rest)) or abs(float(start[0])) > 1e300:
        raise unreadable(keyword, "not finite or not a number")
    return float(start[0])


def number_of(dataset: Dataset, keyword: str) -> float | None:
    """Read the first value of a number, as `numbers_of` does.

    Parameters
    ----------
    dataset : Dataset
        Data set or sequence item.
    keyword : str
        Keyword of the attribute.

    Returns
    -------
    float or None
        None where the attribute is missing or empty.

    Raises
    ------
    UnreadableFileError
        If the value is no finite number.
    """
    given = numbers_of(dataset, keyword)
    return given[0] if given else None


def integer_of(dataset: Dataset, keyword: str, default: int | None = None) -> int:
    """Read one integer.

    Parameters
    ----------
    dataset : Dataset
        Data set or sequence item.
    keyword : str
        Keyword of the attribute.
    default : int, optional
        Value where the attribute is missing or empty; without one, the attribute is required.

    Returns
    -------
    int
        The value.

    Raises
    ------
    UnreadableFileError
        If it is not one integer, or missing where it is required.
    """
    given = numbers_of(dataset, keyword)
    if not given:
        if default is None:
            raise unreadable(keyword, "missing or empty")
        return default
    if len(given) > 1 or given[0] != int(given[0]):
        raise unreadable(keyword, "not one integer")
    return int(given[0])


def age_of(dataset: Dataset) -> tuple[float | None, bool]:
    """Read Patient's Age (0010,1010), an Age String (PS3.5 6.2): three digits and D, W, M or Y.

    Text of another form, such as a number without a unit, is not interpreted.

    Parameters
    ----------
    dataset : Dataset
        Data set.

    Returns
    -------
    age_years : float or None
        Age in years, in [0, `OLDEST_YEARS`]; None where none is stated, or what is stated is not a valid age.
    stated : bool
        Whether the attribute is present and not empty, in whatever form.
    """
    try:
        texts = texts_of(dataset, "PatientAge")
    except UnreadableFileError:
        return None, True
    parsed = _AGE.fullmatch(texts[0]) if len(texts) == 1 else None
    years = int(parsed[1]) / _PER_YEAR[parsed[2]] if parsed else None
    return years if years is not None and years <= OLDEST_YEARS else None, bool(texts)


def sex_of(dataset: Dataset) -> Sex | Literal[""]:
    """Read Patient's Sex (0010,0040), PS3.3 C.7.1.1.

    Parameters
    ----------
    dataset : Dataset
        Data set.

    Returns
    -------
    {"", "F", "M", "O"}
        The term; empty where none is stated, or what is stated is no such term.
    """
    try:
        term = term_of(dataset, "PatientSex")
    except UnreadableFileError:
        return ""
    return cast("Sex", term) if term in TERMS["PatientSex"] else ""


def identifier_of(dataset: Dataset, keyword: str) -> str:
    """Read an identifier, which is never quoted.

    Parameters
    ----------
    dataset : Dataset
        Data set.
    keyword : str
        Keyword of the attribute.

    Returns
    -------
    str
        Its value, empty where it is missing.

    Raises
    ------
    UnreadableFileError
        If the value cannot be converted.
    """
    content = value_of(dataset, keyword)
    return "" if content is None else str(content).strip()
