"""A model card for each network of a comparison, after Mitchell et al. 2019 (arXiv 1810.03993), as Markdown."""

from collections.abc import Mapping, Sequence

from pneumoscope import DISCLAIMER
from pneumoscope.classifier import Card
from pneumoscope.comparison.summary import AGAINST, OF_MAPS, OF_REGIONS, Summary

SHOWN = ("ROC-AUC", "PR-AUC", "accuracy", "F1", "sensitivity", "specificity", "Brier", "ECE", "calibration slope", *OF_MAPS)
MARKED = tuple(f"{figure}{AGAINST}" for figure in OF_REGIONS)


def page(
    name: str,
    card: Card,
    figures: Mapping[str, Summary],
    costs: Mapping[str, float],
    within: Sequence[str],
    test: str,
    spread: str,
    regions: str,
) -> str:
    """The page of one network: what it is, for whom, how it was trained, what came out, what not to believe.

    `card` is the bundle's; `within` names the figures of subgroups, `test` and `regions` say what the figures are of, `spread`
    what stands beside them.
    """
    against = [f"## Heat maps against regions: {regions}", "", *_table(figures, MARKED, spread), ""] if regions else []
    looks = card.preprocessing
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
        f"- Operating point: {card.operating_point.threshold:.4f} by {card.operating_point.rule}, fixed on tune; calibration: "
        f"{card.calibration.method}, {card.calibration.fitted_on or 'not fitted'}.",
        "",
        f"## Figures on the {test}",
        "",
        *_table(figures, (*SHOWN, *within), spread),
        "",
        *against,
        "## Cost",
        "",
        "| | |",
        "|---|--:|",
        *(f"| {what} | {value:,.4g} |" for what, value in costs.items()),
        "",
    ]
    return "\n".join(lines)


def _table(figures: Mapping[str, Summary], wanted: Sequence[str], spread: str) -> list[str]:
    return [
        f"| figure | value ({spread}) |",
        "|---|--:|",
        *(f"| {name} | {figures[name]} |" for name in wanted if name in figures),
    ]
