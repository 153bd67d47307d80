"""Shortcut baselines: how well classifiers do that never see a lung."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from threadpoolctl import threadpool_limits

from pneumoscope.cohort import Cohort
from pneumoscope.cohort.case import both_classes
from pneumoscope.cohort.shortcut_features import Features
from pneumoscope.evaluation.errors import EvaluationError
from pneumoscope.statistics import intervals, metrics
from pneumoscope.statistics.estimate import Estimate, undefined
from pneumoscope.statistics.metrics import Array

FOLDS = 5
ALL = "all of these"
"""The name of the classifier that sees every group of features that is known of all cases."""


def audit(cohort: Cohort, features: Features, *, draws: int = 500, seed: int = 0) -> Mapping[str, Estimate]:
    """Estimate the ROC-AUC of classifiers that see one group of features each, and of one that sees them all.

    Each is a gradient-boosted forest (scikit-learn's HistGradientBoosting at its defaults, with smaller leaves below 200 cases),
    in five-fold cross-validation by patient: every case is predicted by a forest that saw no case of its patient. A forest runs
    on one thread: on busy processors more threads wait for each other.

    Parameters
    ----------
    cohort
        Cases of both classes.
    features
        By name a group of features, shape (n_cases, n_features); a group that is NaN for some cases is measured on the others
        and left out of `ALL`.
    draws
        Bootstrap draws of patients.
    seed
        Of the forests, the folds and the bootstrap.

    Returns
    -------
    Mapping[str, Estimate]
        ROC-AUC by group. The bootstrap takes the forests as they are, so that the intervals are somewhat short: near 0.5 they
        cover about nine times in ten.

    Raises
    ------
    CohortError
        If only one class is present.
    EvaluationError
        If a class has fewer than five patients.
    """
    both_classes(cohort.cases, "the cohort")
    reference = np.array([case.reference for case in cohort.cases], float)
    patients = np.array([case.patient_id for case in cohort.cases])
    if _fewest_patients(reference, patients) < FOLDS:
        raise EvaluationError(f"a shortcut audit needs at least {FOLDS} patients of each class; give a larger cohort")
    complete = [values for values in features.values() if not np.isnan(values).any()]
    groups = {**features, ALL: np.concatenate(complete, 1)}
    return {name: _auc(values, reference, patients, draws, seed) for name, values in groups.items()}


def _fewest_patients(reference: Array, patients: NDArray[np.str_]) -> int:
    """Number of patients of the class that has fewer."""
    return min(len(np.unique(patients[reference == label])) for label in (0, 1))


def _auc(values: NDArray[np.float64], reference: Array, patients: NDArray[np.str_], draws: int, seed: int) -> Estimate:
    known = ~np.isnan(values).any(1)
    values, reference, patients = values[known], reference[known], patients[known]
    n = len(np.unique(patients))
    if _fewest_patients(reference, patients) < FOLDS:
        return undefined(n, f"known for fewer than {FOLDS} patients of a class")
    if (values == values[0]).all():
        return undefined(n, "the same for every image")
    forest = HistGradientBoostingClassifier(min_samples_leaf=min(20, max(2, len(values) // 10)), random_state=seed)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    with threadpool_limits(1):
        predicted = cross_val_predict(forest, values, reference, groups=patients, cv=folds, method="predict_proba")
    weights = intervals.patient_weights(patients.tolist(), draws, seed)
    return intervals.bootstrap(metrics.roc_auc, reference, np.asarray(predicted)[:, 1], patients.tolist(), weights)
