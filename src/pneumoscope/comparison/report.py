"""The report of a comparison: one HTML page that needs no other file, tables as CSV, JSON and LaTeX, a card for each network.

The page shows only the radiographs of the package, so that it may be shared; those of the cohort are on a second page.
"""

import base64
import dataclasses
import importlib.metadata
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
from matplotlib.figure import Figure as Picture
from PIL import Image

from pneumoscope import DISCLAIMER, __version__, atomic_files, radiograph
from pneumoscope.comparison import checklist, model_card, other_comparisons, pictures, sections, shown_cases, tables
from pneumoscope.comparison.checklist import BLANK, Item
from pneumoscope.comparison.comparison import Comparison, as_json
from pneumoscope.comparison.model_card import Measured
from pneumoscope.comparison.other_comparisons import FIGURES_NAME, ComparisonTree, Other
from pneumoscope.comparison.pairwise import tested_members
from pneumoscope.comparison.published import DIFFERENCES, SOURCE
from pneumoscope.comparison.summary import OF_MAPS, subgroup_figures
from pneumoscope.experiment.experiment import Experiment
from pneumoscope.experiment.plan import Plan
from pneumoscope.experiment.settings import NOT_STATED
from pneumoscope.experiment.workspace import BUNDLE, CHECKPOINT
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.acceptance import MARK_ALL
from pneumoscope.reader import Reader
from pneumoscope.statistics.estimate import plain
from pneumoscope.statistics.figure import Figure
from pneumoscope.statistics.table import Table

REPORT_NAME, CASES_NAME, CARDS = "report.html", "cases.html", "cards"
PAIR_FILES = ("pairs.csv", "pairs.tex", "power.csv", "power.tex", "agreement.tex")
LATEX_SHOWN = (Figure.ROC_AUC, Figure.ACCURACY, Figure.F1, Figure.SENSITIVITY, Figure.SPECIFICITY)
LIBRARIES = ("torch", "torchvision", "timm", "onnxruntime", "scikit-learn")
NamedRadiographs = Sequence[tuple[str, Radiograph]]


def write(
    comparison: Comparison, experiment: Experiment, shipped: NamedRadiographs, others: Mapping[str, Other] | None = None
) -> Path:
    """Write pages, tables and cards to the folder of the experiment.

    Parameters
    ----------
    comparison
        What is reported.
    experiment
        The experiment that was compared.
    shipped
        Radiographs that may be shown to anyone, by name; shown under the heat map of every network.
    others
        Other comparisons by name, to be listed next to this one.

    Returns
    -------
    Path
        The page.
    """
    out, tree = experiment.workspace.out, plain(as_json(comparison))
    readers = _readers(comparison, experiment)
    listed = [("this one", tree), *((name, other.tree) for name, other in others.items())] if others else []
    contents = {
        "figures.csv": tables.of_figures(comparison.summary, comparison.costs).csv(),
        "figures.tex": sections.figure_table(comparison, LATEX_SHOWN).latex(),
        "components.csv": tables.of_all_components(comparison.components).csv(),
        "components.tex": sections.component_table(comparison).latex(),
        **_pair_files(comparison),
        FIGURES_NAME: json.dumps(tree, indent=2) + "\n",
        CASES_NAME: _cases_page(comparison, experiment, readers),
        REPORT_NAME: _page(comparison, experiment, readers, shipped, listed),
        **{f"{CARDS}/{name}.md": card for name, card in _cards(comparison, experiment, readers).items()},
    }
    for old in (*(out / CARDS).glob("*.md"), *(out / name for name in PAIR_FILES)):  # of networks that are no longer named
        old.unlink(missing_ok=True)
    for name, content in contents.items():
        with atomic_files.text(out / name) as stream:
            stream.write(content)
    return out / REPORT_NAME


