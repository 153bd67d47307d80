"""Compose the reading of one radiograph from the outputs of the graph."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pneumoscope.classifier import Card, CardError, Population, PopulationChoice, PopulationSettings, Score
from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.population_settings import require_population
from pneumoscope.classifier.score import Decision
from pneumoscope.heatmap import Heatmap
from pneumoscope.heatmap.heatmap import EVIDENCE
from pneumoscope.lung_fields import LungFields, finder
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.radiograph import AcceptancePolicy, Caution, Placement, Radiograph, review
from pneumoscope.reader.bundle import DECISION, DISTANCE, LOGITS, PROBABILITY, scaled_name
from pneumoscope.reader.output_checks import check_answers, check_outputs
from pneumoscope.reader.settings import column
from pneumoscope.readings import DomainCheck, ModelIdentity, ModelReading, extract
from pneumoscope.readings.severity import severity_of

PREDICTED = "predicted"
"""Placeholder for the class that the decision favours."""


def compose(
    card: Card,
    model: ModelIdentity,
    policy: AcceptancePolicy,
    image: Radiograph,
    outputs: Mapping[str, NDArray[np.floating]],
    target: str,
    method: str,
    choice: PopulationChoice | None,
) -> ModelReading:
    """Compose a reading.

    Parameters
    ----------
    card : Card
        Card of the model.
    model : ModelIdentity
        The model.
    policy : AcceptancePolicy
        Rules that accept the radiograph; they give its cautions.
    image : Radiograph
        The radiograph.
    outputs : mapping of str to ndarray
        Outputs of the graph for the radiograph without the batch axis, by name (`pneumoscope.reader.bundle`): lung fields,
        logits, distance, answers, and the raw and the scaled heat maps of the method.
    target : str
        A class of the card, ``predicted``, or empty for the card's target.
    method : str
        Method of the heat maps, one of the card's.
    choice : PopulationChoice, optional
        The population that the radiograph is read as; None for a model that has the same settings for all patients.

    Returns
    -------
    ModelReading
        Score, decision, heat map, findings and lung fields.

    Raises
    ------
    ModelOutputError
        If an output is not finite or outside its range, or an answer is not the one that the card prescribes.
    """
    check_outputs(outputs)
    check_answers(card, outputs)
    population = choice.value if choice else None
    settings, at = card.settings(population), column(card, population)
    fields = finder.fields([outputs[name] for name in FIELDS], image.rows, image.cols, image.orientation)
    score = Score(card.target, float(outputs[PROBABILITY][at]), float(outputs[LOGITS][-1] - outputs[LOGITS][0]))
    decision: Decision = "positive" if outputs[DECISION][at] else "negative"
    explained = explained_class(card, target, decision)
    cells = outputs[scaled_name(method)][card.classes.index(explained)]
    layer = "evidence" if method == EVIDENCE else backbone(card.backbone).explained_layer
    threshold = settings.finding_threshold
    shown = Heatmap(cells, _placement(card, image, fields), explained, method, layer, card.map_scales[method], threshold)
    of_target = explained == card.target
    domain = _domain(settings, float(outputs[DISTANCE]), fields, image)
    inside, scale_fits = domain is None or domain.inside, of_target and method == card.map_method
    return ModelReading(
        score=score,
        decision=decision,
        operating_point=settings.operating_point,
        heatmap=shown,
        findings=extract(shown, score.probability, fields) if of_target and decision == "positive" else (),
        lung_fields=fields,
        model=model,
        grey_zone=settings.grey_zone,
        domain=domain,
        cautions=(*review(image, policy), *_age_caution(image, choice)),
        population=choice,
        severity=severity_of(shown, fields, card.severity, inside=inside, scale_fits=scale_fits),
        decoded_scale=image.decoded_scale,
    )


def check_asked(card: Card, target: str, method: str, population: Population | None = None) -> None:
    """Check that a model has a class, a method and settings for a population.

    Parameters
    ----------
    card : Card
        Card of the model.
    target : str
        A class of the card, ``predicted``, or empty for the default.
    method : str
        A method of the card, or empty for the default.
    population : {"child", "adult"}, optional
        A population that the card has settings for, or None.

    Raises
    ------
    CardError
        If the model does not have the class, the method or the population; the message lists those that it has.
    """
    require_population(card.populations, population)
    if target and target not in (*card.classes, PREDICTED):
        raise CardError(f"the model has the classes {', '.join(card.classes)}, not '{target}'; give one, or {PREDICTED}")
    if method and method not in card.map_scales:
        raise CardError(f"the model gives heat maps by {', '.join(card.map_scales)}, not '{method}'")


def explained_class(card: Card, target: str, decision: str) -> str:
    """Determine the class that the heat map of a reading explains.

    Parameters
    ----------
    card : Card
        Card of the model.
    target : str
        A class of the card, ``predicted`` for the class that the decision favours, or empty for the card's target.
    decision : str
        ``positive`` or ``negative``.

    Returns
    -------
    str
        Name of a class of the card.
    """
    decided = card.target if decision == "positive" else card.classes[0]
    return decided if target == PREDICTED else target or card.target


def _placement(card: Card, image: Radiograph, fields: LungFields) -> Placement:
    box = fields.box if card.preprocessing.crop == "lungs" else image.whole
    return Placement.of(image, box, card.preprocessing.size_px)


def _domain(settings: PopulationSettings, distance: float, fields: LungFields, image: Radiograph) -> DomainCheck | None:
    limit = settings.domain
    return DomainCheck(distance, limit.distance, fields.state != "not found", image.photograph) if limit else None


def _age_caution(image: Radiograph, choice: PopulationChoice | None) -> tuple[Caution, ...]:
    """Say that the file states an age which is not valid, where the age would have decided."""
    return (Caution.AGE,) if choice is not None and choice.cautious and image.age_stated else ()
