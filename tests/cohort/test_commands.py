"""``pneumoscope cohort``: what is printed, written and refused, and with which exit code."""

import csv
import json

import pytest

from pneumoscope.cli.main import main
from pneumoscope.cohort import table
from pneumoscope.cohort.patient_ids import keyed
from tests.cohort.conftest import dicom, field, picture, tree


def rows(path, *several):
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(several[0]))
        writer.writeheader()
        writer.writerows(several)
    return path


@pytest.fixture
def given(tmp_path):
    """A table of eight images of eight patients at two sites."""
    tree(tmp_path, *(f"{k}.png" for k in range(8)))
    return rows(
        tmp_path / "t.csv",
        *(
            {"path": f"{k}.png", "label": ["clear", "opacity"][k % 2], "patient_id": f"MRN-{k}", "site": "AB"[k // 4]}
            for k in range(8)
        ),
    )


def test_build_prints_what_it_saw_and_writes_the_cohort(given, tmp_path, capfd):
    out = tmp_path / "c.csv"
    assert main(["cohort", "build", str(given), "--positive", "opacity", "--negative", "clear", "-o", str(out)]) == 0
    said = capfd.readouterr()
    for line in ("CSV: 8 rows; 8 images of 8 patients, 4 positive", "4 rows  positive", "4 rows  negative", f"positive: {out}"):
        assert line in said.out
    assert len(table.read(out).cases) == 8
    assert "MRN" not in said.out + said.err


def test_build_refuses_a_word_without_a_meaning(given, tmp_path, capfd):
    assert main(["cohort", "build", str(given), "--positive", "opacity", "-o", str(tmp_path / "c.csv")]) == 2
    assert "a word of the label column has no meaning: 'clear' (4 rows)" in capfd.readouterr().err
    assert not (tmp_path / "c.csv").exists()


@pytest.mark.parametrize(
    ("only", "count"), [(["site=A"], 4), (["site=A", "site=B"], 8), (["site=A", "label=clear"], 2), (["site=A", "path=4.png"], 0)]
)
def test_only_means_one_of_the_values_of_every_named_column(given, tmp_path, only, count):
    options = [f"--only={text}" for text in only]
    code = main(["cohort", "build", str(given), "--positive=opacity", "--negative=*", "--allow-no-positive", *options,
                 "-o", str(tmp_path / "c.csv")])  # fmt: skip
    assert code == (0 if count else 2)
    if count:
        assert len(table.read(tmp_path / "c.csv").cases) == count


def test_warnings_go_to_the_error_stream(tmp_path, capfd):
    for name in ("NORMAL/IM-0115-0001.png", "PNEUMONIA/person1_virus_1.png"):
        picture(tmp_path / "k" / name, field(1, 20, 20))
    assert main(["cohort", "build", str(tmp_path / "k"), "-o", str(tmp_path / "c.csv")]) == 0
    said = capfd.readouterr()
    assert "warning: 1 images occur more than once with identical pixels" in said.err
    assert "warning:" not in said.out


def test_layout_that_is_not_recognised_has_to_be_named(tmp_path, capfd):
    tree(tmp_path / "x", "clear/a.png", "opacity/b.png")
    out = str(tmp_path / "c.csv")
    assert main(["cohort", "build", str(tmp_path / "x"), "-o", out]) == 2
    assert "looks like no published data set; say which layout it has: --layout kermany, nih" in capfd.readouterr().err
    words = ["--positive=opacity", "--negative=clear", "--patient-per-file"]
    assert main(["cohort", "build", str(tmp_path / "x"), "--layout=folders", *words, "-o", out]) == 0


@pytest.fixture
def instances(tmp_path):
    """A DICOM tree with its labels."""
    for k in range(2):
        dicom(tmp_path / "d" / f"{k}.dcm", field(k, 16, 16), f"1.2.{k}", f"MRN-{k}")
    labels = rows(
        tmp_path / "l.csv", *({"sop_instance_uid": f"1.2.{k}", "label": w} for k, w in enumerate(("NORMAL", "PNEUMONIA")))
    )
    return ["cohort", "build", str(tmp_path / "d"), "--layout=dicom", f"--labels={labels}", "-o", str(tmp_path / "c.csv")]


def test_patients_of_dicom_headers_are_replaced_under_a_key_or_by_a_map(instances, tmp_path, capfd):
    assert main(instances) == 2
    assert "give --patient-key FILE" in capfd.readouterr().err
    key, private = tmp_path / "key", tmp_path / "map.csv"
    assert main([*instances, "--patient-key", str(key)]) == 0
    stored = [case.patient_id for case in table.read(tmp_path / "c.csv").cases]
    assert stored == [keyed(key.read_bytes())(f"MRN-{k}") for k in range(2)]
    assert main([*instances, "--patient-map", str(private)]) == 0
    with private.open(newline="") as stream:
        who = {row["original_id"]: row["patient_id"] for row in csv.DictReader(stream)}
    assert [case.patient_id for case in table.read(tmp_path / "c.csv").cases] == [who["MRN-0"], who["MRN-1"]]
    assert main([*instances, "--patient-map", str(private), "--patient-key", str(key)]) == 2
    said = capfd.readouterr()
    assert "MRN" not in said.out + said.err + (tmp_path / "c.csv").read_text() + (tmp_path / "c.csv.json").read_text()


def test_split_says_which_split_is_empty_or_has_one_class(given, tmp_path, capfd):
    out = str(tmp_path / "c.csv")
    assert main(["cohort", "build", str(given), "--positive=opacity", "--negative=clear", "-o", out]) == 0
    assert main(["cohort", "split", out, "--ratios=98/1/1"]) == 0
    assert "warning: the tune split is empty\nwarning: the test split is empty\n" in capfd.readouterr().err
    fixed = rows(tmp_path / "p.csv", {"patient_id": "MRN-0"})
    assert main(["cohort", "split", out, "--ratios=100/0/0", f"--fix={fixed}:test"]) == 0
    assert "warning: the test split has negative images only" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["c.csv", "c.csv.json", "c.json"])
def test_audit_does_not_write_over_the_cohort(given, tmp_path, capfd, name):
    out = tmp_path / "c.csv"
    assert main(["cohort", "build", str(given), "--positive=opacity", "--negative=clear", "-o", str(out)]) == 0
    assert main(["cohort", "audit", str(out), "-o", str(tmp_path / name)]) == 2
    assert "is part of the cohort itself" in capfd.readouterr().err
    assert len(table.read(out).cases) == 8


def test_sample_is_written_as_a_cohort_that_can_be_split(tmp_path, capfd):
    out = str(tmp_path / "sample.parquet")
    assert main(["cohort", "sample", "-o", out]) == 0
    assert main(["cohort", "split", out, "--ratios=50/25/25"]) == 0
    assert "16 radiographs below" in capfd.readouterr().out
    cohort = table.read(tmp_path / "sample.parquet")
    assert all(cohort.file(case).is_file() for case in cohort.cases)


def test_audit_of_a_csv_cohort_beside_it(tmp_path, capfd):
    """The report used to destroy the cohort."""
    names = [f"{'PNEUMONIA' if k % 2 else 'NORMAL'}/p{k}.png" for k in range(24)]
    tree(tmp_path / "x", *names)
    out, words = str(tmp_path / "cohort.csv"), ["--layout=folders", "--patient-per-file"]
    assert main(["cohort", "build", str(tmp_path / "x"), *words, "-o", out]) == 0
    report = tmp_path / "audit.json"
    assert main(["cohort", "audit", out, "-o", str(report), "--draws=5"]) == 0
    assert json.loads(report.read_text())["n_images"] == 24
    assert len(table.read(tmp_path / "cohort.csv").cases) == 24


PLANTED = "Doe^Jane"


@pytest.mark.parametrize(
    "keyword", ["", "BodyPartExamined", "Modality", "ViewPosition", "PhotometricInterpretation", "ImageComments"]
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR CS")
def test_no_header_text_leaves_in_any_output(tmp_path, capfd, keyword):
    """An identifier in a field where it does not belong, in files that are accepted and in files that are refused."""
    named = {"PatientName": PLANTED, "AccessionNumber": PLANTED, "PatientBirthDate": "19030405"}
    for k in range(12):
        odd = {keyword: PLANTED} if keyword and k == 3 else {}
        dicom(tmp_path / "d" / f"{k}.dcm", field(k, 32, 32), f"1.2.{k}", f"MRN-4711-{k}", **named, **odd)
    labels = rows(
        tmp_path / "l.csv", *({"sop_instance_uid": f"1.2.{k}", "label": ["NORMAL", "PNEUMONIA"][k % 2]} for k in range(12))
    )
    out, report = tmp_path / "out" / "c.csv", tmp_path / "out" / "audit.json"
    options = ["--layout=dicom", f"--labels={labels}", f"--patient-key={tmp_path / 'key'}"]
    assert main(["cohort", "build", str(tmp_path / "d"), *options, "-o", str(out)]) in (0, 1)
    assert main(["cohort", "split", str(out), "--ratios=50/25/25"]) == 0
    if keyword == "ImageComments":
        assert main(["cohort", "audit", str(out), "-o", str(report), "--draws=2"]) in (0, 1)
    said = capfd.readouterr()
    written = "".join(path.read_text() for path in (tmp_path / "out").iterdir())
    for secret in ("Doe", "Jane", "MRN-4711", "19030405"):
        assert secret.lower() not in (said.out + said.err + written).lower()


def test_table_without_a_header_does_not_print_its_first_patient(tmp_path, capfd):
    (tmp_path / "t.csv").write_text("a.png,Doe^Jane,MRN-4711\n")
    assert main(["cohort", "build", str(tmp_path / "t.csv"), "-o", str(tmp_path / "c.csv")]) == 2
    said = capfd.readouterr().err
    assert "t.csv has no column path, label, patient_id, nor any other column that was expected" in said
    assert "Doe" not in said


@pytest.mark.parametrize("column", ["patient", "name"])
def test_wrong_label_column_does_not_print_names(tmp_path, capfd, column):
    several = [{"path": f"{k}.png", "patient_id": f"MRN-{k}", column: f"Doe^Jane {k}"} for k in range(40)]
    path = rows(tmp_path / "t.csv", *several)
    assert main(["cohort", "build", str(path), f"--label-column={column}", "-o", str(tmp_path / "c.csv")]) == 2
    said = capfd.readouterr().err
    assert "40 different words in 40 rows have no meaning: is this the label column?" in said
    assert "Doe" not in said
