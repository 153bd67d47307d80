"""A model card for each network of a comparison, after Mitchell et al. 2019 (arXiv 1810.03993), as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pneumoscope import DISCLAIMER
from pneumoscope.classifier import Card
from pneumoscope.comparison.summary import AGAINST, OF_MAPS, OF_REGIONS, Summary
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.table import Table

SHOWN = (
    Figure.ROC_AUC, Figure.PR_AUC, Figure.ACCURACY, Figure.F1, Figure.SENSITIVITY, Figure.SPECIFICITY, Figure.BRIER, Figure.ECE,
    Figure.CALIBRATION_SLOPE, *OF_MAPS,
)  # fmt: skip
AGAINST_REGIONS = tuple(f"{figure}{AGAINST}" for figure in OF_REGIONS)


@dataclass(frozen=True)
class Measured:
    """What the figures of a model card are of.

    Parameters
    ----------
    test
        The test split, in words.
    spread
        What stands with each value: an interval or a standard deviation.
    regions
        The reference regions, in words; empty without any.
    subgroups
        Names of the figures of subgroups.
    """

    test: str
    spread: str
    regions: str
    subgroups: Sequence[str]


def page(name: str, card: Card, figures: Mapping[str, Summary], costs: Mapping[str, float], measured: Measured) -> str:
    """Write the card of one network: what it is, for whom, how it was trained, what was measured.

    Parameters
    ----------
    name
        Of the network.
    card
        The record of its bundle.
    figures
        By name.
    costs
        By name.
    measured
        What the figures are of.

    Returns
    -------
    str
        Markdown.
    """
    looks, point = card.preprocessing, card.operating_point
    against = []
    if measured.regions:
        against = [f"## Heat maps against regions: {measured.regions}", "", _figures(figures, AGAINST_REGIONS, measured.spread)]
    lines = [
        f"# {name}",
        "",
        f"**{DISCLAIMER}** Model `{card.name}`, graph SHA-256 `{card.files.get('model.onnx', '')[:12]}`.",
        "",
        "## What it is",
        "",
        f"- Backbone {card.backbone}, head {card.head}; looks at the {looks.crop} crop, {looks.size_px} × {looks.size_px} px.",
        f"- Classes {', '.join(card.classes)}; heat map by {card.map_method}, of the class {card.target}.",
        f"- Started from: {card.init}.",
        "",
        "## Use",
        "",
        f"- Intended population: {card.intended_population}.",
        f"- {card.limits}",
        "",
        "## Training data",
        "",
        f"- {card.cohort} (split `{card.split_sha256[:12]}`).",
        *(f"- Licence: {licence}." for licence in card.data_licences),
        "",
        "## Training",
        "",
        "- " + ", ".join(f"{key} {value}" for key, value in card.recipe.items()) + ".",
        f"- Operating point: {point.threshold:.4f} by {point.rule}, fixed on tune; calibration: {card.calibration.method}, "
        f"{card.calibration.fitted_on or 'not fitted'}.",
        "",
        f"## Figures on the {measured.test}",
        "",
        _figures(figures, (*SHOWN, *measured.subgroups), measured.spread),
        *against,
        "## Cost",
        "",
        Table.of(("cost", "value"), [[cost, f"{value:,.4g}"] for cost, value in costs.items()]).markdown(),
    ]
    return "\n".join(lines)


def _figures(figures: Mapping[str, Summary], wanted: Sequence[str], spread: str) -> str:
    rows = [[name, str(figures[name])] for name in wanted if name in figures]
    return Table.of(("figure", f"value ({spread})"), rows).markdown()
