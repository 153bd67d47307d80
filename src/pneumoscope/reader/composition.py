"""Compose the reading of one radiograph from the outputs of the graph."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pneumoscope.classifier import Card, PopulationChoice, PopulationSettings, Score
from pneumoscope.classifier.backbone import backbone
from pneumoscope.heatmap import heatmap
from pneumoscope.lung_fields import LungFields, finder
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.radiograph import AcceptancePolicy, Caution, Placement, Radiograph, review
from pneumoscope.reader.output_checks import check_outputs
from pneumoscope.readings import DomainCheck, ModelIdentity, ModelReading, extract
from pneumoscope.readings.severity import severity_of

PREDICTED = "predicted"
"""Placeholder for the class that the decision favours."""


def compose(
    card: Card,
    model: ModelIdentity,
    policy: AcceptancePolicy,
    image: Radiograph,
    outputs: Sequence[NDArray[np.float32]],
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
    outputs : sequence of ndarray
        Outputs of the graph for the radiograph without the batch axis: those of
        `pneumoscope.lung_fields.finder.OUTPUT_NAMES`, then logits (classes,), distance () and raw heat maps (classes, h, w).
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
        If an output is not finite or outside its range.
    """
    check_outputs(outputs)
    settings = card.settings(choice and choice.value)
    fields = finder.fields(outputs[: len(FIELDS)], image.rows, image.cols, image.orientation)
    logits, distance, maps = outputs[len(FIELDS) :]
    log_odds = float(logits[-1] - logits[0])
    answer = settings.answer(log_odds)
    explained = explained_class(card, target, answer.decision)
    raw = maps[card.classes.index(explained)]
    layer = "evidence" if method == heatmap.EVIDENCE else backbone(card.backbone).explained_layer
    shown = heatmap.on_radiograph(raw, _placement(card, image, fields), card, explained, layer, method)
    shown = replace(shown, threshold=settings.finding_threshold)
    of_target = explained == card.target
    domain = _domain(settings, float(distance), fields)
    inside, scale_fits = domain is None or domain.inside, of_target and method == card.map_method
    return ModelReading(
        score=Score(card.target, answer.probability, log_odds),
        decision=answer.decision,
        operating_point=settings.operating_point,
        heatmap=shown,
        findings=extract(shown, answer.probability, fields) if of_target and answer.decision == "positive" else (),
        lung_fields=fields,
        model=model,
        grey_zone=settings.grey_zone,
        domain=domain,
        cautions=(*review(image, policy), *_age_caution(image, choice)),
        population=choice,
        severity=severity_of(shown, fields, card.severity, inside=inside, scale_fits=scale_fits),
    )


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


def _domain(settings: PopulationSettings, distance: float, fields: LungFields) -> DomainCheck | None:
    limit = settings.domain
    return DomainCheck(distance, limit.distance, fields.state != "not found") if limit else None


def _age_caution(image: Radiograph, choice: PopulationChoice | None) -> tuple[Caution, ...]:
    """Say that the file states an age which is not valid, where the age would have decided."""
    return (Caution.AGE,) if choice is not None and choice.cautious and image.age_stated else ()
