"""Joined cohorts: paths, patients, splits, and no leak between splits."""

from dataclasses import replace
from pathlib import Path

import pytest

from pneumoscope.cli.main import main
from pneumoscope.cohort import CohortError, table
from pneumoscope.cohort.fingerprint import fingerprint, overlap
from pneumoscope.cohort.join import Parent, join, parse_parent
from pneumoscope.cohort.split import by_ratio, official
from tests.cohort.conftest import case, cohort, sides, tree

SPLITS = ("train", "tune", "test")


def parent(name, root, labels="NP", moves=(), source=None, splits=SPLITS):
    """A cohort with a patient 1, 2, … for each split, who has an image of each label (N normal, P pneumonia)."""
    words = {"N": "NORMAL", "P": "PNEUMONIA"}
    cases = [
        case(f"{split}-{label}.png", str(k), words[label], official_split=split, source=source or name,
             pixel_sha256=f"{source or name} {split} {label}")
        for k, split in enumerate(splits, start=1)
        for label in labels
    ]  # fmt: skip
    return Parent(f"{name}.parquet", official(cohort(*cases, root=root, source=name)), dict(moves))


@pytest.fixture
def two(tmp_path):
    return parent("children", tmp_path / "data" / "a"), parent("adults", tmp_path / "data" / "b" / "deep")


def test_paths_start_from_the_deepest_common_folder_and_splits_are_kept(two, tmp_path):
    joined = join(two).cohort
    assert joined.root == tmp_path / "data"
    assert sides(joined) == {f"{f}/{s}-{label}.png": s for f in ("a", "b/deep") for s in SPLITS for label in "NP"}


def test_a_stated_root_must_hold_all_files(two, tmp_path):
    assert join(two, tmp_path).cohort.cases[0].path == "data/a/train-N.png"
    with pytest.raises(
        CohortError, match=r"the files of a cohort are in '.*b/deep', which is not below '.*a'; give another --root"
    ):
        join(two, tmp_path / "data" / "a")


def test_equal_patient_identifiers_of_two_sources_are_two_patients(two):
    assert {c.patient_id for c in join(two).cohort.cases} == {f"{s}:{k}" for s in ("children", "adults") for k in "123"}


def test_two_cohorts_of_one_source_share_their_patients(tmp_path):
    """The normal films of a set that come in a file of their own: patient 1 trains in one file and tests in the other."""
    others = [
        parent("a", tmp_path / "a", source="nih", splits=SPLITS),
        parent("b", tmp_path / "b", source="nih", splits=SPLITS[::-1]),
    ]
    cases = [replace(c, pixel_sha256=f"other {c.path}") for c in others[1].cohort.cases]
    others[1] = replace(others[1], cohort=replace(others[1].cohort, cases=tuple(cases)))
    with pytest.raises(
        CohortError, match=r"^2 patients would be in two splits \(train and test\); .*leave a split out \(such as"
    ):
        join(others)
    both = join([others[0], replace(others[1], moves={"train": "none", "test": "none"})]).cohort
    assert {c.patient_id for c in both.cases} == {"nih:1", "nih:2", "nih:3"}


def test_splits_are_moved_and_left_out_and_the_rule_says_so(two):
    children, adults = two
    joined = join([children, replace(adults, moves={"tune": "train", "test": "none"})]).cohort
    adult = {c.path.rpartition("/")[2]: c.split for c in joined.cases if c.source == "adults"}
    assert adult == {"train-N.png": "train", "train-P.png": "train", "tune-N.png": "train", "tune-P.png": "train"}
    before, after = (p.cohort.partition.sha256[:12] for p in two)
    assert joined.partition.rule == (
        f"join of children.parquet (children; split {before} official, 0 patients on two sides), "
        f"adults.parquet (adults; split {after} official, 0 patients on two sides, test left out, tune as train)"
    )


def test_the_hash_of_the_split_follows_from_what_is_moved(two):
    children, adults = two
    kept, moved = (join([children, replace(adults, moves=moves)]).cohort.partition.sha256 for moves in ({}, {"tune": "train"}))
    assert kept != moved
    assert join([adults, children]).cohort.partition.sha256 == kept


def test_a_whole_cohort_without_a_split_may_go_to_one(two, tmp_path):
    normal = parent("normal", tmp_path / "n", labels="N")
    unsplit = replace(normal, cohort=replace(normal.cohort, partition=None))
    with pytest.raises(CohortError, match=r"'normal.parquet' is not split: .*or say normal.parquet:all=train"):
        join([*two, unsplit])
    joined = join([*two, replace(unsplit, moves={"all": "train"})]).cohort
    assert [c.split for c in joined.cases if c.source == "normal"] == ["train"] * 3
    assert joined.partition.rule.endswith("normal.parquet (normal; not split, every case as train)")


def test_a_parent_of_one_class_is_allowed_where_the_joined_split_has_both(two, tmp_path):
    normal = parent("normal", tmp_path / "n", labels="N")
    assert len(join([two[0], normal]).cohort.on("tune")) == 3
    with pytest.raises(CohortError, match="the train split of the joined cohort has negative cases only"):
        join([normal, parent("healthy", tmp_path / "h", labels="N")])


def with_pixels(joined_parent, split, label, pixels):
    cases = (replace(c, pixel_sha256=pixels) if c.path == f"{split}-{label}.png" else c for c in joined_parent.cohort.cases)
    return replace(joined_parent, cohort=replace(joined_parent.cohort, cases=tuple(cases)))


