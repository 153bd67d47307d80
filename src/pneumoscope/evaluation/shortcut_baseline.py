"""How well trivial classifiers do that never see a lung: the baseline beside every figure on a data set."""

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

FOLDS = 5
ALL = "all of these"


def audit(cohort: Cohort, features: Features, *, draws: int = 500, seed: int = 0) -> Mapping[str, Estimate]:
    """ROC-AUC of each group of features, and of all together, by patient-grouped cross-validation with five folds.

    Each classifier is a gradient-boosted forest (scikit-learn's HistGradientBoosting at its defaults, but with smaller
    leaves below 200 cases, where the default could hardly split) that predicts each case from folds without that case's
    patient. The interval resamples patients and takes the classifiers as they are, so it is somewhat short: near 0.5 it
    covers about nine times in ten. A group that is unknown (NaN) for some cases is measured on the others and takes no part
    in ``all of these``.
    """
    both_classes(cohort.cases, "the cohort")
    reference = np.array([c.reference for c in cohort.cases], float)
    patients = [c.patient_id for c in cohort.cases]
    if min(len({p for p, r in zip(patients, reference, strict=True) if r == value}) for value in (0, 1)) < FOLDS:
        raise EvaluationError(f"a shortcut audit needs at least {FOLDS} patients of each class")
    complete = [values for values in features.values() if not np.isnan(values).any()]
    groups = {**features, ALL: np.concatenate(complete, 1)}
    return {name: _auc(values, reference, np.array(patients), draws, seed) for name, values in groups.items()}


def _auc(
    values: NDArray[np.float64], reference: NDArray[np.float64], patients: NDArray[np.str_], draws: int, seed: int
) -> Estimate:
    known = ~np.isnan(values).any(1)
    values, reference, patients = values[known], reference[known], patients[known]
    n = len(np.unique(patients))
    if any(len(np.unique(patients[reference == value])) < FOLDS for value in (0, 1)):
        return undefined(n, f"known for fewer than {FOLDS} patients of a class")
    if (values == values[0]).all():
        return undefined(n, "the same for every image")
    model = HistGradientBoostingClassifier(min_samples_leaf=min(20, max(2, len(values) // 10)), random_state=seed)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    # On tables of this size OpenMP's threads wait for one another longer than they compute: four to twenty times on two cores.
    with threadpool_limits(1, "openmp"):
        predicted = cross_val_predict(model, values, reference, groups=patients, cv=folds, method="predict_proba")
    weights = intervals.patient_weights(patients.tolist(), draws, np.random.default_rng(seed))
    return intervals.bootstrap(metrics.roc_auc, reference, np.asarray(predicted)[:, 1], patients.tolist(), weights)
