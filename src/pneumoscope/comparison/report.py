"""The report of a comparison: one HTML page that needs nothing beside it, and the tables as CSV, JSON and LaTeX."""

import base64
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure
from PIL import Image

from pneumoscope import DISCLAIMER, __version__, storage
from pneumoscope.cohort import Cohort
from pneumoscope.cohort.case import positives_by_rule
from pneumoscope.comparison import agreement, cost, pictures, tables
from pneumoscope.comparison.agreement import Agreement
from pneumoscope.comparison.member import Member
from pneumoscope.comparison.pairwise import LEVEL, Pair, not_told_apart, pairs, pooled
from pneumoscope.comparison.plan import Plan
from pneumoscope.comparison.published import DIFFERENCES, PUBLISHED, SOURCE
from pneumoscope.comparison.unit import BUNDLE, CHECKPOINT, Workplace
from pneumoscope.evaluation.tables import plain
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader

REPORT_NAME = "report.html"
LATEX_SHOWN = ("ROC-AUC", "accuracy", "F1", "sensitivity", "specificity")
DISCRIMINATION = ("ROC-AUC", "PR-AUC", "accuracy", "F1", "sensitivity", "specificity", "MCC", *tables.AT_TARGET)
CALIBRATION = ("Brier", "ECE", "calibration slope", "calibration intercept")
PARETO = ("score and map ms", "bundle, MB")
TRADE = "score and map ms"


@dataclass(frozen=True, eq=False)
class Comparison:
    """What was compared, and what came out.

    Attributes
    ----------
    members: every run, ensembles included.
    summary, costs: by name and figure.
    tested: pairs of the first seed's members.
    agreed: how far the maps of every pair agree, of the first run of each.
    order: names from the highest ROC-AUC to the lowest.
    """

    plan: Plan
    members: tuple[Member, ...]
    summary: Mapping[str, Mapping[str, tables.Summary]]
    costs: Mapping[str, Mapping[str, float]]
    tested: tuple[Pair, ...]
    agreed: tuple[Agreement, ...]
    order: tuple[str, ...]

    @property
    def runs(self) -> list[tuple[str, ...]]:
        """Members that cannot be told apart by their ROC-AUC."""
        return not_told_apart(self.order, self.tested)

    @property
    def trade_off(self) -> str:
        """The quickest network, with its map, that cannot be told from the best network by its ROC-AUC."""
        best = self.best_network
        met = [(p.first, p.second) for p in self.tested if p.adjusted < LEVEL]
        apart = {name for both in met if best in both for name in both} - {best}
        return tables.trade_off(self.order, apart, {name: own[TRADE] for name, own in self.costs.items()})

    @property
    def best_network(self) -> str:
        """The network of the highest ROC-AUC: an ensemble has no cost of its own."""
        return next(name for name in self.order if name in self.costs)

    @property
    def several(self) -> bool:
        """Whether a member stands for more than one run."""
        return len(self.plan.units) > len(self.plan.backbones)


def compare(plan: Plan, members: Sequence[Member], cohort: Cohort, place: Workplace) -> Comparison:
    """Put members side by side; the costs are measured in turns, where that was not done before on this machine.

    `cohort` is that of the first run, on whose test side the maps are compared.
    """
    first = [m for m in members if m.seed == plan.seeds[0]]
    summary = tables.summaries(members, place.draws)
    bundles = {name: folder / BUNDLE for name, folder in place.first_folders(plan).items()}
    costs = tables.of_costs(members, cost.costs(bundles, place.proof, place.out))
    order = sorted(summary, key=lambda name: -summary[name]["ROC-AUC"].value)
    readers = {name: Reader.load(bundles[name]) for name in order if name in bundles}
    cases = positives_by_rule(cohort.on("test"), agreement.CASES)
    agreed = agreement.agreements(readers, cohort, cases, place.draws, place.show_progress)
    return Comparison(plan, tuple(members), summary, costs, tuple(pairs(first, place.draws)), tuple(agreed), tuple(order))


def write(found: Comparison, place: Workplace, cases: Sequence[tuple[str, Radiograph]]) -> Path:
    """Write the tables and the page to the workplace's folder; `cases` are shown under every member's heat map."""
    out = place.out
    contents = {
        "figures.csv": tables.as_csv(found.summary, found.costs),
        "figures.tex": tables.as_latex({name: found.summary[name] for name in found.order}, LATEX_SHOWN),
        "comparison.json": json.dumps(plain(as_json(found)), indent=2) + "\n",
        REPORT_NAME: _page(found, place, cases),
    }
    for name, content in contents.items():
        with storage.text(out / name) as stream:
            stream.write(content)
    return out / REPORT_NAME