def _pair_files(comparison: Comparison) -> dict[str, str]:
    """Tables of pairs by file name, if there are pairs."""
    as_csv, as_latex, power_csv, power_latex, agreement = PAIR_FILES
    files: dict[str, str] = {}
    if comparison.tested:
        files |= {
            as_csv: tables.of_differences(comparison.tested).csv(),
            as_latex: tables.of_pairs(comparison.tested).latex(),
            power_csv: tables.of_power_numbers(comparison.powers).csv(),
            power_latex: tables.of_power(comparison.powers).latex(),
        }
    if comparison.agreed:
        files[agreement] = tables.of_agreements(comparison.agreed).latex()
    return files


def _readers(comparison: Comparison, experiment: Experiment) -> dict[str, Reader]:
    """The first run of each network, from the highest ROC-AUC to the lowest."""
    folders = experiment.workspace.first_folders(comparison.plan)
    return {name: Reader.load(folders[name] / BUNDLE, policy=MARK_ALL) for name in comparison.order if name in folders}


def _page(
    comparison: Comparison,
    experiment: Experiment,
    readers: Mapping[str, Reader],
    shipped: NamedRadiographs,
    listed: Sequence[tuple[str, ComparisonTree]],
) -> str:
    marked = experiment.measurement.marked
    items = _checklist(comparison, experiment)
    return _template(REPORT_NAME).render(
        disclaimer=DISCLAIMER,
        version=__version__,
        comparison=comparison,
        sizes=comparison.sizes,
        split=comparison.plan.split_sha256[:12],
        recipe=comparison.plan.conditions()["recipe"],
        sections=sections.sections(comparison, experiment.measurement.intervene),
        marked=tables.of_regions({name: comparison.summary[name] for name in comparison.order}, comparison.first_seed),
        marked_on=marked.description if marked else "",
        trained_on_marked=marked.training_cases if marked else 0,
        shortcuts=tables.of_shortcuts(comparison.shortcuts),
        tested=tables.of_pairs(comparison.tested),
        power=tables.of_power(comparison.powers),
        power_note=sections.power_note(comparison),
        agreed=tables.of_agreements(comparison.agreed),
        listed=other_comparisons.table(listed) if listed else Table.of((), ()),
        against=tables.of_others(comparison.against),
        published=sections.published(comparison),
        differences=(_protocol(comparison.plan), *DIFFERENCES),
        teacher=_teacher(experiment),
        source=SOURCE,
        checklist=items,
        blanks=sum(item.answer == BLANK for item in items),
        pictures=_pictures(comparison, experiment, readers, shipped),
    )


def _pictures(
    comparison: Comparison, experiment: Experiment, readers: Mapping[str, Reader], shipped: NamedRadiographs
) -> dict[str, str | dict[str, str]]:
    """The pictures of the page as data URIs."""
    folders, members = experiment.workspace.first_folders(comparison.plan), tested_members(comparison.first_seed)
    auc = {name: own[Figure.ROC_AUC].value for name, own in comparison.summary.items()}
    of_networks = sections.values(comparison, Figure.ROC_AUC)
    return {
        "differences": _uri(pictures.differences(auc, comparison.inseparable, Figure.ROC_AUC)) if comparison.tested else "",
        "curves": _uri(pictures.curves(members)),
        "confusions": _uri(pictures.confusions(members)),
        "learning": _uri(pictures.learning({name: folders[name] / CHECKPOINT for name in readers})),
        "pareto": _uri(pictures.pareto(of_networks, comparison.costs, sections.COSTS, Figure.ROC_AUC)),
        "truths": _truth_pictures(comparison),
        "maps": _image_uri(pictures.heat_maps(readers, shipped)),
    }


def _cases_page(comparison: Comparison, experiment: Experiment, readers: Mapping[str, Reader]) -> str:
    """Radiographs of the cohort, chosen by rule from the best network's test split."""
    best = next(member for member in comparison.first_seed if member.name == comparison.best_network)
    by_path = {case.path: case for case in experiment.cohort.cases}
    shown = [(c, radiograph.read(experiment.cohort.file(by_path[c.path]))) for c in shown_cases.by_rule(best)]
    labelled = [(f"{by_path[c.path].label}, {c.rule}", image) for c, image in shown]
    return _template(CASES_NAME).render(
        disclaimer=DISCLAIMER,
        best=best.name,
        each=shown_cases.EACH,
        rows=[[c.rule, by_path[c.path].label, c.path] for c, _ in shown],
        maps=_image_uri(pictures.heat_maps(readers, labelled)),
    )


