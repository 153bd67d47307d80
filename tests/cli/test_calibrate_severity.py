"""``pneumoscope calibrate-severity`` and ``localize --zones`` with the model of glass, whose lungs are everywhere."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from pneumoscope.classifier import card as cards
from pneumoscope.cohort import Case, Cohort, Partition, table
from pneumoscope.cohort.case import split_sha256
from pneumoscope.cohort.fingerprint import fingerprint
from pneumoscope.localization.errors import LocalizationError
from pneumoscope.localization.severity_calibration import calibrate
from pneumoscope.reader import Reader
from pneumoscope.reader.shipped import DEFAULT_BUNDLE
from tests.cli.run import run
from tests.reader.builders import glass_bundle, graph

N_TUNE, N_TEST = 24, 6
NAMES = ["right_upper", "right_mid", "right_lower", "left_upper", "left_mid", "left_lower"]


def bands(rng) -> np.ndarray:
    """Three grey bands over 80 × 160 pixels, one a third of the lungs: a quarter, a half and a quarter of the height."""
    picture = np.zeros((80, 160), np.uint8)
    for first, last in ((0, 20), (20, 60), (60, 80)):
        picture[first:last] = rng.integers(0, 256)
    return picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Radiographs whose opacity masks are the radiographs themselves, and readers who score a third of the grey values."""
    folder, rng = tmp_path_factory.mktemp("zones"), np.random.default_rng(0)
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    cases, rows = [], []
    for k in range(N_TUNE + N_TEST):
        name, picture = f"i{k:02}.png", bands(rng)
        Image.fromarray(picture).save(folder / "images" / name)
        Image.fromarray(picture).save(folder / "masks" / name)
        cases.append(Case(name, "PNEUMONIA", 1, f"patient {k}", split="tune" if k < N_TUNE else "test"))
        scores = [round(3 * int(picture[row, 0]) / 255) for row in (10, 40, 70)] * 2
        rows += [[name, "R1", *scores], [name, "R2", *np.roll(scores, k % 2)]]
    partition = Partition("by hand", None, None, split_sha256(cases))
    table.write(Cohort(folder / "images", tuple(cases), partition=partition), folder / "hand.csv")
    with (folder / "zones.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["path", "reader", *NAMES], *rows])
    return folder


@pytest.fixture
def model(tmp_path):
    return glass_bundle(tmp_path / "model", graph(lungs=1))


def test_masks_give_a_scale_that_the_next_reading_uses(folder, model, tmp_path):
    """Where the mask is the radiograph, the density is the opaqueness but for the blur between bands: a grade of 3 × density."""
    before = cards.read(model)
    ran = run("calibrate-severity", model, "--cohort", folder / "hand.csv", "--regions", folder / "masks")
    assert ran.code == 0, ran.err
    assert "opacity masks of 30 cases" in ran.err
    assert "not a radiologist's score" in ran.out
    card = cards.read(model)
    scale = card.severity
    assert card == type(card)(**{**vars(before), "severity": scale})
    assert (scale.n_fitted, scale.n_patients, scale.split) == (N_TUNE // 2, N_TUNE // 2, "tune")
    assert scale.split_sha256 == table.read(folder / "hand.csv").partition.sha256
    assert scale.reference == "3 × mean opaqueness of opacity masks over each lung zone; hand"
    assert scale.grade(np.array([0.2, 0.5, 0.8])) == pytest.approx([0.6, 1.5, 2.4], abs=0.25)
    assert scale.half_width < 2.5  # of 18
    picture = np.asarray(Image.open(folder / "images" / f"i{N_TUNE}.png"))
    opaque = sum(2 * 3 * int(picture[row, 0]) / 255 for row in (10, 40, 70))
    severity = Reader.load(model, threads=1).read(folder / "images" / f"i{N_TUNE}.png").severity
    assert severity.low <= opaque <= severity.high
    assert severity.score == pytest.approx(opaque, abs=2.5)
    assert sorted(path.name for path in model.iterdir()) == ["card.json", "model.onnx"]


def test_readers_scores_give_a_scale_too(folder, model):
    ran = run("calibrate-severity", model, "--cohort", folder / "hand.csv", "--zones", folder / "zones.csv")
    assert ran.code == 0, ran.err
    assert "zone scores 0 to 3: 30 images, 2 readers (R1, R2), 0 scores missing" in ran.err
    assert cards.read(model).severity.reference == "mean zone scores of 2 readers, 0 to 3, × 3 / 3; hand"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--split", "test", "--regions", "masks"], "fixed on tune, never on the test split"),
        (["--split", "train", "--regions", "masks"], "fixed on tune, never on the train split"),
        ([], "give either --regions or --zones"),
        (["--regions", "masks", "--zones", "zones.csv"], "give either --regions or --zones"),
        (["--regions", "images/.."], "second of one reader"),
        (["--zones", "hand.csv"], "no table of zone scores"),
    ],
)
def test_what_cannot_be_calibrated_is_a_users_mistake_and_leaves_the_card(folder, model, arguments, sentence):
    before = (model / "card.json").read_bytes()
    paths = [folder / part if (folder / part).exists() else part for part in arguments]
    ran = run("calibrate-severity", model, "--cohort", folder / "hand.csv", *paths)
    assert ran.code == 2
    assert sentence in " ".join(ran.err.split())
    assert (model / "card.json").read_bytes() == before