def test_one_image_of_two_sources_in_two_splits_is_refused(two):
    children, adults = with_pixels(two[0], "train", "N", "same"), with_pixels(two[1], "test", "N", "same")
    with pytest.raises(CohortError, match=r"^1 images with identical pixels would be in two splits \(train and test\)"):
        join([children, adults])
    assert join([children, replace(adults, moves={"test": "none"})]).n_identical == 0


def test_one_image_of_two_sources_in_one_split_is_counted(two):
    children, adults = with_pixels(two[0], "train", "N", "same"), with_pixels(two[1], "train", "P", "same")
    joined = join([children, adults])
    assert (joined.n_identical, joined.n_contradicting) == (1, 1)
    assert joined.warnings == ("1 images come from several cohorts with identical pixels, 1 of them under two references",)


def test_a_file_in_two_cohorts_is_refused(tmp_path):
    one, other = parent("a", tmp_path / "x"), parent("b", tmp_path / "x")
    with pytest.raises(CohortError, match=r"^6 files are in more than one of the cohorts"):
        join([one, other])


def test_a_cohort_whose_cases_name_no_source_is_refused(two):
    cases = tuple(replace(c, source="") for c in two[0].cohort.cases)
    with pytest.raises(CohortError, match=r"'children.parquet' does not say which data set its cases come from; build it again"):
        join([replace(two[0], cohort=replace(two[0].cohort, cases=cases)), two[1]])


def test_a_split_that_is_empty_cannot_be_moved(two, tmp_path):
    with pytest.raises(CohortError, match=r"'c.parquet' has no case in the tune split, which cannot be moved"):
        join([two[0], parent("c", tmp_path / "c", splits=("train",), moves={"tune": "train"})])


def test_one_cohort_or_two_targets_are_refused(two):
    with pytest.raises(CohortError, match="needs two cohorts or more"):
        join(two[:1])
    with pytest.raises(CohortError, match="are about edema and pneumonia"):
        join([two[0], replace(two[1], cohort=replace(two[1].cohort, target="edema"))])


def test_a_joined_cohort_may_be_joined_again(two, tmp_path):
    first = join(two).cohort
    third = parent("third", tmp_path / "data" / "c")
    joined = join([Parent("two.parquet", first), third]).cohort
    assert {c.patient_id for c in joined.cases} == {f"{s}:{k}" for s in ("children", "adults", "third") for k in "123"}


def test_files_that_were_not_read_start_from_the_new_root(two, tmp_path):
    damaged = replace(two[1], cohort=replace(two[1].cohort, unreadable=("x.png: damaged",)))
    assert join([two[0], damaged]).cohort.unreadable == ("b/deep/x.png: damaged",)


def test_a_model_of_a_parent_recognises_its_patients_in_the_joined_cohort_and_the_other_way_round(two):
    """Other images of the patient, so that the patient alone can be recognised."""
    children, joined = two[0].cohort, join(two).cohort
    others = [replace(c, pixel_sha256="another image") for c in joined.cases if c.source == "children"]
    assert overlap(fingerprint(children.on("train")), others).n_patients == 1
    again = [replace(c, pixel_sha256="another image") for c in children.cases]
    assert overlap(fingerprint(joined.on("train")), again).n_patients == 1


@pytest.mark.parametrize(
    ("text", "moves"),
    [
        ("a.parquet", {}),
        ("a.parquet:tune=train", {"tune": "train"}),
        ("a.parquet:tune=train,test=none", {"tune": "train", "test": "none"}),
        ("a.parquet:all=tune", {"all": "tune"}),
    ],
)
def test_the_argument_names_the_file_and_what_becomes_of_its_splits(text, moves):
    assert parse_parent(text) == (Path("a.parquet"), moves)


def test_a_colon_in_a_path_is_part_of_it():
    assert parse_parent("C:/a.parquet") == (Path("C:/a.parquet"), {})


@pytest.mark.parametrize("moves", ["tune=", "val=train", "tune=train,tune=test", "all=train,test=none", "tune=train;test=none"])
def test_moves_of_another_form_are_refused(moves):
    with pytest.raises(CohortError, match="should say what becomes of each split once, such as tune=train,test=none"):
        parse_parent(f"a.parquet:{moves}")


def test_the_command_writes_what_can_be_read_and_whose_files_are_there(tmp_path, capfd):
    for name in ("a", "b"):
        root = tree(tmp_path / name, *(f"{label}{k}.png" for label in "NP" for k in range(4)))
        files = [case(f"{label}{k}.png", f"{label}{k}", {"N": "NORMAL", "P": "PNEUMONIA"}[label], source=name,
                      pixel_sha256=f"{name}{label}{k}") for label in "NP" for k in range(4)]  # fmt: skip
        table.write(by_ratio(cohort(*files, root=root), ratios=(0.5, 0.25, 0.25)), tmp_path / f"{name}.parquet")
    out = tmp_path / "out" / "c.parquet"
    out.parent.mkdir()
    assert (
        main(["cohort", "join", str(tmp_path / "a.parquet"), f"{tmp_path / 'b.parquet'}:tune=train,test=none", "-o", str(out)])
        == 0
    )
    said = capfd.readouterr()
    assert "a: train 4 images (2 positive), tune 2 images (1 positive), test 2 images (1 positive), 8 patients" in said.out
    assert "b: train 6 images (3 positive), 6 patients" in said.out
    assert str(tmp_path) not in table.read(out).partition.rule
    joined = table.read(out)
    assert all(joined.file(c).is_file() for c in joined.cases)
    assert main(["cohort", "join", str(tmp_path / "a.parquet"), "-o", str(out)]) == 2
