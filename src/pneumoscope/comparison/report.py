"""The report of a comparison: one HTML page that needs nothing beside it, tables as CSV, JSON and LaTeX, a card a network.

The page shows shipped radiographs alone, so that it may be given away; the cohort's own are on a second page.
"""

import base64
import dataclasses
import importlib.metadata
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from matplotlib.figure import Figure
from PIL import Image

from pneumoscope import DISCLAIMER, __version__, atomic_files, radiograph
from pneumoscope.cohort import Cohort
from pneumoscope.comparison import checklist, model_card, other_comparisons, pictures, sections, shown_cases, tables
from pneumoscope.comparison.checklist import BLANK, Item
from pneumoscope.comparison.comparison import Comparison, as_json
from pneumoscope.comparison.other_comparisons import FIGURES_NAME, Other, Told
from pneumoscope.comparison.pairwise import tested_members
from pneumoscope.comparison.published import DIFFERENCES, SOURCE
from pneumoscope.comparison.summary import OF_MAPS, of_subgroups
from pneumoscope.experiment.plan import Plan
from pneumoscope.experiment.run_settings import BUNDLE, CHECKPOINT, NOT_STATED, RunSettings
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
from pneumoscope.statistics.estimate import plain

REPORT_NAME, CASES_NAME, CARDS = "report.html", "cases.html", "cards"
OF_PAIRS = ("pairs.csv", "pairs.tex", "agreement.tex")
LATEX_SHOWN = ("ROC-AUC", "accuracy", "F1", "sensitivity", "specificity")
LIBRARIES = ("torch", "torchvision", "timm", "onnxruntime", "scikit-learn")
Images = Sequence[tuple[str, Radiograph]]


def write(found: Comparison, cohort: Cohort, place: RunSettings, shipped: Images, others: Mapping[str, Other]) -> Path:
    """Write pages, tables and cards to the workplace's folder, and return the page.

    `shipped` are radiographs shown under every network's heat map, `others` comparisons to stand beside, by name; `cohort` is
    that of the first run.
    """
    out, told = place.out, plain(as_json(found))
    assert isinstance(told, dict)
    items, readers = _checklist(found, cohort, place), _readers(found, place)
    contents = {
        "figures.csv": tables.as_csv(found.summary, found.costs),
        "figures.tex": tables.as_latex(sections.rows(found, LATEX_SHOWN)),
        **_of_pairs(found),
        FIGURES_NAME: json.dumps(told, indent=2) + "\n",
        CASES_NAME: _cases_page(found, cohort, readers),
        REPORT_NAME: _page(found, place, readers, shipped, items, _others(told, others)),
    }
    for old in (*(out / CARDS).glob("*.md"), *(out / name for name in OF_PAIRS)):  # of networks that are no longer named
        old.unlink(missing_ok=True)
    contents |= {f"{CARDS}/{name}.md": card for name, card in _cards(found, place, readers).items()}
    for name, content in contents.items():
        with atomic_files.text(out / name) as stream:
            stream.write(content)
    return out / REPORT_NAME


def _of_pairs(found: Comparison) -> dict[str, str]:
    """Tables of pairs by file name, those that have a pair."""
    as_csv, as_tex, agreement = OF_PAIRS
    written: dict[str, str] = {}
    if found.tested:
        written |= {as_csv: tables.pairs_as_csv(found.tested), as_tex: tables.as_latex(tables.of_pairs(found.tested))}
    if found.agreed:
        written[agreement] = tables.as_latex(tables.of_agreements(found.agreed))
    return written


def _readers(found: Comparison, place: RunSettings) -> dict[str, Reader]:
    """The first run of each network, from the highest ROC-AUC to the lowest."""
    folders = place.first_folders(found.plan)
    return {name: Reader.load(folders[name] / BUNDLE) for name in found.order if name in folders}


def _page(
    found: Comparison,
    place: RunSettings,
    readers: Mapping[str, Reader],
    shipped: Images,
    items: Sequence[Item],
    together: Sequence[tuple[str, Told]],
) -> str:
    networks, all_of = place.first_folders(found.plan), tested_members(found.first)
    everyone = {name: own["ROC-AUC"].value for name, own in found.summary.items()}
    return _template("report.html").render(
        disclaimer=DISCLAIMER,
        version=__version__,
        found=found,
        sizes=found.sizes,
        split=found.plan.split_sha256[:12],
        recipe=found.plan.conditions()["recipe"],
        sections=sections.sections(found, place.intervene),
        marked=tables.of_regions({name: found.summary[name] for name in found.order}, found.first),
        marked_on=place.marked.told if place.marked else "",
        shortcuts=tables.of_shortcuts(found.shortcuts),
        tested=tables.of_pairs(found.tested),
        agreed=tables.of_agreements(found.agreed),
        together=other_comparisons.rows(together) if together else [],
        against=tables.of_others(found.beside),
        published=sections.published(found),
        differences=(_protocol(found.plan), *DIFFERENCES),
        teacher=_teacher(place),
        source=SOURCE,
        checklist=items,
        blanks=sum(item.answer == BLANK for item in items),
        pictures={
            "differences": _uri(pictures.differences(everyone, found.runs, "ROC-AUC")) if found.tested else "",
            "curves": _uri(pictures.curves(all_of)),
            "confusions": _uri(pictures.confusions(all_of)),
            "learning": _uri(pictures.learning({name: networks[name] / CHECKPOINT for name in readers})),
            "pareto": _uri(pictures.pareto(sections.values(found, "ROC-AUC"), found.costs, sections.PARETO, "ROC-AUC")),
            "truths": _truths(found),
            "maps": _image_uri(pictures.heat_maps(readers, shipped)),
        },
    )


