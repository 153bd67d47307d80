"""Make docs/results.md and a block of docs/comparison.md from the finished comparisons, docs/results/*/comparison.json."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pneumoscope import DISCLAIMER
from pneumoscope.comparison.comparison import COST, cheapest_non_inferior
from pneumoscope.comparison.published import PRINTED, PUBLISHED
from pneumoscope.comparison.repeated_runs import ON_TUNE
from pneumoscope.comparison.summary import LUNG_SHARE, OF_MAPS
from pneumoscope.comparison.tables import of_shortcuts
from pneumoscope.statistics.estimate import from_json

RUNS = Path(__file__).resolve().parent / "results"
FIRST, LUNGS = "whole", "lungs"
STARTS = ("imagenet-whole", "imagenet-lungs")
LONGER, LARGER = "longer", ("larger", "larger-lungs")
REPEATED = ("mobilenet_v2",)
"""Backbones that were trained again with more epochs, ImageNet weights or a larger input."""
TAUGHT, OFFICIAL = "taught", ("official", "imagenet-official")
MARGIN = 0.005
"""Loss of ROC-AUC that counts as none."""
PUBLISHED_BEST = {"ROC-AUC": 0.997, "F1": 0.987, "accuracy": 0.98}
HEADLINE = ("ROC-AUC", "accuracy", "F1", "peak in the lungs")
DECISIONS = ("ROC-AUC", "accuracy", "F1", "sensitivity", "specificity", "peak in the lungs")
FIGURES = (
    "ROC-AUC", "accuracy", "F1", "energy in the lungs", "peak in the lungs", "hit against regions", "pixel AP against regions",
)  # fmt: skip
COSTS = (
    "score ms", "score and map ms", "reading ms", "bundle, MB", "bundle in int8, MB", "parameters, million", "training, minutes",
)  # fmt: skip

Comparison = Mapping[str, Any]
Figure = Mapping[str, Any]


def read_comparison(name: str) -> Comparison:
    """Read the figures of a finished comparison."""
    comparison: Comparison = json.loads((RUNS / name / "comparison.json").read_text(encoding="utf-8"))
    return comparison


def page() -> str:
    """Make the text of docs/results.md."""
    text = (RUNS / "page.md").read_text(encoding="utf-8")
    first, lungs = read_comparison(FIRST), read_comparison(LUNGS)
    parts = {
        "disclaimer": DISCLAIMER,
        "test": _test(first),
        "split": first["conditions"]["split"],
        "minutes": _minutes(),
        "summary": _summary(first, lungs),
        "table:first": _table([FIRST]),
        "table:lungs": _table([LUNGS]),
        "lung_share": f"{_lung_share(first):.3f}",
        "below_share": str(sum(own[OF_MAPS[0]]["value"] < _lung_share(first) for own in first["members"].values())),
        "groups:first": _inseparable(first),
        "groups:lungs": _inseparable(lungs),
        "crops": _crops(first),
        "default": _default(),
        "table:cost": _costs(first),
        "table:starts": _table(STARTS, ("crop", "start")),
        "taught": _taught(first),
        "table:official": _table(OFFICIAL, ("start",), figures=(ON_TUNE, *DECISIONS)),
        "groups:official": _inseparable(read_comparison(OFFICIAL[0])),
        "gaps:official": _differences(read_comparison(OFFICIAL[0]), first),
        "official_test": _test(read_comparison(OFFICIAL[0])),
        "table:rest": _table(
            [FIRST, LONGER, STARTS[0], LARGER[0], LUNGS, STARTS[1], LARGER[1]], ("crop", "px", "epochs", "start"), REPEATED
        ),
        "gap:larger": _signed(_tested(read_comparison(LARGER[0]), LARGER[1])),
        "table:published": _published(first),
        "table:shortcuts": _shortcuts(first),
        "reports": "\n".join(f"- [{name}](results/{name}/report.html)" for name in _all()),
    }
    for key, value in parts.items():
        text = text.replace("{{" + key + "}}", value)
    return text


def headline() -> str:
    """Make the block of docs/comparison.md: the best backbone and the best trade-off on each crop, with n and intervals."""
    lines = [
        f"{_test(read_comparison(FIRST))}; every backbone was trained from scratch under one recipe.",
        "",
        "| crop | backbone | ROC-AUC (95 % interval) | accuracy | F1 | peak in the lungs | score and map, ms |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for crop, name in (("whole image, Grad-CAM", FIRST), ("lungs, evidence", LUNGS)):
        comparison = read_comparison(name)
        distinctions: dict[str, list[str]] = {}
        for distinction, network in (("highest", _networks(comparison)[0]), ("best trade-off", _trade_off(comparison))):
            distinctions.setdefault(network, []).append(distinction)
        for network, names in distinctions.items():
            figures = " | ".join(_figure(comparison["members"][network][figure]) for figure in HEADLINE)
            ms = comparison["costs"][network]["score and map ms"]
            lines.append(f"| {crop} | {network} ({', '.join(names)}) | {figures} | {ms:.1f} |")
    return "\n".join([*lines, "", *_from_imagenet(), *_larger()]) + "\n"


def _from_imagenet() -> list[str]:
    best = [(comparison, _networks(comparison)[0]) for comparison in map(read_comparison, STARTS)]
    comparison, network = max(best, key=lambda pair: float(pair[0]["members"][pair[1]]["ROC-AUC"]["value"]))
    figures = comparison["members"][network]
    return [
        f"From ImageNet weights, under the same recipe, {network} reaches ROC-AUC {_figure(figures['ROC-AUC'])} "
        f"and F1 {_figure(figures['F1'])}."
    ]


def _larger() -> list[str]:
    lines = []
    for comparison, crop in zip(map(read_comparison, LARGER), ("the whole image", "the lungs crop"), strict=True):
        network, recipe = _networks(comparison)[0], comparison["conditions"]["recipe"]
        figures = ", ".join(f"{figure} {_figure(comparison['members'][network][figure])}" for figure in HEADLINE)
        lines.append(
            f"With ImageNet weights, {_size_px(recipe)} px and {recipe['epochs']} epochs, {network} reaches on {crop}: {figures}."
        )
    return lines


def _all() -> list[str]:
    return [FIRST, LUNGS, *STARTS, TAUGHT, *OFFICIAL, LONGER, *LARGER]


def _size_px(recipe: Mapping[str, Any]) -> int:
    """Read the edge of the input; files of earlier versions call it ``side_px``."""
    return int(recipe.get("size_px", recipe.get("side_px")))


def _crop(recipe: Mapping[str, Any]) -> str:
    """Read the crop; files of earlier versions call it ``view``."""
    return str(recipe.get("crop", recipe.get("view")))


def _networks(comparison: Comparison) -> list[str]:
    """List the trained networks, without ensembles, from the highest ROC-AUC to the lowest."""
    return [name for name in comparison["order"] if name in comparison["costs"]]


def _test(comparison: Comparison) -> str:
    n, partition = comparison["test"], comparison["conditions"]["split"][:12]
    counts = f"{n['images']:,} images of {n['patients']:,} patients, {n['positive']} with pneumonia"
    return f"{counts} (test split of partition `{partition}`)"


def _figure(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "–"
    low, high = figure["low"], figure["high"]
    return f"{figure['value']:.4f}" if low is None else f"{figure['value']:.4f} ({low:.4f}–{high:.4f})"


def _minutes() -> str:
    comparisons = map(read_comparison, _all())
    return f"{sum(own['costs'][name]['training, minutes'] for own in comparisons for name in _networks(own)):.0f}"


def _table(
    names: Sequence[str], conditions: Sequence[str] = (), only: Sequence[str] = (), figures: Sequence[str] = FIGURES
) -> str:
    """Make a table of the networks of some comparisons.

    Parameters
    ----------
    names : sequence of str
        The comparisons.
    conditions : sequence of str
        Conditions that get a column: crop, px, epochs, start or teacher.
    only : sequence of str
        Backbones to show, in this order; all, ordered by comparison, if it is empty.
    figures : sequence of str
        Figures that get a column.

    Returns
    -------
    str
        A Markdown table.
    """
    head = ["backbone", *conditions, *figures]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---|" * len(conditions) + "--:|" * len(figures)]
    rows = [(network, comparison) for comparison in map(read_comparison, names) for network in _networks(comparison)]
    if only:
        rows = [(network, comparison) for name in only for network, comparison in rows if network == name]
    for network, comparison in rows:
        stated, own = _conditions(comparison, network), comparison["members"][network]
        cells = [network, *(stated[name] for name in conditions), *(_figure(own.get(figure)) for figure in figures)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _conditions(comparison: Comparison, network: str) -> dict[str, str]:
    recipe = comparison["conditions"]["recipe"]
    return {
        "crop": _crop(recipe),
        "px": str(_size_px(recipe)),
        "epochs": str(recipe["epochs"]),
        "start": comparison["starts"][network],
        "teacher": comparison["conditions"]["teacher"] or "–",
    }


def _lung_share(comparison: Comparison) -> float:
    return float(comparison["members"][_networks(comparison)[0]][LUNG_SHARE]["value"])


def _costs(comparison: Comparison) -> str:
    lines = ["| backbone | " + " | ".join(COSTS) + " |", "|---|" + "--:|" * len(COSTS)]
    for network in _networks(comparison):
        lines.append(f"| {network} | " + " | ".join(f"{comparison['costs'][network][cost]:,.1f}" for cost in COSTS) + " |")
    return "\n".join(lines)


def _trade_off(comparison: Comparison) -> str:
    """Choose the best trade-off by the margin; earlier versions named a network that was only not shown to be worse."""
    costs = {name: float(own[COST]) for name, own in comparison["costs"].items()}
    differences = [(pair["first"], pair["second"], from_json(pair["roc_auc"])) for pair in comparison["pairs"]]
    return cheapest_non_inferior(comparison["order"], costs, differences, comparison.get("margin", MARGIN))


def _inseparable(comparison: Comparison) -> str:
    """Name the groups of networks without a significant difference, and the best trade-off."""
    groups = [", ".join(group) for group in comparison.get("inseparable", comparison.get("not told apart"))]
    verdict = (
        f"the groups without a significant difference at this n are: {'; '.join(groups)}"
        if groups
        else "every two neighbours differ significantly"
    )
    return (
        f"By ROC-AUC (DeLong's test, clustered by patient, Holm's adjustment over {len(comparison['pairs'])} pairs), {verdict}. "
        f"Best trade-off: `{_trade_off(comparison)}`."
    )


def _summary(first: Comparison, lungs: Comparison) -> str:
    lines = [f"- Whole image, from scratch: {_best(first)}.", f"- Lungs crop, from scratch: {_best(lungs)}."]
    crops = {"whole": "Whole image", "lungs": "Lungs crop"}
    for comparison in map(read_comparison, [*STARTS, *LARGER]):
        recipe = comparison["conditions"]["recipe"]
        size = f"{_size_px(recipe)} px, {recipe['epochs']} epochs"
        lines.append(f"- {crops[_crop(recipe)]}, from ImageNet weights, {size}: {_best(comparison)}.")
    return "\n".join(lines)


def _best(comparison: Comparison) -> str:
    """Compare the network of the highest ROC-AUC with the best published figures."""
    name = _networks(comparison)[0]
    own = comparison["members"][name]
    reached = [
        f"{figure} {_figure(own[figure])}, {'reached' if own[figure]['value'] >= least else 'not reached'}"
        for figure, least in PUBLISHED_BEST.items()
    ]
    published = ", ".join(f"{figure} {least:g}" for figure, least in PUBLISHED_BEST.items())
    return f"the highest is `{name}`: {'; '.join(reached)} (best published: {published})"


def _crops(first: Comparison) -> str:
    differences = _tested(first, LUNGS)
    near = [name for name, difference in differences.items() if difference["value"] >= -MARGIN]
    shown = [name for name in near if differences[name]["low"] >= -MARGIN]
    return (
        f"ROC-AUC on the lungs crop minus ROC-AUC on the whole image (95 % interval, DeLong, clustered by patient): "
        f"{_signed(differences)}. The difference is −{MARGIN} or higher for {len(near)} of {len(differences)} networks, and its "
        f"lower bound is for {len(shown)}."
    )


def _tested(first: Comparison, other: str) -> dict[str, Figure]:
    """Take each network's ROC-AUC in another comparison minus its ROC-AUC here, on the same test cases."""
    differences = {pair["name"]: pair["roc_auc"] for pair in first["beside"] if pair["other"] == other}
    return {name: {"value": -own["value"], "low": -own["high"], "high": -own["low"]} for name, own in differences.items()}