def _checklist(comparison: Comparison, experiment: Experiment) -> list[Item]:
    marked = experiment.measurement.marked
    regions = f" and reference regions: {marked.description}" if marked else ""
    own_splits = {cohort.partition.sha256 for cohort in experiment.cohorts.values() if cohort.partition}
    elsewhere = marked and marked.cohort.partition and marked.cohort.partition.sha256 not in own_splits
    return checklist.filled(
        comparison.plan,
        experiment.cohort,
        metrics=(*sections.DISCRIMINATION, *sections.CALIBRATION, *OF_MAPS),
        localized=f"measured against the lung fields that the lung-field model finds{regions}.",
        external=marked.description if marked and elsewhere else "",
        intervened=experiment.measurement.intervene,
        versions={name: importlib.metadata.version(name) for name in LIBRARIES},
    )


def _cards(comparison: Comparison, experiment: Experiment, readers: Mapping[str, Reader]) -> dict[str, str]:
    sizes, marked = comparison.sizes, experiment.measurement.marked
    several = "mean over the runs, 95 % interval by patient, SD over the runs; the model is the first of them"
    measured = Measured(
        test=f"test side ({sizes['images']:,} images of {sizes['patients']:,} patients)",
        spread=several if comparison.several_runs else "95 % interval by patient",
        regions=marked.description if marked else "",
        subgroups=subgroup_figures(comparison.first_seed),
    )
    licences, population = experiment.training.licences, experiment.training.population
    cards = {}
    for name, reader in readers.items():
        card = dataclasses.replace(reader.card, data_licences=licences or reader.card.data_licences)
        if population != NOT_STATED:
            card = dataclasses.replace(card, intended_population=population)
        cards[name] = model_card.page(name, card, comparison.summary[name], comparison.costs[name], measured)
    return cards


def _template(name: str) -> jinja2.Template:
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pneumoscope.comparison"), autoescape=True)
    return environment.get_template(name)


def _truth_pictures(comparison: Comparison) -> dict[str, str]:
    """Figures of the heat map over cost, by their label; more is better in all of them."""
    best, uris = sections.best_uninformed(comparison), {}
    for name in sections.OF_TRUTH:
        negated = name.startswith(Figure.DELETION)  # lower is better
        values = {network: -value if negated else value for network, value in sections.values(comparison, name).items()}
        if values:
            label = f"{name}, negated" if negated else name
            uris[label] = _uri(pictures.pareto(values, comparison.costs, sections.COSTS, label, best.get(name)))
    return uris


def _protocol(plan: Plan) -> str:
    recipe, starts = plan.recipe, sorted({"ImageNet" if "imagenet" in start else start for start in plan.starts.values()})
    return (
        "The published networks have 224 px input, ten epochs, ImageNet weights and a head of three layers; those here have "
        f"{recipe.size_px} px, at most {recipe.epochs} epochs, start {', '.join(starts)}, head '{recipe.head}', crop "
        f"'{recipe.crop}'."
    )


def _teacher(experiment: Experiment) -> str:
    """What the networks learned from, and whether it may have seen the test split."""
    teacher = experiment.training.teacher
    if teacher is None:
        return ""
    card = teacher.card
    text = f"Every network learned from the labels and from the model {card.name}."
    splits = {cohort.partition.sha256 for cohort in experiment.cohorts.values() if cohort.partition}
    if not teacher.trained_on and card.split_sha256 not in splits:
        text += f" That model was trained under another split ({card.split_sha256[:12]}) and may know cases of the test side."
    return text


def _uri(picture: Picture) -> str:
    stream = io.BytesIO()
    picture.savefig(stream, format="png", dpi=90)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _image_uri(image: Image.Image) -> str:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=86)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
