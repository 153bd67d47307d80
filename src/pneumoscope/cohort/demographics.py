"""Age, sex, view position and population of a case: parse what tables write, and compare it with the DICOM header."""

import math
import re
from collections.abc import Iterable
from typing import Literal, cast, get_args

from pneumoscope.cohort.errors import CohortError
from pneumoscope.population import ADULT_YEARS, Population
from pneumoscope.population import population_of as by_age
from pneumoscope.radiograph.header import OLDEST_YEARS
from pneumoscope.radiograph.terms import TERMS, Sex

_AGE = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[DWMY]?)")
_UNITS_A_YEAR = {"": 1.0, "Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}
_SEXES = {"": "", "U": "", "UNKNOWN": "", "F": "F", "FEMALE": "F", "M": "M", "MALE": "M", "O": "O", "OTHER": "O"}
_SAME_AGE_YEARS = 1.0
"""Largest difference between two statements of one age: a table may count full years, or from another day."""


def parse_age(text: str, oldest: float = OLDEST_YEARS) -> float | None:
    """Parse an age.

    Parameters
    ----------
    text
        A number of years (``58``, ``0.5``), or a number with a unit as DICOM's Age String (PS3.5 6.2) and NIH's tables write it:
        ``058Y``, ``006M``, ``003W``, ``010D``, with or without leading zeros.
    oldest
        Largest age in years that is accepted.

    Returns
    -------
    float or None
        The age in years, ≥ 0; None for an empty text.

    Raises
    ------
    ValueError
        If the text is of another form, or the age is larger than `oldest`.

    Examples
    --------
    >>> parse_age("058Y"), parse_age("006M"), parse_age("")
    (58.0, 0.5, None)
    """
    text = text.strip().upper()
    if not text:
        return None
    match = _AGE.fullmatch(text) if text.isascii() else None
    years = float(match["number"]) / _UNITS_A_YEAR[match["unit"]] if match else math.nan
    if not years <= oldest:
        raise ValueError("no age")
    return years


def parse_sex(text: str) -> Sex | Literal[""]:
    """Parse a sex as DICOM's Patient's Sex (PS3.3 C.7.1.1) has it.

    Parameters
    ----------
    text
        F, M or O, or Female, Male or Other, in any case; empty, U or Unknown where the sex is not known.

    Returns
    -------
    str
        ``F``, ``M``, ``O``, or empty.

    Raises
    ------
    ValueError
        If the text is none of these.
    """
    word = text.strip().upper()
    if word not in _SEXES:
        raise ValueError("no sex")
    return cast("Sex | Literal['']", _SEXES[word])


def parse_view(text: str) -> str:
    """Parse a View Position.

    Parameters
    ----------
    text
        A term of DICOM's View Position (PS3.3 C.8.1.1 and C.8.11.5), in any case; empty where the view is not known.

    Returns
    -------
    str
        The term in capitals, or empty.

    Raises
    ------
    ValueError
        If the text is no such term.
    """
    word = text.strip().upper()
    if word and word not in TERMS["ViewPosition"]:
        raise ValueError("no View Position")
    return word


def view_term(text: str) -> str:
    """Return a View Position if the text is one of DICOM's terms, else an empty text.

    Parameters
    ----------
    text
        What a table or a header says.

    Returns
    -------
    str
        The term in capitals, or empty.
    """
    word = text.strip().upper()
    return word if word in TERMS["ViewPosition"] else ""


def population_of(age_years: float | None, stated: Population | Literal[""] = "") -> Population | Literal[""]:
    """Decide the population of a patient: by the age where it is known, else as stated.

    Parameters
    ----------
    age_years
        Age in years; None where it is not known.
    stated
        What the user says of the whole data set; empty where nothing is said.

    Returns
    -------
    str
        ``child``, ``adult`` (`ADULT_YEARS` or older), or empty where nothing is known.
    """
    return stated if age_years is None else by_age(age_years)


def require_population(ages: Iterable[float | None], stated: Population | Literal[""]) -> None:
    """Refuse a statement about the population that contradicts known ages.

    Parameters
    ----------
    ages
        Age of the patient of each image in years; None where it is not known.
    stated
        What the user says of the whole data set; empty where nothing is said.

    Raises
    ------
    CohortError
        If the statement is no population, or an age contradicts it.
    """
    if stated and stated not in get_args(Population):
        raise CohortError(f"the population '{stated}' is not known; choose one of {', '.join(get_args(Population))}")
    others = sum(population_of(age, stated) != stated for age in ages) if stated else 0
    if others:
        side = "below" if stated == "adult" else "of at least"
        raise CohortError(
            f"the population was said to be {stated}, but {others} images are of patients {side} {ADULT_YEARS:g} years; "
            "leave the statement out, since the ages are known, or choose other rows"
        )


def same_age(first: float | None, second: float | None) -> bool:
    """Tell whether two statements of an age can both be true.

    Parameters
    ----------
    first, second
        Ages in years; None where nothing is stated.

    Returns
    -------
    bool
        True if one is missing or they differ by at most one year.
    """
    return first is None or second is None or abs(first - second) <= _SAME_AGE_YEARS