def _differences(of: Comparison, to: Comparison) -> str:
    """Subtract the ROC-AUCs of a comparison on other cases, for the networks that both have; no test is possible."""
    both = [name for name in _networks(to) if name in of["costs"]]
    by_name = {name: of["members"][name]["ROC-AUC"]["value"] - to["members"][name]["ROC-AUC"]["value"] for name in both}
    return ", ".join(f"{name} {value:+.4f}" for name, value in sorted(by_name.items(), key=lambda item: -item[1]))


def _signed(differences: Mapping[str, Figure]) -> str:
    """List differences with their intervals, from the largest gain to the largest loss."""
    return ", ".join(
        f"{name} {_difference(own)}" for name, own in sorted(differences.items(), key=lambda item: -item[1]["value"])
    )


def _difference(own: Figure) -> str:
    return f"{own['value']:+.4f} ({own['low']:+.4f} to {own['high']:+.4f})"


def _taught(first: Comparison) -> str:
    table = _table([TAUGHT], ("teacher",))
    return f"{table}\n\nROC-AUC with the teacher minus without (95 % interval): {_signed(_tested(first, TAUGHT))}."


def _default() -> str:
    """Decide by the tune split alone whether the default of that time should be replaced."""
    comparisons = {name: read_comparison(name) for name in (LUNGS, STARTS[1], LARGER[1])}
    candidates = [(name, network) for name, comparison in comparisons.items() for network in _networks(comparison)]
    on_tune = {(name, network): comparisons[name]["members"][network][ON_TUNE] for name, network in candidates}
    name, network = max(candidates, key=lambda candidate: float(on_tune[candidate]["value"]))
    gain = json.loads((RUNS / "on-tune" / f"kermany-{name}.json").read_text(encoding="utf-8"))
    verdict = "should be replaced" if gain["low"] > 0 else "stays"
    return (
        "The default of these comparisons is the earlier one, trained on children alone (`mobilenet_v2-evidence-taught`). "
        "It is replaced only by a network on the lungs crop (its map must be the score's own evidence inside the lungs) "
        f"that is shown to be better on tune. The best such network is `{network}` of `{name}` with ROC-AUC "
        f"{_figure(on_tune[name, network])} on tune; its ROC-AUC minus the default's on the same cases is {_difference(gain)}. "
        f"The default therefore {verdict}.\n\n{_adults(name)}"
    )