def test_a_model_that_was_trained_on_tune_patients_is_refused(folder, model):
    cohort, reader = table.read(folder / "hand.csv"), Reader.load(model, threads=1)
    reader.trained_on = (fingerprint(cohort.on("tune")[:2]),)
    with pytest.raises(LocalizationError, match="'glass' was trained on 2 of the 24 tune images"):
        calibrate(reader, cohort, lambda read: np.zeros(6), "by hand")


def test_the_shipped_models_are_not_changed(folder):
    ran = run("calibrate-severity", DEFAULT_BUNDLE, "--cohort", folder / "hand.csv", "--regions", folder / "masks")
    assert ran.code == 2
    assert "copy the folder of the bundle" in " ".join(ran.err.split())


def test_localize_measures_the_severity_against_readers(folder, model, tmp_path):
    """Readers of a third of the grey values order the films as their own grey values do."""
    calibrated = shutil.copytree(model, tmp_path / "calibrated")
    assert run("calibrate-severity", calibrated, "--cohort", folder / "hand.csv", "--regions", folder / "masks").code == 0
    out = tmp_path / "out"
    ran = run("localize", calibrated, "--cohort", folder / "hand.csv", "--zones", folder / "zones.csv", "-o", out, "--draws", 100)
    assert ran.code == 0, ran.err
    assert "severity by zone, model and the readers' median" in ran.out
    assert "zone scores 0 to 3" in ran.err
    tables = json.loads((out / "localization.json").read_text(encoding="utf-8"))["further"]
    among = tables["severity by zone, readers among themselves, mean of 1 pair"]
    with (folder / "zones.csv").open(encoding="utf-8") as stream:
        rows = list(csv.reader(stream))[1 + 2 * N_TUNE :]
    first, second = (np.array([row[2:] for row in rows[k::2]], float) for k in (0, 1))
    assert among["Spearman of all zones"]["value"] == pytest.approx(stats.spearmanr(first.ravel(), second.ravel()).statistic)
    assert among["Spearman of the film's sum"]["value"] == pytest.approx(1)
    median = tables["severity by zone, model and the readers' median"]
    assert median["Spearman of all zones"]["n"] == N_TEST
    reader = Reader.load(calibrated, threads=1)
    zones = [reader.read(folder / "images" / f"i{k}.png").severity.zones for k in range(N_TUNE, N_TUNE + N_TEST)]
    grades = np.floor(np.array([[zone.grade for zone in one] for one in zones]) + 0.5).ravel()
    kappas = [cohen_kappa_score(grades, one.ravel(), labels=[0, 1, 2, 3], weights="quadratic") for one in (first, second)]
    each = tables["severity by zone, model and each reader, mean of 2"]
    assert [each[f"quadratic-weighted kappa of the zones, R{k}"]["value"] for k in (1, 2)] == pytest.approx(kappas)
    assert kappas[0] > kappas[1]


def test_localize_with_scores_of_other_images_is_a_users_mistake(folder, model, tmp_path):
    other = tmp_path / "zones.csv"
    other.write_text(f"path,{','.join(NAMES)}\ni00.png,0,0,0,0,0,0\n", encoding="utf-8")
    ran = run("localize", model, "--cohort", folder / "hand.csv", "--zones", other, "-o", tmp_path / "out")
    assert ran.code == 2
    assert "none of the 6 images to measure has zone scores" in " ".join(ran.err.split())
