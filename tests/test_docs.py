"""What the documentation says is what the program does."""

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from pneumoscope import radiograph
from pneumoscope.classifier import BACKBONES
from pneumoscope.cli.main import VERBS, pneumoscope
from pneumoscope.cli.training_options import chosen
from pneumoscope.cohort.sample import sample
from pneumoscope.export.renewal import renew
from pneumoscope.reader import DEFAULT_BUNDLE, Reader
from pneumoscope.training.recipe import changed, from_options

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = (ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "how-to").glob("*.md"))


def _generate():
    sys.path.insert(0, str(ROOT / "docs"))  # as for a script that is run from there
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "docs/architecture.svg",
        "docs/commands.md",
        "docs/comparison.md",
        "docs/conformance.md",
        "docs/how-to/archive.md",
        "docs/how-to/train.md",
        "docs/index.md",
        "docs/localization.md",
        "docs/model.md",
        "docs/performance.md",
        "docs/readings.md",
        "docs/results.md",
        "docs/scale.md",
    ],
)
def test_generated_text_has_not_drifted_from_the_program(name):
    text = _generate().texts()[ROOT / name]
    assert (ROOT / name).read_text(encoding="utf-8") == text, "run  make docs"


def test_readme_shows_every_verb():
    for verb in VERBS:
        assert re.search(rf"^pneumoscope {verb}\b", README, re.MULTILINE), verb


def test_readme_python_runs_on_a_shipped_radiograph():
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with sample() as cohort:
        file = cohort.file(cohort.cases[-1])
        code = code.replace('"chest.dcm"', repr(str(file))) + "\nprint(reading.decision, reading.heatmap.values.shape)"
        done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert "(1128, 1664)" in done.stdout  # rows and columns of that file in the sample's manifest


def test_links_of_the_documentation_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_says_that_it_is_no_medical_device():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        assert "not a medical device" in page.read_text(encoding="utf-8"), page.name


def commands_in(page):
    """Command lines of a page's shell examples, as (verb, words)."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            words = shlex.split(line, comments=True)
            if "pneumoscope" in words:
                yield words[words.index("pneumoscope") + 1 :]


def _name(value):
    return value if isinstance(value, str) else " ".join(value[:3])


def shown_commands():
    lines = [(page.name, words) for page in PAGES for words in commands_in(page)]
    cells = json.loads((ROOT / "docs" / "tutorial.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return lines + [("tutorial.ipynb", shlex.split(text)[1:]) for text in sources if text.startswith("!pneumoscope")]


@pytest.mark.parametrize(
    ("page", "words"), shown_commands(), ids=lambda value: value if isinstance(value, str) else " ".join(value[:3])
)
def test_every_command_that_is_shown_exists_with_its_options(page, words):
    context = click.Context(pneumoscope, info_name="pneumoscope", **pneumoscope.context_settings)
    command = pneumoscope.get_command(context, words[0])
    rest = words[1:]
    if isinstance(command, click.Group):
        command, rest = command.get_command(context, rest[0]), rest[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    options = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert options <= known | {"-h", "--help"}


@pytest.fixture(scope="module")
def present(tmp_path_factory):
    """The default bundle in the present format."""
    folder = tmp_path_factory.mktemp("present") / "bundle"
    with sample() as cohort:
        renew(DEFAULT_BUNDLE, folder, [radiograph.read(cohort.file(cohort.cases[0]))])
    return folder


def test_the_contract_of_a_bundle_gives_the_readers_answer(present):
    """The page's code, without Pneumoscope, on shipped radiographs of both classes."""
    page = (ROOT / "docs" / "bundle.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    space = {}
    exec(code, space)
    reader = Reader.load(present)
    with sample() as cohort:
        for case in (cohort.cases[0], cohort.cases[-1]):
            answer, reading = space["read"](present, cohort.file(case)), reader.read(radiograph.read(cohort.file(case)))
            assert answer["probability"] == pytest.approx(reading.score.probability, abs=1e-5)
            assert (answer["decision"], answer["abstains"], answer["inside"]) == (
                reading.decision, reading.abstains, reading.domain.inside,
            )  # fmt: skip


def test_the_readme_fits_two_screens():
    assert len(README.splitlines()) <= 90


# The comparisons that were run

RESULTS = ROOT / "docs" / "results"
RUNS = sorted(file.parent for file in RESULTS.glob("*/comparison.json"))


def told(folder):
    return json.loads((folder / "comparison.json").read_text(encoding="utf-8"))


def test_eight_backbones_in_both_views_and_from_a_teacher_other_starts_and_the_official_test_side_are_published():
    starts = {"imagenet-whole", "imagenet-lungs", "imagenet-official", "longer", "larger", "larger-lungs"}
    of_all = {"whole", "lungs", "taught", "official"}
    assert {folder.name for folder in RUNS} == {*of_all, *starts}
    for name in of_all:
        assert set(told(RESULTS / name)["costs"]) == set(BACKBONES), name


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_a_published_report_its_tables_and_its_cards_say_the_same(folder):
    found = told(folder)
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert found["conditions"]["split"][:12] in page
    rows = (folder / "figures.csv").read_text(encoding="utf-8").splitlines()
    for name in found["costs"]:
        figure = found["members"][name]["ROC-AUC"]
        shown = f"{figure['value']:.4f} ({figure['low']:.4f}–{figure['high']:.4f})"
        assert shown in page
        assert shown in (folder / "cards" / f"{name}.md").read_text(encoding="utf-8")
        assert any(row.startswith(f"{name},ROC-AUC,{figure['value']:.6f}") for row in rows)


@pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
def test_a_published_comparison_was_run_by_the_recipe_that_is_published(folder):
    found = told(folder)["conditions"]["recipe"]
    wanted = chosen(str(RESULTS / f"{found['name']}.toml"), {})
    if told(folder)["conditions"]["teacher"]:
        wanted = changed(wanted, {"distillation_weight": 1.0})
    assert from_options({**found, "seed": wanted.seed}) == wanted


def test_what_could_have_become_the_default_was_measured_beside_the_default_of_that_time():
    for source in ("rsna", "covid"):
        files = (RESULTS / "on-tune" / f"{source}-{name}.json" for name in ("default", "larger-lungs"))
        shipped, other = (json.loads(file.read_text(encoding="utf-8")) for file in files)
        assert shipped["model"] == "mobilenet_v2-evidence-taught"
        assert shipped["split"] == other["split"] == "tune"
        assert shipped["split_sha256"] == other["split_sha256"]


def test_no_page_with_radiographs_of_a_cohort_is_published():
    assert RUNS
    assert not list(RESULTS.rglob("cases.html"))
    kinds = {file.suffix for file in RESULTS.rglob("*") if file.is_file()}
    assert kinds == {".html", ".json", ".csv", ".tex", ".md", ".toml"}


def test_the_published_figures_are_those_of_the_comparison():
    """Read from the table again: the highest ROC-AUC of each view, with its interval."""
    page = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    block = page.split("<!-- comparison: made by docs/generate.py -->")[1].split("<!-- end of comparison -->")[0]
    for name in ("whole", "lungs"):
        found = told(RESULTS / name)
        best = max(found["costs"], key=lambda who: found["members"][who]["ROC-AUC"]["value"])
        figure = found["members"][best]["ROC-AUC"]
        assert f"| {best} (highest" in block
        assert f" | {figure['value']:.4f} ({figure['low']:.4f}–{figure['high']:.4f}) |" in block
        assert f"{found['test']['images']} images of {found['test']['patients']} patients" in block