def as_json(found: Comparison) -> dict[str, Any]:
    """All that the page says, as plain values; an undefined figure is NaN, which `plain` makes null."""
    return {
        "conditions": found.plan.conditions(),
        "seeds": list(found.plan.seeds),
        "starts": dict(found.plan.starts),
        "test": _sizes(found),
        "members": {name: {k: asdict(s) for k, s in figures.items()} for name, figures in found.summary.items()},
        "costs": {name: dict(own) for name, own in found.costs.items()},
        "pairs": [asdict(pair) for pair in found.tested],
        "maps": [asdict(pair) for pair in found.agreed],
        "order": list(found.order),
        "not told apart": [list(run) for run in found.runs],
        "trade-off": found.trade_off,
    }


def _sizes(found: Comparison) -> dict[str, int]:
    all_of = pooled([m for m in found.members if m.seed == found.plan.seeds[0]])[0]
    return {"images": len(all_of.reference), "patients": len(set(all_of.patients)), "positive": int(all_of.reference.sum())}


def _page(found: Comparison, place: Workplace, cases: Sequence[tuple[str, Radiograph]]) -> str:
    first = [m for m in found.members if m.seed == found.plan.seeds[0]]
    networks = place.first_folders(found.plan)
    ordered = {name: networks[name] for name in found.order if name in networks}
    readers = {name: Reader.load(folder / BUNDLE) for name, folder in ordered.items()}
    all_of = pooled(first)
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pneumoscope.comparison"), autoescape=True)
    return environment.get_template("report.html").render(
        disclaimer=DISCLAIMER,
        version=__version__,
        found=found,
        sizes=_sizes(found),
        split=found.plan.split_sha256[:12],
        recipe=found.plan.conditions()["recipe"],
        tables=[
            ("Discrimination and decisions", _rows(found, DISCRIMINATION)),
            ("Calibration", _rows(found, CALIBRATION)),
            ("Where the heat map lies, cases with the target", _rows(found, tables.OF_MAPS)),
            ("Cost", _cost_rows(found)),
        ],
        tested=tables.of_pairs(found.tested),
        agreed=tables.of_agreements(found.agreed),
        beside=_beside(found),
        differences=DIFFERENCES,
        source=SOURCE,
        pictures={
            "curves": _uri(pictures.curves(all_of)),
            "confusions": _uri(pictures.confusions(all_of)),
            "learning": _uri(pictures.learning({name: folder / CHECKPOINT for name, folder in ordered.items()})),
            "pareto": _uri(pictures.pareto(_values(found, "ROC-AUC"), found.costs, PARETO, "ROC-AUC")),
            "truth": _uri(pictures.pareto(_values(found, tables.OF_MAPS[0]), found.costs, PARETO, tables.OF_MAPS[0])),
            "maps": _image_uri(pictures.heat_maps(readers, cases)),
        },
    )


def _values(found: Comparison, figure: str) -> dict[str, float]:
    """A figure by name, of the members that are networks and have it."""
    values = {name: own[figure].value for name, own in found.summary.items() if name in found.costs and figure in own}
    return {name: value for name, value in values.items() if not math.isnan(value)}


def _rows(found: Comparison, wanted: Sequence[str]) -> list[list[str]]:
    head = ["", *wanted]
    return [head, *([name, *(str(found.summary[name].get(w, "–")) for w in wanted)] for name in found.order)]


def _cost_rows(found: Comparison) -> list[list[str]]:
    names = [name for name in found.order if name in found.costs]
    head = list(next(iter(found.costs.values())))
    return [["", *head], *([name, *(_short(found.costs[name][key]) for key in head)] for name in names)]


def _short(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.1f}" if value >= 10 else f"{value:.2f}"


def _beside(found: Comparison) -> list[list[str]]:
    """Published figures beside the same ones of the comparison."""
    rows = [["", "ROC-AUC, published", "ours", "accuracy, published", "ours", "F1, published", "ours"]]
    for name in found.order:
        if name in PUBLISHED:
            theirs, own = PUBLISHED[name], found.summary[name]
            told = [f"{theirs.roc_auc:.4f}", str(own["ROC-AUC"]), f"{theirs.accuracy:.3f}", str(own["accuracy"])]
            rows.append([name, *told, f"{theirs.f1:.3f}", str(own["F1"])])
    return rows


def _uri(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=90)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _image_uri(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=86)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
