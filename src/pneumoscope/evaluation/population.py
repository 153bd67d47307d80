"""Choose the cases of one population, and the settings with which a model answers for them."""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from pneumoscope.classifier import Card, Population
from pneumoscope.classifier.population import PLURALS
from pneumoscope.classifier.population_settings import cautious_population, require_population
from pneumoscope.cohort import Case, Cohort
from pneumoscope.evaluation.errors import EvaluationError


def of_population(cohort: Cohort, population: Population | None) -> Cohort:
    """Select the cases of a population.

    Parameters
    ----------
    cohort
        The cohort.
    population
        The population; None for every case.

    Returns
    -------
    Cohort
        The same cohort and split, without the cases of another population. Cases of which the cohort does not tell the
        population are taken to be of this one.

    Raises
    ------
    EvaluationError
        If no case is left.
    """
    if population is None:
        return cohort
    cases = tuple(case for case in cohort.cases if case.population in ("", population))
    if not cases:
        raise EvaluationError(f"the cohort has no case of {PLURALS[population]}; leave out --population, or give another cohort")
    return dataclasses.replace(cohort, cases=cases)


def common_population(card: Card, cases: Sequence[Case], stated: Population | None = None) -> Population | None:
    """Determine the population of cases that are measured together with one threshold.

    Parameters
    ----------
    card
        Card of the model.
    cases
        The cases.
    stated
        The population of the cases of which the cohort does not tell it; None if it is unknown.

    Returns
    -------
    {"child", "adult"} or None
        The population whose settings decide; None if it is unknown, so that the cautious settings decide, or if the model has the
        same settings for all patients.

    Raises
    ------
    EvaluationError
        If the model has settings by population and the cases are of several.
    CardError
        If the model has settings by population, but none for this one.
    """
    if not card.populations:
        return None
    counts = Counter(case.population or stated for case in cases)
    if len(counts) > 1:
        listed = ", ".join(f"{count} of {PLURALS[name] if name else 'unknown age'}" for name, count in counts.most_common())
        raise EvaluationError(
            f"'{card.name}' has a threshold for each population, but these images are {listed}; measure one population at a time "
            "with --population child or --population adult"
        )
    (population,) = counts or {stated: 0}
    require_population(card.populations, population)
    return population


def settings_in_words(card: Card, population: Population | None) -> str:
    """Name the settings that decided, for a table.

    Parameters
    ----------
    card
        Card of the model.
    population
        The population of the cases; None if it is unknown.

    Returns
    -------
    str
        Such as ``adult``, or ``unknown (cautious settings: child)``; empty for a model that has the same settings for all
        patients.
    """
    if not card.populations:
        return ""
    return population or f"unknown (cautious settings: {cautious_population(card.populations)})"
