"""The page of the comparison, made from ``figures.json`` alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from pneumoscope.statistics.estimate import Estimate, from_json
from pneumoscope.statistics.formatting import figure, number, p_value
from pneumoscope.statistics.table import Table

PUBLISHED = {"ROC-AUC": 0.997, "F1": 0.987, "accuracy": 0.981}
WANTED = {"whole": {"ROC-AUC": 0.998, "F1": 0.988, "accuracy": 0.982}, "lungs": {"ROC-AUC": 0.995, "peak in the lungs": 0.99}}
RULES = ("Youden", "highest accuracy")
PLAIN, MIRRORED = "test", "test, mean with the mirrored image"
MAPS = {
    "peak in the lungs": "peak in the lungs",
    "energy in the lungs": "energy in the lungs",
    "rsna hit": "RSNA hit",
    "rsna pixel AP": "RSNA pixel AP",
    "rsna ROC-AUC": "RSNA ROC-AUC",
    "covid hit": "COVID-19 hit",
    "covid pixel AP": "COVID-19 pixel AP",
}
_TEMPLATE = Path(__file__).parent / "page.md.jinja"
_FULL = 0.5
"""Share of the wanted epochs below which a training is shown among all, but not as its backbone's."""

Figures = Mapping[str, Any]


def page(figures: Figures, shipped: Figures) -> str:
    """Write the page.

    Parameters
    ----------
    figures
        What `measure` left.
    shipped
        What `shipped` left.

    Returns
    -------
    str
        Markdown.
    """
    template = jinja2.Template(
        _TEMPLATE.read_text(encoding="utf-8"), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    crops = {crop: _crop(figures, crop) for crop in WANTED}
    written: str = template.render(
        f=figures,
        test=figures["cases"]["kermany test"],
        best=[_best(figures, crop) for crop in WANTED],
        reached=_reached(figures).markdown(),
        whole=crops["whole"][0].markdown(),
        whole_maps=crops["whole"][1].markdown(),
        lungs=crops["lungs"][0].markdown(),
        lungs_maps=crops["lungs"][1].markdown(),
        shipped=_shipped(shipped).markdown(),
        every=_every(figures).markdown(),
        alone=_alone(figures).markdown(),
        together=_together(figures).markdown(),
        total=sum(_images(training) for training in figures["trainings"].values()),
    )
    return written


def by_tune(figures: Figures, crop: str) -> dict[str, Any]:
    """Return the trainings of a crop by name, the highest ROC-AUC on tune first."""
    own = {name: t for name, t in figures["trainings"].items() if t["job"]["crop"] == crop}
    return dict(sorted(own.items(), key=lambda item: -item[1][PLAIN]["tune ROC-AUC"]))


def of_backbones(figures: Figures, crop: str) -> list[Figures]:
    """Return one training of each backbone in a crop: of those that left maps and were not cut short, the best on tune."""
    chosen: dict[str, Figures] = {}
    for training in by_tune(figures, crop).values():
        if training["maps"] and training["epochs"] >= _FULL * training["job"]["epochs"]:
            chosen.setdefault(training["job"]["backbone"], training)
    return list(chosen.values())


def _figure(tree: Figures) -> str:
    return str(from_json(tree))


def _decided(training: Figures, how: str, name: str, rule: str = "Youden") -> Estimate:
    return from_json(training[how][f"{name} ({rule} on tune)"])


def _value(training: Figures, how: str, name: str) -> float | None:
    """A figure on the test split; None where the training left no maps."""
    if name == "peak in the lungs":
        return training["maps"][name]["value"] if training["maps"] and how == PLAIN else None
    return training[how][name]["value"] if name == "ROC-AUC" else _decided(training, how, name).value


def _best(figures: Figures, crop: str) -> str:
    name, training = next(iter(by_tune(figures, crop).items()))
    decided = ", ".join(f"{n} {_decided(training, PLAIN, n)}" for n in ("accuracy", "F1"))
    peak = f", peak in the lungs {_figure(training['maps']['peak in the lungs'])}" if training["maps"] else ""
    return f"Best on tune in the {crop} crop: `{name}`; on test ROC-AUC {_figure(training[PLAIN]['ROC-AUC'])}, {decided}{peak}."


def _reached(figures: Figures) -> Table:
    head = ["crop: figure", "published", "wanted", "best on tune has", "highest of all", "reached by", "reached by, mirrored too"]
    rows = []
    for crop, wanted in WANTED.items():
        own = list(by_tune(figures, crop).values())
        for name, least in wanted.items():
            known = {how: [v for t in own if (v := _value(t, how, name)) is not None] for how in (PLAIN, MIRRORED)}
            counted = [f"{sum(v >= least for v in values)} of {len(values)}" if values else "–" for values in known.values()]
            first = _value(own[0], PLAIN, name)
            published = number(PUBLISHED[name], decimals=3) if crop == "whole" else "–"
            told = ["–" if first is None else number(first), number(max(known[PLAIN]))]
            rows.append([f"{crop}: {name}", published, f"≥ {least}", *told, *counted])
    return Table.of(head, rows)


def _crop(figures: Figures, crop: str) -> tuple[Table, Table]:
    decisions, maps = [], []
    for training in of_backbones(figures, crop):
        told, job = training[PLAIN], training["job"]
        start = job["init"] + (", taught" if job["teachers"] or job["map_teacher"] else "")
        decided = [str(_decided(training, PLAIN, name)) for name in ("accuracy", "F1")]
        numbers = [str(training["epochs"]), number(told["tune ROC-AUC"]), _figure(told["ROC-AUC"]), *decided]
        decisions.append([job["backbone"], start, *numbers])
        maps.append([job["backbone"], *(_figure(training["maps"][key]) for key in MAPS)])
    head = ["backbone", "start", "epochs", "tune ROC-AUC", "ROC-AUC", "accuracy", "F1"]
    return Table.of(head, decisions), Table.of(["backbone", *MAPS.values()], maps)


def _every(figures: Figures) -> Table:
    head = ["training", "epochs", "tune ROC-AUC"]
    for mirrored in ("", ", mirrored too"):
        head += [f"ROC-AUC{mirrored}", *(f"accuracy / F1, {rule}{mirrored}" for rule in RULES)]
    return Table.of(head, [_row(name, t) for crop in WANTED for name, t in by_tune(figures, crop).items()])


def _row(name: str, training: Figures) -> list[str]:
    cells = [name, str(training["epochs"]), number(training[PLAIN]["tune ROC-AUC"])]
    for how in (PLAIN, MIRRORED):
        pairs = [[number(_decided(training, how, n, rule).value) for n in ("accuracy", "F1")] for rule in RULES]
        cells += [number(training[how]["ROC-AUC"]["value"]), *(" / ".join(pair) for pair in pairs)]
    return cells


def _shipped(shipped: Figures) -> Table:
    head = [
        "training minus shipped",
        "shipped has, tune",
        "difference, tune",
        "p, tune",
        "shipped has, test",
        "difference, test",
        "p, test",
    ]
    rows = []
    for model, splits in shipped.items():
        for name in splits["tune"]["minus it"]:
            cells = [f"{name} − {model}"]
            for split in ("tune", "test"):
                told = splits[split]
                tested = told["minus it"][name]
                difference = tested["difference"]
                ends = [float("nan") if difference[k] is None else difference[k] for k in ("value", "low", "high")]
                cells += [number(told["ROC-AUC"]), figure(*ends, reason=difference["reason"], signed=True), p_value(tested["p"])]
            rows.append(cells)
    return Table.of(head, rows)


def _alone(figures: Figures) -> Table:
    head = ["training", "step alone, images/s", "with data and augmentation, images/s", "share", "peak memory, GiB"]
    rows = []
    for row in figures["alone"]:
        alone, pipeline = row["model alone images/s"], row["pipeline images/s"]
        rows.append([row["training"], f"{alone:,.0f}", f"{pipeline:,.0f}", f"{pipeline / alone:.2f}", f"{row['peak GiB']:.1f}"])
    return Table.of(head, rows)


def _together(figures: Figures) -> Table:
    head = ["training", "parameters, million", "epochs", "seconds", "images/s, tune included", "images/s, median epoch"]
    rows = []
    for name, training in figures["trainings"].items():
        seconds = training["seconds_training"]
        speeds = [f"{_images(training) / seconds:,.0f}", f"{training['images_per_s']:,.0f}"]
        rows.append([name, f"{training['parameters'] / 1e6:.1f}", str(training["epochs"]), f"{seconds:.0f}", *speeds])
    return Table.of(head, rows)


def _images(training: Figures) -> int:
    return int(training["epochs"] * training["images_an_epoch"])
