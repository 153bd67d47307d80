"""``pneumoscope localize`` with the model of glass on white quarters, whose maps follow by hand."""

import dataclasses
import json
import math

import numpy as np
import pytest
from PIL import Image

from pneumoscope import MissingExtraError
from pneumoscope.cli import localize as localize_command
from pneumoscope.cohort import Case, Cohort, Partition, table
from pneumoscope.cohort.case import split_sha256
from tests.cli.run import run
from tests.reader.builders import quadrant, spot

ROWS, COLS = 80, 160
HEADER = "path,x,y,w,h"
QUARTER = {"ul": (0, 0), "ur": (0, 80), "ll": (40, 0), "lr": (40, 80)}
"""Upper left corner of each quarter, row before column."""
MARKED = {
    "tune1.png": "ul", "tune2.png": "lr",
    "ul.png": "ul", "ur.png": "ur", "ll.png": "lr",  # the last is marked where it is not white
}  # fmt: skip


def white(quarter):
    turned = {"ul": np.asarray, "ur": np.fliplr, "ll": np.flipud, "lr": lambda p: np.flipud(np.fliplr(p))}
    return turned[quarter](quadrant(ROWS, COLS))


def glass_map(quarter):
    """What glass shows of a white quarter, by NumPy's own interpolation.

    The square's cells at the border between white and black take 1/8 from the other side (a triangle of the width of two cells,
    half a cell off), so means of two by two are 1, 15/16, 1/16, 0 down and across, at the middles of quarters of each side.
    """
    down, across = (np.interp(np.arange(n) + 0.5, n * (np.arange(4) + 0.5) / 4, [1, 15 / 16, 1 / 16, 0]) for n in (ROWS, COLS))
    top, left = QUARTER[quarter]
    return np.outer(down[::-1] if top else down, across[::-1] if left else across)


def quarter_mask(quarter):
    top, left = QUARTER[quarter]
    mask = np.zeros((ROWS, COLS), bool)
    mask[top : top + 40, left : left + 80] = True
    return mask


