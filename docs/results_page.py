"""The page docs/results.md and the README's headline, from the comparisons that were run: docs/results/*/comparison.json."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pneumoscope import DISCLAIMER
from pneumoscope.comparison.published import PRINTED, PUBLISHED
from pneumoscope.comparison.summary import LUNG_SHARE, OF_MAPS, ON_TUNE
from pneumoscope.comparison.tables import of_shortcuts
from pneumoscope.statistics.estimate import from_json

RUNS = Path(__file__).resolve().parent / "results"
FIRST, LUNGS = "whole", "lungs"
STARTS = ("imagenet-whole", "imagenet-lungs")
LONGER, LARGER, AGAIN = "longer", ("larger", "larger-lungs"), ("mobilenet_v2",)
"""Comparisons in which conditions of the first tables are changed, and the backbones that they have."""
TAUGHT, OFFICIAL = "taught", ("official", "imagenet-official")
WANTED = {"ROC-AUC": 0.997, "F1": 0.987, "accuracy": 0.98}
DECISIONS = ("ROC-AUC", "accuracy", "F1", "sensitivity", "specificity", "peak in the lungs")
FIGURES = (
    "ROC-AUC", "accuracy", "F1", "energy in the lungs", "peak in the lungs", "hit against regions", "pixel AP against regions",
)  # fmt: skip
COSTS = (
    "score ms", "score and map ms", "reading ms", "bundle, MB", "bundle in int8, MB", "parameters, million", "training, minutes",
)  # fmt: skip

Told = Mapping[str, Any]
Figure = Mapping[str, Any]


def told(name: str) -> Told:
    """A comparison that was run."""
    found: Told = json.loads((RUNS / name / "comparison.json").read_text(encoding="utf-8"))
    return found


def page() -> str:
    """The text of docs/results.md."""
    text = (RUNS / "page.md").read_text(encoding="utf-8")
    first, lungs = told(FIRST), told(LUNGS)
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
        "told:first": _not_told_apart(first),
        "told:lungs": _not_told_apart(lungs),
        "views": _views(first),
        "default": _default(),
        "table:cost": _costs(first),
        "table:starts": _table(STARTS, ("view", "start")),
        "taught": _taught(first),
        "table:official": _table(OFFICIAL, ("start",), figures=(ON_TUNE, *DECISIONS)),
        "told:official": _not_told_apart(told(OFFICIAL[0])),
        "gaps:official": _apart(told(OFFICIAL[0]), first),
        "official_test": _test(told(OFFICIAL[0])),
        "table:rest": _table(
            [FIRST, LONGER, STARTS[0], LARGER[0], LUNGS, STARTS[1], LARGER[1]], ("view", "px", "epochs", "start"), AGAIN
        ),
        "gap:larger": _signed(_tested(told(LARGER[0]), LARGER[1])),
        "table:published": _published(first),
        "table:shortcuts": _shortcuts(first),
        "reports": "\n".join(f"- [{name}](results/{name}/report.html)" for name in _all()),
    }
    for key, value in parts.items():
        text = text.replace("{{" + key + "}}", value)
    return text


def headline() -> str:
    """The README's block: of both views the best backbone and the best trade-off, with n and intervals."""
    shown = ("ROC-AUC", "accuracy", "F1", "peak in the lungs")
    lines = [
        f"{_test(told(FIRST))}; every backbone from scratch under one recipe.",
        "",
        "| view | backbone | ROC-AUC (95 % interval) | accuracy | F1 | peak in the lungs | score and map, ms |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for view, name in (("whole image, Grad-CAM", FIRST), ("lungs, evidence", LUNGS)):
        found = told(name)
        named: dict[str, list[str]] = {}
        for what, who in (("highest", _networks(found)[0]), ("best trade-off", found["trade-off"])):
            named.setdefault(who, []).append(what)
        for who, what in named.items():
            own = " | ".join(_figure(found["members"][who][figure]) for figure in shown)
            lines.append(f"| {view} | {who} ({', '.join(what)}) | {own} | {found['costs'][who]['score and map ms']:.1f} |")
    given = [(found, _networks(found)[0]) for found in map(told, STARTS)]
    best, who = max(given, key=lambda pair: float(pair[0]["members"][pair[1]]["ROC-AUC"]["value"]))
    own = best["members"][who]
    lines += [
        "",
        f"From ImageNet weights, under the same recipe, {who} has ROC-AUC {_figure(own['ROC-AUC'])}, F1 {_figure(own['F1'])}.",
        *_larger(),
    ]
    return "\n".join(lines) + "\n"


def _larger() -> list[str]:
    shown = ("ROC-AUC", "accuracy", "F1", "peak in the lungs")
    lines = []
    for found, where in zip(map(told, LARGER), ("", " in the lungs view"), strict=True):
        who, recipe = _networks(found)[0], found["conditions"]["recipe"]
        figures = ", ".join(f"{figure} {_figure(found['members'][who][figure])}" for figure in shown)
        size_px = recipe.get("size_px", recipe.get("side_px"))  # the earlier name
        lines.append(f"With {size_px} px and {recipe['epochs']} epochs as well, {who} has{where} {figures}.")
    return lines


def _all() -> list[str]:
    return [FIRST, LUNGS, *STARTS, TAUGHT, *OFFICIAL, LONGER, *LARGER]


def _networks(found: Told) -> list[str]:
    return [name for name in found["order"] if name in found["costs"]]


def _test(found: Told) -> str:
    n, split = found["test"], found["conditions"]["split"][:12]
    return f"{n['images']:,} images of {n['patients']:,} patients, {n['positive']} with pneumonia (test side of split `{split}`)"


def _figure(figure: Mapping[str, Any] | None) -> str:
    if figure is None or figure["value"] is None:
        return "–"
    low, high = figure["low"], figure["high"]
    return f"{figure['value']:.4f}" if low is None else f"{figure['value']:.4f} ({low:.4f}–{high:.4f})"


def _minutes() -> str:
    total = sum(told(name)["costs"][who]["training, minutes"] for name in _all() for who in _networks(told(name)))
    return f"{total:.0f}"


def _table(names: Sequence[str], about: Sequence[str] = (), only: Sequence[str] = (), figures: Sequence[str] = FIGURES) -> str:
    """The networks of comparisons, with what of their conditions is told; `only` some, together by backbone."""
    head = ["backbone", *about, *figures]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---|" * len(about) + "--:|" * len(figures)]
    rows = [(who, found) for found in map(told, names) for who in _networks(found)]
    if only:
        rows = [(who, found) for name in only for who, found in rows if who == name]
    for who, found in rows:
        own, conditions = found["members"][who], found["conditions"]
        known = {
            "view": conditions["recipe"]["view"],
            "px": str(conditions["recipe"].get("size_px", conditions["recipe"].get("side_px"))),
            "epochs": str(conditions["recipe"]["epochs"]),
            "start": found["starts"][who],
            "teacher": conditions["teacher"] or "–",
        }
        lines.append("| " + " | ".join([who, *(known[a] for a in about), *(_figure(own.get(f)) for f in figures)]) + " |")
    return "\n".join(lines)


def _lung_share(found: Told) -> float:
    return float(found["members"][_networks(found)[0]][LUNG_SHARE]["value"])


def _costs(found: Told) -> str:
    lines = ["| backbone | " + " | ".join(COSTS) + " |", "|---|" + "--:|" * len(COSTS)]
    for who in _networks(found):
        lines.append(f"| {who} | " + " | ".join(f"{found['costs'][who][cost]:,.1f}" for cost in COSTS) + " |")
    return "\n".join(lines)


def _not_told_apart(found: Told) -> str:
    runs = [", ".join(run) for run in found.get("inseparable", found.get("not told apart"))]
    apart = f"cannot be told apart at this n: {'; '.join(runs)}" if runs else "every two neighbours differ"
    pairs = len(found["pairs"])
    return (
        f"By ROC-AUC (DeLong, patients kept together, Holm's adjustment over {pairs} pairs) {apart}. "
        f"Best trade-off: `{found['trade-off']}`."
    )


def _summary(first: Told, lungs: Told) -> str:
    lines = [f"- Whole image, from scratch: {_best(first)}.", f"- Lungs, from scratch: {_best(lungs)}."]
    for found in map(told, [*STARTS, *LARGER]):
        recipe = found["conditions"]["recipe"]
        size = f"{recipe.get('size_px', recipe.get('side_px'))} px, {recipe['epochs']} epochs"
        lines.append(f"- {recipe['view'].capitalize()}, from ImageNet weights, {size}: {_best(found)}.")
    return "\n".join(lines)


def _best(found: Told) -> str:
    """The network of the highest ROC-AUC beside the published figures."""
    name = _networks(found)[0]
    own = found["members"][name]
    met = [f"{f} {_figure(own[f])}, {'reached' if own[f]['value'] >= least else 'not reached'}" for f, least in WANTED.items()]
    wanted = ", ".join(f"{figure} {least:g}" for figure, least in WANTED.items())
    return f"highest is `{name}`: {'; '.join(met)} (published for the best: {wanted})"


def _views(first: Told) -> str:
    gaps = _tested(first, LUNGS)
    near = [name for name, gap in gaps.items() if gap["value"] >= -0.005]
    sure = [name for name in near if gaps[name]["low"] >= -0.005]
    return (
        f"ROC-AUC of the lungs view minus the whole image's (95 % interval, DeLong, patients kept together): {_signed(gaps)}. "
        f"Within 0.005 or above it: {len(near)} of {len(gaps)}, of whom {len(sure)} with the whole interval."
    )


def _tested(first: Told, other: str) -> dict[str, Figure]:
    """ROC-AUC of another comparison minus this one's, of each network on the same test cases."""
    found = {pair["name"]: pair["roc_auc"] for pair in first["beside"] if pair["other"] == other}
    return {name: {"value": -own["value"], "low": -own["high"], "high": -own["low"]} for name, own in found.items()}


def _apart(of: Told, to: Told) -> str:
    """ROC-AUC of a comparison minus another's on other cases, of the networks that both have: without a test."""
    both = [name for name in _networks(to) if name in of["costs"]]
    gaps = {name: of["members"][name]["ROC-AUC"]["value"] - to["members"][name]["ROC-AUC"]["value"] for name in both}
    return ", ".join(f"{name} {gap:+.4f}" for name, gap in sorted(gaps.items(), key=lambda item: -item[1]))


def _signed(gaps: Mapping[str, Figure]) -> str:
    """From the largest gain to the largest loss."""
    return ", ".join(
        f"{name} {gap['value']:+.4f} ({gap['low']:+.4f} to {gap['high']:+.4f})"
        for name, gap in sorted(gaps.items(), key=lambda item: -item[1]["value"])
    )


def _taught(first: Told) -> str:
    table = _table([TAUGHT], ("teacher",))
    return f"{table}\n\nROC-AUC with the teacher minus without (95 % interval): {_signed(_tested(first, TAUGHT))}."


def _default() -> str:
    """Whether the shipped default is to be replaced: by the tune sides alone."""
    runs = {name: told(name) for name in (LUNGS, STARTS[1], LARGER[1])}
    found = [(name, who) for name, run in runs.items() for who in _networks(run)]
    name, who = max(found, key=lambda pair: float(runs[pair[0]]["members"][pair[1]][ON_TUNE]["value"]))
    figure = _figure(runs[name]["members"][who][ON_TUNE])
    gain = json.loads((RUNS / "on-tune" / f"kermany-{name}.json").read_text(encoding="utf-8"))
    verdict = "should be replaced" if gain["low"] > 0 else "stays"
    return (
        f"The default is to be replaced by a network of the lungs view (its map is to be the score's own evidence inside the "
        f"lungs) that is shown to be better on tune. The best there is `{who}` of `{name}` with ROC-AUC {figure}: "
        f"{_signed({'minus the default': gain})} on the same cases. So the default {verdict}.\n\n{_adults(name)}"
    )


def _adults(name: str) -> str:
    """The shipped default and the network that comes nearest to it, on the tune sides of adults."""
    figures = ("hit", "pixel AP", "energy inside")
    lines = ["| adults, tune side | map of | " + " | ".join(figures) + " |", "|---|---|" + "--:|" * len(figures)]
    for source in ("rsna", "covid"):
        for model in ("default", name):
            own = json.loads((RUNS / "on-tune" / f"{source}-{model}.json").read_text(encoding="utf-8"))
            against = " | ".join(_figure(own["against_regions"][figure]) for figure in figures)
            lines.append(f"| {source}, {own['n_with_regions']} images with regions | `{model}` | {against} |")
    return "\n".join(lines)


def _published(first: Told) -> str:
    head = " | ".join(f"{figure}, published | ours" for figure in PRINTED)
    lines = [f"| backbone | {head} |", "|---|" + "--:|" * 2 * len(PRINTED)]
    for who in _networks(first):
        if who in PUBLISHED:
            theirs, own = PUBLISHED[who].printed, first["members"][who]
            cells = [f"{theirs[figure]} | {_figure(own[figure])}" for figure in PRINTED]
            lines.append(f"| {who} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _shortcuts(found: Told) -> str:
    return of_shortcuts({name: from_json(value) for name, value in found["shortcuts"].items()}).markdown().rstrip("\n")
