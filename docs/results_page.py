"""The page docs/results.md and the README's headline, from the comparisons that were run: docs/results/*/comparison.json."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pneumoscope import DISCLAIMER
from pneumoscope.classifier import BACKBONES
from pneumoscope.comparison.published import PUBLISHED
from pneumoscope.comparison.summary import LUNG_SHARE, OF_MAPS, ON_TUNE

RUNS = Path(__file__).resolve().parent / "results"
FIRST, LUNGS = "whole", "lungs"
STARTS = ("imagenet-whole", "imagenet-lungs")
DEFAULT_ON_TUNE = 0.9957
"""ROC-AUC of the shipped default on the tune side, as docs/model.md has it."""
REST, AGAIN = ("longer", "larger"), ("mobilenet_v2",)
"""Comparisons in which one condition of the first table is changed, and the backbones that they have."""
TAUGHT, OFFICIAL = "taught", ("official", "imagenet-official")
WANTED = {"ROC-AUC": 0.997, "F1": 0.987, "accuracy": 0.98}
FIGURES = (
    "ROC-AUC", "accuracy", "F1", "energy in the lungs", "peak in the lungs", "hit against regions", "pixel AP against regions",
)  # fmt: skip
COSTS = (
    "score ms", "score and map ms", "reading ms", "bundle, MB", "bundle in int8, MB", "parameters, million", "training, minutes",
)  # fmt: skip

Told = Mapping[str, Any]


def told(name: str) -> Told:
    """A comparison that was run."""
    found: Told = json.loads((RUNS / name / "comparison.json").read_text(encoding="utf-8"))
    return found


def there(names: Sequence[str]) -> list[str]:
    """Those of the comparisons that are published."""
    return [name for name in names if (RUNS / name / "comparison.json").exists()]


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
        "missing:lungs": _missing(lungs),
        "missing:official": _missing(told(OFFICIAL[1])),
        "lung_share": f"{_lung_share(first):.3f}",
        "below_share": str(sum(own[OF_MAPS[0]]["value"] < _lung_share(first) for own in first["members"].values())),
        "told:first": _not_told_apart(first),
        "told:lungs": _not_told_apart(lungs),
        "views": _views(first, lungs),
        "default": _default(lungs),
        "table:cost": _costs(first),
        "table:starts": _table(there(STARTS), ("view", "start")),
        "taught": _taught(first),
        "table:official": _table(there(OFFICIAL), ("start",)),
        "official_tune": ", ".join(
            f"{who} {_figure(told(OFFICIAL[1])['members'][who][ON_TUNE])}" for who in _networks(told(OFFICIAL[1]))
        ),
        "official_test": _test(told(OFFICIAL[1])),
        "table:rest": _table(there([FIRST, *REST[:1], STARTS[0], *REST[1:]]), ("px", "epochs", "start"), AGAIN),
        "table:published": _published(first),
        "table:shortcuts": _shortcuts(first),
        "reports": "\n".join(f"- [{name}](results/{name}/report.html)" for name in there(_all())),
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
    given = [(found, _networks(found)[0]) for found in map(told, there(STARTS))]
    best, who = max(given, key=lambda pair: float(pair[0]["members"][pair[1]]["ROC-AUC"]["value"]))
    own = best["members"][who]
    lines += [
        "",
        f"From ImageNet weights, under the same recipe, {who} has ROC-AUC {_figure(own['ROC-AUC'])}, F1 {_figure(own['F1'])}.",
        *_larger(),
    ]
    return "\n".join(lines) + "\n"


def _larger() -> list[str]:
    found = told(REST[1])
    who, recipe = _networks(found)[0], found["conditions"]["recipe"]
    own = found["members"][who]
    return [
        f"With {recipe['side_px']} px and {recipe['epochs']} epochs as well, {who} has ROC-AUC {_figure(own['ROC-AUC'])}, "
        f"accuracy {_figure(own['accuracy'])}, F1 {_figure(own['F1'])}."
    ]


def _all() -> list[str]:
    return [FIRST, LUNGS, *STARTS, TAUGHT, *OFFICIAL, *REST]


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
    total = sum(told(name)["costs"][who]["training, minutes"] for name in there(_all()) for who in _networks(told(name)))
    return f"{total:.0f}"


def _table(names: Sequence[str], about: Sequence[str] = (), only: Sequence[str] = ()) -> str:
    """The networks of comparisons, with what of their conditions is told; `only` some, together by backbone."""
    head = ["backbone", *about, *FIGURES]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---|" * len(about) + "--:|" * len(FIGURES)]
    rows = [(who, found) for found in map(told, names) for who in _networks(found)]
    if only:
        rows = [(who, found) for name in only for who, found in rows if who == name]
    for who, found in rows:
        own, conditions = found["members"][who], found["conditions"]
        known = {
            "view": conditions["recipe"]["view"],
            "px": str(conditions["recipe"]["side_px"]),
            "epochs": str(conditions["recipe"]["epochs"]),
            "start": found["starts"][who],
            "teacher": conditions["teacher"] or "–",
        }
        lines.append("| " + " | ".join([who, *(known[a] for a in about), *(_figure(own.get(f)) for f in FIGURES)]) + " |")
    return "\n".join(lines)


def _missing(found: Told) -> str:
    """Which backbones a comparison lacks, as a sentence that ends in a space."""
    left = [name for name in BACKBONES if name not in found["costs"]]
    return f"Not run: {', '.join(left)}. " if left else ""


def _lung_share(found: Told) -> float:
    return float(found["members"][_networks(found)[0]][LUNG_SHARE]["value"])


def _costs(found: Told) -> str:
    lines = ["| backbone | " + " | ".join(COSTS) + " |", "|---|" + "--:|" * len(COSTS)]
    for who in _networks(found):
        lines.append(f"| {who} | " + " | ".join(f"{found['costs'][who][cost]:,.1f}" for cost in COSTS) + " |")
    return "\n".join(lines)


def _not_told_apart(found: Told) -> str:
    runs = [", ".join(run) for run in found["not told apart"]]
    apart = f"cannot be told apart at this n: {'; '.join(runs)}" if runs else "every two neighbours differ"
    pairs = len(found["pairs"])
    return (
        f"By ROC-AUC (DeLong, patients kept together, Holm's adjustment over {pairs} pairs) {apart}. "
        f"Best trade-off: `{found['trade-off']}`."
    )


def _summary(first: Told, lungs: Told) -> str:
    lines = [f"- Whole image, from scratch: {_best(first)}.", f"- Lungs, from scratch: {_best(lungs)}."]
    for found in map(told, there([*STARTS, REST[1]])):
        recipe = found["conditions"]["recipe"]
        size = f"{recipe['side_px']} px, {recipe['epochs']} epochs"
        lines.append(f"- {recipe['view'].capitalize()}, from ImageNet weights, {size}: {_best(found)}.")
    return "\n".join(lines)


def _best(found: Told) -> str:
    """The network of the highest ROC-AUC beside the published figures."""
    name = _networks(found)[0]
    own = found["members"][name]
    met = [f"{f} {_figure(own[f])}, {'reached' if own[f]['value'] >= least else 'not reached'}" for f, least in WANTED.items()]
    wanted = ", ".join(f"{figure} {least:g}" for figure, least in WANTED.items())
    return f"highest is `{name}`: {'; '.join(met)} (published for the best: {wanted})"


def _views(first: Told, lungs: Told) -> str:
    both = [name for name in _networks(first) if name in lungs["costs"]]
    gaps = {name: lungs["members"][name]["ROC-AUC"]["value"] - first["members"][name]["ROC-AUC"]["value"] for name in both}
    near = [name for name, gap in gaps.items() if gap >= -0.005]
    close = f"within 0.005 or above it: {len(near)} of {len(both)}"
    return f"ROC-AUC of the lungs view minus the whole image's: {_signed(gaps)}; {close}."


def _signed(differences: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:+.4f}" for name, value in sorted(differences.items(), key=lambda item: -item[1]))


def _taught(first: Told) -> str:
    if not there([TAUGHT]):
        return "Not run yet."
    taught = told(TAUGHT)
    gains = {n: taught["members"][n]["ROC-AUC"]["value"] - first["members"][n]["ROC-AUC"]["value"] for n in _networks(taught)}
    table = _table([TAUGHT], ("teacher",))
    return f"{_missing(taught)}\n\n{table}\n\nROC-AUC with the teacher minus without: {_signed(gains)}."


def _default(lungs: Told) -> str:
    """Whether the shipped default is to be replaced: by tune alone."""
    runs = (lungs, *(told(name) for name in there(STARTS) if name.endswith(LUNGS)))
    found = [(run, who) for run in runs for who in _networks(run)]
    run, who = max(found, key=lambda pair: float(pair[0]["members"][pair[1]][ON_TUNE]["value"]))
    value = run["members"][who][ON_TUNE]["value"]
    verdict = "stays" if value <= DEFAULT_ON_TUNE else "should be replaced"
    return (
        f"Of the lungs view's networks the best on tune is `{who}` (start {run['starts'][who]}) with ROC-AUC {value:.4f}; the "
        f"shipped default has {DEFAULT_ON_TUNE:.4f} there ([model.md](model.md)), so it {verdict}."
    )


def _published(first: Told) -> str:
    lines = ["| backbone | ROC-AUC, published | ours | accuracy, published | ours | F1, published | ours |", "|---|" + "--:|" * 6]
    for who in _networks(first):
        if who in PUBLISHED:
            theirs, own = PUBLISHED[who], first["members"][who]
            auc, accuracy, f1 = (_figure(own[figure]) for figure in ("ROC-AUC", "accuracy", "F1"))
            lines.append(
                f"| {who} | {theirs.roc_auc:.4f} | {auc} | {theirs.accuracy:.3f} | {accuracy} | {theirs.f1:.3f} | {f1} |"
            )
    return "\n".join(lines)


def _shortcuts(found: Told) -> str:
    lines = ["| what is seen | ROC-AUC |", "|---|--:|"]
    for name, value in found["shortcuts"].items():
        shown = "–" if value["value"] is None or math.isnan(value["value"]) else _figure(value)
        lines.append(f"| {name} | {shown} |")
    return "\n".join(lines)
