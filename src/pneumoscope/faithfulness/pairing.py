"""Pairs of cases of different patients: the floor of a similarity between maps."""

from collections.abc import Sequence

ONE_PATIENT = "one patient alone gives no pair of different patients"


def of_other_patients(patients: Sequence[str]) -> list[int] | None:
    """Pair each case with the nearest case before it, in a circle, that is of another patient.

    Parameters
    ----------
    patients
        Patient of each case.

    Returns
    -------
    list of int or None
        For each case the number of its partner, from 0; None if all cases are of one patient.

    Examples
    --------
    >>> of_other_patients(["a", "a", "b"])
    [2, 2, 1]
    """
    if len(set(patients)) < 2:
        return None
    n = len(patients)
    return [next(j % n for j in range(k - 1, k - n, -1) if patients[j % n] != patients[k]) for k in range(n)]