def _cases_page(found: Comparison, cohort: Cohort, readers: Mapping[str, Reader]) -> str:
    """The cohort's own radiographs, taken by rule from the best network's test side."""
    best = next(m for m in found.first if m.name == found.best_network)
    by_path = {case.path: case for case in cohort.cases}
    shown = [(c, radiograph.read(cohort.file(by_path[c.path]))) for c in shown_cases.by_rule(best)]
    labelled = [(f"{by_path[c.path].label}, {c.rule}", image) for c, image in shown]
    return _template("cases.html").render(
        disclaimer=DISCLAIMER,
        best=best.name,
        each=shown_cases.EACH,
        rows=[[c.rule, by_path[c.path].label, c.path] for c, _ in shown],
        maps=_image_uri(pictures.heat_maps(readers, labelled)),
    )


def _checklist(found: Comparison, cohort: Cohort, place: RunSettings) -> list[Item]:
    marked = place.marked
    regions = f" and radiologists' regions: {marked.told}" if marked else ""
    elsewhere = marked and marked.cohort.partition and marked.cohort.partition.sha256 not in place.splits
    metrics = (*sections.DISCRIMINATION, *sections.CALIBRATION, *OF_MAPS)
    versions = {name: importlib.metadata.version(name) for name in LIBRARIES}
    return checklist.filled(
        found.plan,
        cohort,
        metrics=metrics,
        localized=f"measured against the lung fields that are found{regions}.",
        external=marked.told if marked and elsewhere else "",
        intervened=place.intervene,
        versions=versions,
    )


def _cards(found: Comparison, place: RunSettings, readers: Mapping[str, Reader]) -> dict[str, str]:
    sizes = found.sizes
    test = f"test side ({sizes['images']:,} images of {sizes['patients']:,} patients)"
    spread = (
        "mean ± standard deviation over the runs; the model is the first of them" if found.several else "95 % interval by patient"
    )
    regions = place.marked.told if place.marked else ""
    told = {}
    for name, reader in readers.items():
        card = dataclasses.replace(reader.card, data_licences=place.licences or reader.card.data_licences)
        if place.population != NOT_STATED:
            card = dataclasses.replace(card, intended_population=place.population)
        told[name] = model_card.page(
            name, card, found.summary[name], found.costs[name], of_subgroups(found.first), test, spread, regions
        )
    return told


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pneumoscope.comparison"), autoescape=True)
    return environment.get_template(name)


def _others(told: Told, others: Mapping[str, Other]) -> list[tuple[str, Told]]:
    """This comparison and those that stand beside it, where any does."""
    return [("this one", told), *((name, other.told) for name, other in others.items())] if others else []


def _truths(found: Comparison) -> dict[str, str]:
    """Pictures of the map's truthfulness against cost, by what they show; more is better in all of them."""
    best, shown = sections.best_blind(found), {}
    for name in sections.TRUTHS:
        turned = name.startswith("deletion")  # less is better
        values = {who: -value if turned else value for who, value in sections.values(found, name).items()}
        if values:
            label = f"{name}, its sign turned" if turned else name
            shown[label] = _uri(pictures.pareto(values, found.costs, sections.PARETO, label, best.get(name)))
    return shown


def _protocol(plan: Plan) -> str:
    recipe, starts = plan.recipe, sorted({"ImageNet" if "imagenet" in start else start for start in plan.starts.values()})
    return (
        f"Theirs have 224 px, ten epochs, ImageNet weights and a head of three layers; ours {recipe.size_px} px, {recipe.epochs} "
        f"epochs at most, start {', '.join(starts)}, head '{recipe.head}', crop '{recipe.crop}'."
    )


def _teacher(place: RunSettings) -> str:
    """What is learned from, and whether it may have seen the test side."""
    if place.teacher is None:
        return ""
    card = place.teacher.card
    told = f"Every network learned beside its labels from the model {card.name}."
    if all(card.split_sha256 != split for split in place.splits):
        told += f" That was trained on another split ({card.split_sha256[:12]}): it may know cases of the test side."
    return told


def _uri(figure: Figure) -> str:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=90)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _image_uri(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=86)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