def _adults(name: str) -> str:
    """Compare the shipped default with its best competitor on the tune splits of adults."""
    figures = ("hit", "pixel AP", "energy inside")
    lines = ["| adults, tune split | map of | " + " | ".join(figures) + " |", "|---|---|" + "--:|" * len(figures)]
    for source in ("rsna", "covid"):
        for model in ("default", name):
            own = json.loads((RUNS / "on-tune" / f"{source}-{model}.json").read_text(encoding="utf-8"))
            cells = " | ".join(_figure(own["against_regions"][figure]) for figure in figures)
            lines.append(f"| {source}, {own['n_with_regions']} images with regions | `{model}` | {cells} |")
    return "\n".join(lines)


def _published(first: Comparison) -> str:
    head = " | ".join(f"{figure}, published | ours" for figure in PRINTED)
    lines = [f"| backbone | {head} |", "|---|" + "--:|" * 2 * len(PRINTED)]
    for network in _networks(first):
        if network in PUBLISHED:
            printed, own = PUBLISHED[network].printed, first["members"][network]
            cells = [f"{printed[figure]} | {_figure(own[figure])}" for figure in PRINTED]
            lines.append(f"| {network} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _shortcuts(comparison: Comparison) -> str:
    baselines = {name: from_json(value) for name, value in comparison["shortcuts"].items()}
    return of_shortcuts(baselines).markdown().rstrip("\n")