def iou(quarter, marked, threshold):
    shown, meant = glass_map(quarter) >= threshold, quarter_mask(marked)
    return (shown & meant).sum() / (shown | meant).sum()


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Tune: two positives. Test: three positives in different quarters, and a normal with a spot that glass takes for nothing."""
    folder = tmp_path_factory.mktemp("cohort")
    pictures = {
        "tune1.png": white("ul"), "tune2.png": white("lr"),
        "ul.png": white("ul"), "ur.png": white("ur"), "ll.png": white("ll"), "n.png": spot(ROWS, COLS),
    }  # fmt: skip
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(folder / name)
    cases = tuple(
        Case(n, "NORMAL" if n == "n.png" else "PNEUMONIA", int(n != "n.png"), f"of {n}", split="tune" if "tune" in n else "test")
        for n in pictures
    )
    table.write(Cohort(folder, cases, partition=Partition("by hand", None, None, split_sha256(cases))), folder / "hand.csv")
    return folder / "hand.csv"


def boxes(folder, *, only=MARKED, header=HEADER):
    rows = [f"{name},{QUARTER[q][1]},{QUARTER[q][0]},80,40" for name, q in only.items()]
    (folder / "boxes.csv").write_text("\n".join([header, *rows]) + "\n")
    return folder / "boxes.csv"


@pytest.fixture
def localize(glass, cohort, tmp_path):
    def go(*arguments, cohort_=cohort):
        if any(str(argument).endswith("boxes.csv") for argument in arguments):
            arguments = (*arguments, "--box-space", "file")
        return run("localize", glass, "--cohort", cohort_, "-o", tmp_path / "out", "--draws", 20, *arguments)

    return go


def result(folder):
    """What was written, which has no NaN."""

    def refuse(name):
        raise ValueError(name)

    return json.loads((folder / "out" / "localization.json").read_text(encoding="utf-8"), parse_constant=refuse)


def refused(ran, folder):
    """The one sentence of a refusal that wrote nothing."""
    assert ran.code == 2
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert not (folder / "out").exists()
    said = [line for line in ran.err.splitlines() if line.startswith(("pneumoscope: ", "Error: "))]
    assert len(said) == 1
    return said[0]


def test_boxes_are_measured_and_written_as_table_and_json(localize, tmp_path):
    ran = localize("--regions", boxes(tmp_path))
    assert ran.code == 0, ran.err
    found = result(tmp_path)
    assert (found["model"], found["source"], found["split"]) == ("glass", "hand", "test")
    assert (found["n_images"], found["n_patients"], found["n_with_regions"]) == (4, 4, 3)

    # Two of three maps peak where they are marked; the third lies in the neighbouring quarter.
    regions = found["against_regions"]
    assert regions["hit"]["value"] == pytest.approx(2 / 3)
    assert regions["hit"]["n"] == 3
    at = found["threshold"]
    overlaps = [iou("ul", "ul", at), iou("ur", "ur", at), iou("ll", "lr", at)]
    assert regions["mIoU, misses as 0"]["value"] == pytest.approx(np.mean(overlaps), abs=1e-3)
    inside = [(glass_map(q) * quarter_mask(m)).sum() / glass_map(q).sum() for q, m in (("ul", "ul"), ("ur", "ur"), ("ll", "lr"))]
    assert regions["energy inside"]["value"] == pytest.approx(np.mean(inside), abs=1e-3)

    # Log-odds of the positives are 1, of the normal below 0: every decision is right.
    assert found["image"]["ROC-AUC"]["value"] == 1
    assert found["image"]["accuracy at the operating point"]["value"] == 1
    assert set(found["uninformed"]) == {"hit", "pixel AP", "energy inside"}

    written = (tmp_path / "out" / "localization.md").read_text(encoding="utf-8")
    assert "| hit | 0.667 |" in written
    assert "not a medical device" in written
    assert written.splitlines()[0] in ran.out
    assert "| hit | 0.667 |" in ran.out
    assert found["verdict"] in ran.out
    assert f"tables: {tmp_path / 'out'}" in ran.out


def test_the_threshold_is_fixed_on_the_tune_side(localize, tmp_path):
    """Where 60 × 30 of the upper left quarter's 80 × 40 pixels are marked, a higher threshold than the card's is best."""
    file = boxes(tmp_path, only={"ul.png": "ul"})
    file.write_text(f"{file.read_text()}tune1.png,0,0,60,30\n")
    assert localize("--regions", file).code == 0
    found = result(tmp_path)
    meant = np.zeros((ROWS, COLS), bool)
    meant[:30, :60] = True

    def overlap(threshold):
        shown = glass_map("ul") >= threshold
        return (shown & meant).sum() / (shown | meant).sum()

    best = max((round(0.05 * k, 2) for k in range(1, 20)), key=overlap)
    assert found["threshold"] == pytest.approx(best)
    assert best > 0.5
    assert found["threshold_from"] == "highest mean IoU on the tune split"


def test_on_the_tune_side_the_threshold_is_the_cards(localize, tmp_path):
    assert localize("--regions", boxes(tmp_path), "--side", "tune").code == 0
    found = result(tmp_path)
    assert (found["threshold"], found["threshold_from"]) == (0.5, "the model's card")
    assert (found["split"], found["n_images"], found["against_regions"]["hit"]["value"]) == ("tune", 2, 1)


def test_where_the_tune_side_has_no_regions_the_threshold_is_the_cards(localize, tmp_path):
    ran = localize("--regions", boxes(tmp_path, only={"ul.png": "ul"}))
    assert ran.code == 0, ran.err
    assert result(tmp_path)["threshold_from"] == "the model's card"


def test_masks_give_the_figures_of_the_same_boxes(localize, tmp_path):
    localize("--regions", boxes(tmp_path))
    by_boxes = result(tmp_path)
    (tmp_path / "masks").mkdir()
    for name, quarter in MARKED.items():
        Image.fromarray(quarter_mask(quarter).astype(np.uint8) * 255).save(tmp_path / "masks" / name)
    ran = localize("--regions", tmp_path / "masks")
    assert ran.code == 0, ran.err
    assert result(tmp_path) == by_boxes


def test_given_lung_masks_take_the_place_of_found_ones(localize, tmp_path):
    """The upper half is lung for all, drawn at half the size; two of three maps lie in the upper half, one right, one left."""
    (tmp_path / "lungs").mkdir()
    upper = np.zeros((ROWS // 2, COLS // 2), np.uint8)
    upper[: ROWS // 4] = 1
    for name in ("ul", "ur", "ll", "n"):
        Image.fromarray(upper).save(tmp_path / "lungs" / f"{name}.png")
    ran = localize("--regions", boxes(tmp_path, only=MARKED | {"ll.png": "ll"}), "--lung-masks", tmp_path / "lungs")
    assert ran.code == 0, ran.err
    anatomy = result(tmp_path)["anatomy"]
    assert anatomy["share of the image that is lung"]["value"] == 0.5
    assert anatomy["peak in the lungs"]["value"] == pytest.approx(2 / 3)
    upper_share = [glass_map(q)[:40].sum() / glass_map(q).sum() for q in ("ul", "ur", "ll")]
    assert anatomy["energy in the lungs"]["value"] == pytest.approx(np.mean(upper_share), abs=1e-3)


def test_without_regions_the_map_is_held_against_anatomy_alone(localize, tmp_path):
    ran = localize()
    assert ran.code == 0, ran.err
    found = result(tmp_path)
    assert (found["against_regions"], found["uninformed"], found["free_response"], found["n_with_regions"]) == ({}, {}, {}, 0)
    assert (found["threshold"], found["threshold_from"]) == (0.5, "the model's card")
    assert found["verdict"].startswith("No reference regions")
    frame = np.ones((ROWS, COLS), bool)
    frame[8:72, 16:144] = False
    border = [(glass_map(q) * frame).sum() / glass_map(q).sum() for q in ("ul", "ur", "ll")]
    assert found["anatomy"]["energy in the border"]["value"] == pytest.approx(np.mean(border), abs=1e-3)
    assert found["anatomy"]["correct laterality (one-sided cases)"]["value"] is None
    assert "NaN" in ran.out


def test_rows_are_chosen_by_a_column(localize, tmp_path):
    file = boxes(tmp_path, header=f"{HEADER},finding")
    lines = [line if k == 0 else f"{line},{'other' if line.startswith('ur') else 'opacity'}"
             for k, line in enumerate(file.read_text().splitlines())]  # fmt: skip
    file.write_text("\n".join(lines) + "\n")
    assert localize("--regions", file, "--only", "finding=opacity").code == 0
    assert result(tmp_path)["n_with_regions"] == 2
    assert result(tmp_path)["against_regions"]["hit"]["value"] == 0.5


def test_the_draws_are_as_many_as_asked_for(localize, tmp_path):
    localize("--regions", boxes(tmp_path), "--draws", 33)
    assert result(tmp_path)["against_regions"]["energy inside"]["method"] == "patient bootstrap, 33 draws"
    assert not math.isnan(result(tmp_path)["against_regions"]["energy inside"]["low"])


# What is refused


def test_a_table_without_a_column_of_the_box_is_refused(localize, tmp_path):
    said = refused(localize("--regions", boxes(tmp_path, header="path,x,y,w,height")), tmp_path)
    assert "neither JSON nor a table of boxes" in said
    assert "x,y,w,h" in said


def test_a_table_without_a_column_of_the_image_is_refused(localize, tmp_path):
    assert "nih_image" in refused(localize("--regions", boxes(tmp_path, header="file,x,y,w,h")), tmp_path)


def test_boxes_of_no_radiograph_of_the_cohort_are_refused(localize, tmp_path):
    said = refused(localize("--regions", boxes(tmp_path, only={"x.png": "ul", "y.png": "ul"})), tmp_path)
    assert "none of the 2 annotations" in said
    assert "the cohort's 6 radiographs" in said


def test_a_side_that_no_split_has_is_refused(localize, tmp_path):
    said = refused(localize("--side", "validation"), tmp_path)
    assert "validation" in said
    assert "test" in said


def test_a_side_without_cases_is_refused(localize, tmp_path):
    assert "no case in the train split" in refused(localize("--side", "train"), tmp_path)


def test_a_choice_without_a_value_is_refused(localize, tmp_path):
    assert "COLUMN=VALUE" in refused(localize("--regions", boxes(tmp_path), "--only", "finding"), tmp_path)


def test_a_file_of_regions_that_is_not_there_is_refused(localize, tmp_path):
    assert "gone.csv" in refused(localize("--regions", tmp_path / "gone.csv"), tmp_path)


def test_a_cohort_that_is_not_there_or_not_split_is_refused(localize, cohort, tmp_path):
    assert "there is no cohort" in refused(localize(cohort_=tmp_path / "gone.parquet"), tmp_path)
    whole = table.read(cohort)
    table.write(Cohort(whole.root, whole.cases), tmp_path / "unsplit.csv")
    assert "has no split yet" in refused(localize(cohort_=tmp_path / "unsplit.csv"), tmp_path)


def test_a_lung_mask_that_is_no_picture_is_refused(localize, tmp_path):
    (tmp_path / "lungs").mkdir()
    (tmp_path / "lungs" / "ur.png").write_text("no picture")
    assert "ur.png" in refused(localize("--lung-masks", tmp_path / "lungs"), tmp_path)


def test_methods_and_sanity_of_a_bundle_are_refused_before_anything_is_read(localize):
    for option in ("--methods", "--sanity"):
        ran = localize(option, "2")
        assert ran.code == 2
        assert "need the checkpoint" in ran.err


def test_all_cases_of_a_cohort_without_a_split_are_measured(cohort, glass, tmp_path):
    split = table.read(cohort)
    unsplit = tmp_path / "unsplit.csv"
    table.write(Cohort(split.root, tuple(dataclasses.replace(c, split="") for c in split.cases)), unsplit)
    ran = run("localize", glass, "--cohort", unsplit, "--side", "all", "--draws", "5", "-o", tmp_path / "out")
    assert ran.code == 0, ran.err
    found = json.loads((tmp_path / "out" / "localization.json").read_text(encoding="utf-8"))
    assert (found["split"], found["split_sha256"], found["n_images"]) == ("all", "", 6)
    assert "all cases" in ran.out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--beside", "seed=/nowhere"), "--beside is for --sanity"),
        (("--only", "source=RSNA"), "--only chooses rows of --regions"),
    ],
)
def test_options_that_need_another_one_say_so(localize, options, says):
    ran = localize(*options)
    assert ran.code == 2
    assert says in ran.err


@pytest.mark.parametrize(("missing", "names_it"), [("torch", True), ("captum", True), ("pneumoscope.faithfulness.gone", False)])
def test_a_missing_package_of_others_is_named_and_one_of_ours_is_a_defect(monkeypatch, tmp_path, missing, names_it):
    def absent(name):
        raise ModuleNotFoundError(f"No module named '{missing}'", name=missing)

    monkeypatch.setattr(localize_command.importlib, "import_module", absent)
    with pytest.raises(MissingExtraError if names_it else ModuleNotFoundError, match=missing):
        localize_command._explanation_checks(tmp_path)
