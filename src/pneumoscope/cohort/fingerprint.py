"""Salted hashes of patients and images, by which a model recognises the cases that it was trained on."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from pneumoscope.cohort.case import Case, split_sha256
from pneumoscope.fingerprint import Fingerprint

_HEX_DIGITS = 16  # 64 bits: among 10,000 hashes, one of 100,000 strangers matches with a probability of 5e-11


@dataclass(frozen=True)
class Overlap:
    """The cases of another cohort that a `Fingerprint` recognises.

    Parameters
    ----------
    cases
        Every case whose patient or image is in the fingerprint, in the order of the cohort.
    n_patients
        Number of patients of the cohort that are in the fingerprint.
    n_images
        Number of images of the cohort that are in the fingerprint.
    """

    cases: tuple[Case, ...]
    n_patients: int
    n_images: int

    def __bool__(self) -> bool:
        """Whether any case is recognised."""
        return bool(self.cases)

    def __str__(self) -> str:
        """The counts in words, without an identifier."""
        return f"{len(self.cases)} radiographs ({self.n_patients} patients, {self.n_images} identical images)"


def fingerprint(cases: Iterable[Case], *, salt: str = "") -> Fingerprint:
    """Hash the patients and images of `cases` under one salt.

    Parameters
    ----------
    cases
        The cases that a model is trained on.
    salt
        Hexadecimal text; if empty, it is derived from the cases themselves, so that the same cases give the same
        fingerprint and other cases another salt.

    Returns
    -------
    Fingerprint
        Sorted hashes without the identifiers.

    Examples
    --------
    >>> from pneumoscope.cohort import Case
    >>> trained = fingerprint([Case("a.png", "NORMAL", 0, "p1"), Case("b.png", "PNEUMONIA", 1, "p2")])
    >>> print(overlap(trained, [Case("c.png", "NORMAL", 0, "p1"), Case("d.png", "NORMAL", 0, "p3")]))
    1 radiographs (1 patients, 0 identical images)
    """
    cases = tuple(cases)
    salt = salt or split_sha256(cases)[:32]
    return Fingerprint(
        salt=salt,
        patients=tuple(sorted({_patient(salt, case) for case in cases})),
        images=tuple(sorted({_image(salt, case) for case in cases})),
    )


def overlap(known: Fingerprint, cases: Iterable[Case]) -> Overlap:
    """Find the cases whose patient or image is in a fingerprint.

    Parameters
    ----------
    known
        The fingerprint of a model's training cases.
    cases
        The cases that the model is to be tested on.

    Returns
    -------
    Overlap
        The recognised cases with counts; false where there is none.
    """
    cases = tuple(cases)
    patients, images = set(known.patients), set(known.images)
    by_patient = [case for case in cases if _patient(known.salt, case) in patients]
    by_image = [case for case in cases if _image(known.salt, case) in images]
    recognised = {id(case) for case in (*by_patient, *by_image)}
    return Overlap(
        cases=tuple(case for case in cases if id(case) in recognised),
        n_patients=len({case.patient_id for case in by_patient}),
        n_images=len({case.image for case in by_image}),
    )


def _patient(salt: str, case: Case) -> str:
    return _hash(salt, "patient", case.patient_in_source)  # a joined cohort and its parents name a patient alike


def _image(salt: str, case: Case) -> str:
    return _hash(salt, "image", case.image)


def _hash(salt: str, kind: str, identifier: str) -> str:
    return hashlib.sha256("\0".join((salt, kind, identifier)).encode()).hexdigest()[:_HEX_DIGITS]
