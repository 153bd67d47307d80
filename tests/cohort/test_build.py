"""Cohorts from a Kermany tree, folders of classes, a CSV and DICOM files: the same table whatever the layout."""

import csv
import doctest
import hashlib
import re

import numpy as np
import pytest
from PIL import Image

from pneumoscope import radiograph
from pneumoscope.cohort import CohortError, NameGrammarError, opened_file
from pneumoscope.cohort import build as module
from pneumoscope.cohort.build import build
from pneumoscope.cohort.label_rules import LabelRules
from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords
from pneumoscope.cohort.layouts import Columns, LayoutOptions, csv_table, dicom_tree, kermany
from pneumoscope.cohort.patient_ids import keyed
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.radiograph import AcceptancePolicy
from tests.cohort.conftest import dicom, field, from_folders, picture, tree

OFFICIAL_TREE = (
    "train/NORMAL/IM-0115-0001.jpeg",
    "train/PNEUMONIA/person1000_bacteria_2931.jpeg",
    "val/NORMAL/NORMAL2-IM-1427-0001.jpeg",
    "test/PNEUMONIA/person1_virus_6.jpeg",
)


KEY = bytes(range(32))
ONE_CLASS = LabelRules(allow_no_positive=True)


def from_kermany(root, rules=ONE_CLASS, **options):
    return build(kermany.read(root, LayoutOptions(**options)), rules).cohort


def from_csv(path, rules=ONE_CLASS, **options):
    return build(csv_table.read(path, LayoutOptions(**options)), rules).cohort


def from_dicom(root, labels, rules=ONE_CLASS, key=KEY, **options):
    return build(dicom_tree.read(root, LayoutOptions(labels=labels, **options)), rules, patient_ids=keyed(key)).cohort


def table(path, *rows):
    """Write a CSV of dicts."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def said(cohort):
    """What a cohort says of each path."""
    return {c.path: (c.label, c.reference, c.patient_id, c.subtype, c.official_split) for c in cohort.cases}


# The Kermany tree


def test_official_kermany_tree_gives_label_patient_germ_and_side(tmp_path):
    assert said(from_kermany(tree(tmp_path, *OFFICIAL_TREE))) == {
        "train/NORMAL/IM-0115-0001.jpeg": ("NORMAL", 0, "IM-0115", "normal", "train"),
        "train/PNEUMONIA/person1000_bacteria_2931.jpeg": ("PNEUMONIA", 1, "person1000", "bacteria", "train"),
        "val/NORMAL/NORMAL2-IM-1427-0001.jpeg": ("NORMAL", 0, "NORMAL2-IM-1427", "normal", "tune"),
        "test/PNEUMONIA/person1_virus_6.jpeg": ("PNEUMONIA", 1, "person1", "virus", "test"),
    }


def test_merged_kermany_tree_has_no_official_split(tmp_path):
    cohort = from_kermany(tree(tmp_path, "NORMAL/IM-0115-0001.jpeg", "PNEUMONIA/BACTERIA-7422-0001.jpeg"))
    assert said(cohort) == {
        "NORMAL/IM-0115-0001.jpeg": ("NORMAL", 0, "IM-0115", "normal", ""),
        "PNEUMONIA/BACTERIA-7422-0001.jpeg": ("PNEUMONIA", 1, "BACTERIA-7422", "bacteria", ""),
    }


def test_patient_rule_reaches_the_cases(tmp_path):
    root = tree(tmp_path, "PNEUMONIA/person1_virus_6.jpeg", "PNEUMONIA/person1_bacteria_1.jpeg")
    assert {c.patient_id for c in from_kermany(root).cases} == {"person1"}
    assert {c.patient_id for c in from_kermany(root, patient_rule="person-subtype").cases} == {
        "person1_bacteria",
        "person1_virus",
    }


def test_names_of_no_known_form_are_an_error_that_counts_them_and_lists_examples(tmp_path):
    root = tree(tmp_path, "NORMAL/IM-0115-0001.png", *(f"NORMAL/scan{k}.png" for k in range(7)))
    with pytest.raises(NameGrammarError, match=r"^7 file names .*'scan0.png', .*'scan4.png'; .*--patient-per-file") as error:
        from_kermany(root)
    assert "scan5" not in str(error.value)


def test_patient_per_file_keeps_the_known_names_and_makes_each_other_file_a_patient(tmp_path):
    root = tree(tmp_path, "NORMAL/IM-0115-0001.png", "NORMAL/scan1.png", "PNEUMONIA/scan1.png")
    patients = {c.path: c.patient_id for c in from_kermany(root, patient_per_file=True).cases}
    assert patients["NORMAL/IM-0115-0001.png"] == "IM-0115"
    assert len(set(patients.values())) == 3


def test_a_folder_that_is_no_class_of_kermany_is_named(tmp_path):
    with pytest.raises(CohortError, match=r"'COVID/IM-0115-0001\.png'"):
        from_kermany(tree(tmp_path, "COVID/IM-0115-0001.png"))


def test_what_a_mac_adds_to_an_archive_is_no_radiograph(tmp_path):
    root = tree(tmp_path, "NORMAL/IM-0115-0001.jpeg", "__MACOSX/NORMAL/IM-0116-0001.jpeg")
    (root / "NORMAL" / ".DS_Store").write_bytes(b"\0")
    (root / "notes.csv").write_text("a,b\n")
    built = build(kermany.read(root), ONE_CLASS)
    assert [c.path for c in built.cohort.cases] == ["NORMAL/IM-0115-0001.jpeg"]
    (note,) = built.report.notes
    assert note.startswith("other files below the folder were left out: ")
    assert all(f"1 {kind}" in note for kind in ("hidden", "hidden folder", "CSV"))


# What every layout does with a file


def test_each_file_is_measured_and_its_grey_levels_hashed(tmp_path):
    pixels = np.rint(field(3, 30, 40))
    path = picture(tmp_path / "NORMAL" / "IM-0115-0001.png", pixels)
    (case,) = from_kermany(tmp_path).cases
    assert (case.rows, case.cols, case.file_bytes) == (30, 40, path.stat().st_size)
    grey = (pixels.astype(np.float32) / np.float32(255)).tobytes() + b"(30, 40)"
    assert case.pixel_sha256 == hashlib.sha256(grey).hexdigest()


def test_same_pixels_in_another_file_have_the_same_hash_and_turned_pixels_another(tmp_path):
    pixels = field(3, 20, 20)
    picture(tmp_path / "a" / "p1.png", pixels)
    picture(tmp_path / "a" / "p2.png", pixels, compress_level=0)
    picture(tmp_path / "a" / "p3.png", pixels.T)
    one, two, three = from_folders(tmp_path, positive=["b"], patient_per_file=True).cases
    assert one.pixel_sha256 == two.pixel_sha256 != three.pixel_sha256
    assert one.file_bytes != two.file_bytes


def test_unreadable_files_stay_listed_with_the_reason_and_out_of_the_cases(tmp_path):
    root = tree(tmp_path, "NORMAL/IM-0115-0001.png", "NORMAL/IM-0116-0001.png")
    (root / "NORMAL" / "IM-0116-0001.png").write_bytes(b"")
    Image.new("L", (8, 8), 7).save(root / "NORMAL" / "IM-0117-0001.png")
    cohort = from_kermany(root)
    assert [c.path for c in cohort.cases] == ["NORMAL/IM-0115-0001.png"]
    empty, flat = cohort.unreadable
    assert empty.startswith("NORMAL/IM-0116-0001.png: the file is empty")
    assert flat.startswith("NORMAL/IM-0117-0001.png: every one of the 8 × 8 pixels")


def test_a_tree_in_which_nothing_can_be_read_is_an_error(tmp_path):
    (tmp_path / "NORMAL").mkdir()
    (tmp_path / "NORMAL" / "IM-0115-0001.png").write_bytes(b"no image")
    with pytest.raises(CohortError, match="none of the 1 files"):
        from_kermany(tmp_path)


@pytest.mark.parametrize("make", [lambda root: root / "nowhere", lambda root: root])
def test_no_folder_and_no_image_are_errors(tmp_path, make):
    with pytest.raises(CohortError, match=r"is no folder|no DICOM"):
        from_kermany(make(tmp_path))


# A folder per class


def test_folder_per_class_takes_patients_by_pattern_and_positives_in_any_case(tmp_path):
    root = tree(tmp_path, "train/Opacity/p12_a.png", "train/Opacity/p12_b.png", "valid/clear/p7_a.png", "test/clear/p8_a.png")
    cohort = from_folders(root, positive=["opacity"], patient_pattern=r"(?P<patient>p\d+)_")
    assert said(cohort) == {
        "train/Opacity/p12_a.png": ("Opacity", 1, "p12", "", "train"),
        "train/Opacity/p12_b.png": ("Opacity", 1, "p12", "", "train"),
        "valid/clear/p7_a.png": ("clear", 0, "p7", "", "tune"),
        "test/clear/p8_a.png": ("clear", 0, "p8", "", "test"),
    }


def test_a_file_that_the_pattern_does_not_match_is_named(tmp_path):
    root = tree(tmp_path, "clear/p1.png", "clear/x1.png")
    with pytest.raises(NameGrammarError, match=r"1 file names .*'x1\.png'"):
        from_folders(root, positive=["opacity"], patient_pattern=r"(?P<patient>p\d+)")


@pytest.mark.parametrize(
    ("pattern", "complaint"), [("", "whose radiograph"), ("(p", "no regular expression"), (r"p\d+", "no group named patient")]
)
def test_a_pattern_that_cannot_name_a_patient_is_refused(tmp_path, pattern, complaint):
    with pytest.raises(CohortError, match=complaint):
        from_folders(tree(tmp_path, "clear/p1.png"), positive=["opacity"], patient_pattern=pattern)


def test_patient_per_file_tells_same_names_in_two_folders_apart(tmp_path):
    root = tree(tmp_path, "clear/1.png", "opacity/1.png")
    assert len({c.patient_id for c in from_folders(root, positive=["opacity"], patient_per_file=True).cases}) == 2


def test_patient_is_the_folder_below_the_class(tmp_path):
    root = tree(tmp_path, "clear/p1/a.png", "clear/p1/study 2/b.png", "opacity/p2/c.png")
    cohort = from_folders(root, positive=["opacity"], patient_folder=True)
    assert {c.path: (c.label, c.reference, c.patient_id) for c in cohort.cases} == {
        "clear/p1/a.png": ("clear", 0, "p1"),
        "clear/p1/study 2/b.png": ("clear", 0, "p1"),
        "opacity/p2/c.png": ("opacity", 1, "p2"),
    }


def test_patient_folders_may_lie_below_a_split(tmp_path):
    root = tree(tmp_path, "train/clear/p1/a.png", "val/opacity/p2/b.png", "test/clear/p3/deep/c.png")
    cohort = from_folders(root, positive=["opacity"], patient_folder=True)
    assert [(c.label, c.patient_id, c.official_split) for c in cohort.cases] == [
        ("clear", "p3", "test"),
        ("clear", "p1", "train"),
        ("opacity", "p2", "tune"),
    ]


def test_file_that_lies_in_no_patient_folder_is_named(tmp_path):
    root = tree(tmp_path, "clear/p1/a.png", "clear/b.png")
    with pytest.raises(NameGrammarError, match=r"1 file names do not say .* 'clear/b\.png'"):
        from_folders(root, patient_folder=True)


def test_class_that_is_neither_positive_nor_negative_is_refused(tmp_path):
    """A folder COVID beside NORMAL and PNEUMONIA used to be negative in silence."""
    root = tree(tmp_path, "NORMAL/p1.png", "PNEUMONIA/p2.png", "COVID/p3.png", "COVID/p4.png")
    with pytest.raises(CohortError, match=r"no meaning: 'COVID' \(2 rows\); positive here means 'PNEUMONIA'"):
        from_folders(root, positive=["PNEUMONIA"], negative=[], patient_per_file=True)


# A CSV


def test_csv_gives_all_columns(tmp_path):
    tree(tmp_path, "a.png", "b.png")
    rows = (
        {"path": "a.png", "label": "pneumonia", "patient_id": "7", "subtype": "virus", "official_split": "VAL"},
        {"path": "b.png", "label": "clear", "patient_id": "8", "subtype": "", "official_split": ""},
    )
    cohort = from_csv(table(tmp_path / "t.csv", *rows), LabelRules(LabelWords(negative=("clear",))))
    assert said(cohort) == {
        "a.png": ("pneumonia", 1, "7", "virus", "tune"),
        "b.png": ("clear", 0, "8", "", ""),
    }


def test_csv_columns_may_have_other_names_and_paths_another_root(tmp_path):
    tree(tmp_path / "images", "a.png")
    path = table(tmp_path / "t.csv", {"file": "a.png", "finding": "Opacity", "subject": "7"})
    columns = Columns(path="file", label="finding", patient="subject")
    rules = LabelRules(LabelWords(("Opacity",)))
    cohort = from_csv(path, rules, root=tmp_path / "images", columns=columns)
    assert said(cohort) == {"a.png": ("Opacity", 1, "7", "", "")}


def test_csv_from_a_spreadsheet_with_a_byte_order_mark_is_read(tmp_path):
    tree(tmp_path, "a.png")
    (tmp_path / "t.csv").write_bytes("\ufeffpath,label,patient_id\r\na.png,NORMAL,7\r\n".encode())
    assert said(from_csv(tmp_path / "t.csv")) == {"a.png": ("NORMAL", 0, "7", "", "")}


def test_native_size_comes_from_the_csv_where_it_has_columns_for_it(tmp_path):
    tree(tmp_path, "a.png", "b.png")
    row = {"label": "NORMAL", "patient_id": "7"}
    rows = ({"path": "a.png", "orig_height": "2000", "orig_width": "1500"}, {"path": "b.png", "orig_height": ""})
    cohort = from_csv(table(tmp_path / "t.csv", *({**row, **r} for r in rows)))
    assert [(c.rows, c.cols) for c in cohort.cases] == [(2000, 1500), (0, 0)]
    cohort = from_csv(table(tmp_path / "plain.csv", {**row, "path": "a.png"}))
    assert [(c.rows, c.cols) for c in cohort.cases] == [(24, 20)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("path,label\na.png,NORMAL\n", r"no column patient_id; its columns are path, label"),
        (
            "path,label,patient_id\na.png,NORMAL,1\nb.png,NORMAL,2\n",
            r"1 images of the table are not below '.*' \(row 3\); give --root, or --skip-unmatched",
        ),
        ("path,label,patient_id\na.png,NORMAL,\n", r"row 2 of t\.csv has no patient_id; .*--patient-per-file"),
        ("path,label,patient_id\na.png, ,1\n", r"no meaning: '\(blank\)' \(1 row\)"),
        ("path,patient_id,label\na.png,1\n", r"no meaning: '\(blank\)' \(1 row\)"),
        ("label,patient_id,path\nNORMAL,1\n", r"not below '.*' \(row 2\)"),
        ("path,label,patient_id\n", "no case is left"),
        ("path,label,patient_id,orig_width\na.png,NORMAL,1,²\n", "row 2 of t.csv has no whole number of pixels as orig_width"),
        ("path,label,patient_id,orig_width\na.png,NORMAL,1,12.5\n", "row 2 of t.csv has no whole number of pixels as orig_width"),
        ("path,label,patient_id,orig_width\na.png,NORMAL,1,-3\n", "row 2 of t.csv has no whole number of pixels as orig_width"),
    ],
)
def test_csv_that_leaves_something_open_is_refused_with_the_place(tmp_path, text, complaint):
    tree(tmp_path, "a.png")
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(CohortError, match=complaint):
        from_csv(tmp_path / "t.csv")


def test_file_that_is_no_text_is_refused_as_a_csv(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(CohortError, match="could not be read as a CSV"):
        from_csv(tmp_path / "t.csv")


def test_csv_without_patients_needs_patient_per_file(tmp_path):
    tree(tmp_path, "a.png", "b.png")
    rows = ({"path": name, "label": "NORMAL"} for name in ("a.png", "b.png"))
    cohort = from_csv(table(tmp_path / "t.csv", *rows), patient_per_file=True)
    assert len({c.patient_id for c in cohort.cases}) == 2


# DICOM files


def test_dicom_files_are_labelled_by_uid_or_by_path(tmp_path):
    dicom(tmp_path / "d" / "x" / "1.dcm", field(1, 16, 16), "1.2.3", "MRN-1")
    dicom(tmp_path / "d" / "2.dcm", field(2, 16, 16), "1.2.4", "MRN-1")
    labels = table(
        tmp_path / "l.csv",
        {"sop_instance_uid": "1.2.3", "label": "PNEUMONIA", "subtype": "virus"},
        {"sop_instance_uid": "2.dcm", "label": "NORMAL"},
    )
    cohort = from_dicom(tmp_path / "d", labels)
    assert {c.path: (c.reference, c.subtype) for c in cohort.cases} == {"x/1.dcm": (1, "virus"), "2.dcm": (0, "")}
    assert len({c.patient_id for c in cohort.cases}) == 1


def test_dicom_files_are_found_by_their_prefix_and_the_directory_of_a_medium_is_none(tmp_path):
    """As a medium or an archive names them: without a suffix, or by a UID."""
    for k, name in enumerate(("IM000001", "1.2.840.5", "DICOMDIR", ".hidden")):
        written = dicom(tmp_path / "d" / f"{k}.dcm", field(k, 16, 16), f"1.2.{k}", "MRN-1")
        written.rename(tmp_path / "d" / name)
    labels = table(tmp_path / "d" / "labels", *({"sop_instance_uid": f"1.2.{k}", "label": "NORMAL"} for k in range(4)))
    built = build(
        dicom_tree.read(tmp_path / "d", LayoutOptions(labels=labels)), ONE_CLASS, patient_ids=keyed(KEY), skip_unmatched=True
    )
    assert {c.path for c in built.cohort.cases} == {"IM000001", "1.2.840.5"}
    assert built.report.left_out == {"row has no readable file": 2}


def test_linked_folders_are_followed_once_and_links_in_a_circle_end(tmp_path):
    tree(tmp_path / "elsewhere", "NORMAL/a.png", "PNEUMONIA/b.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "data", target_is_directory=True)
    cohort = from_folders(tmp_path / "data", positive=["PNEUMONIA"], patient_per_file=True)
    assert [c.path for c in cohort.cases] == ["linked/NORMAL/a.png", "linked/PNEUMONIA/b.png"]


def test_dicom_patient_is_that_of_the_labels_or_of_the_header_and_is_replaced(tmp_path):
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.3", "MRN-1")
    dicom(tmp_path / "d" / "2.dcm", field(2, 16, 16), "1.2.4", "MRN-2")
    rows = [{"sop_instance_uid": uid, "label": "NORMAL", "patient_id": p} for uid, p in (("1.2.3", ""), ("1.2.4", "P9"))]
    first, second = from_dicom(tmp_path / "d", table(tmp_path / "l.csv", *rows)).cases
    assert first.patient_id == keyed(KEY)("MRN-1")
    assert second.patient_id == keyed(KEY)("P9")


def test_dicom_files_without_a_label_are_an_error_that_names_some(tmp_path):
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.3", "MRN-1")
    labels = table(tmp_path / "l.csv", {"sop_instance_uid": "9.9", "label": "NORMAL"})
    with pytest.raises(CohortError, match=r"1 DICOM files have no row by SOP Instance UID or path, such as '1\.dcm'"):
        from_dicom(tmp_path / "d", labels)


def test_dicom_file_without_a_patient_is_an_error(tmp_path):
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.3", "")
    labels = table(tmp_path / "l.csv", {"sop_instance_uid": "1.2.3", "label": "NORMAL"})
    with pytest.raises(CohortError, match=r"1 DICOM files have no Patient ID, such as '1\.dcm'.*--patient-per-file"):
        from_dicom(tmp_path / "d", labels)
    (case,) = from_dicom(tmp_path / "d", labels, patient_per_file=True).cases
    assert case.patient_id == "file:1.dcm"


def test_damaged_dicom_file_is_listed_and_the_others_are_built(tmp_path):
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.3", "MRN-1")
    whole = dicom(tmp_path / "d" / "2.dcm", field(2, 16, 16), "1.2.4", "MRN-2")
    whole.write_bytes(whole.read_bytes()[:-100])
    labels = table(tmp_path / "l.csv", *({"sop_instance_uid": uid, "label": "NORMAL"} for uid in ("1.2.3", "1.2.4")))
    cohort = from_dicom(tmp_path / "d", labels)
    assert [c.path for c in cohort.cases] == ["1.dcm"]
    assert [line.partition(":")[0] for line in cohort.unreadable] == ["2.dcm"]


def test_patients_of_dicom_headers_do_not_enter_a_table_as_they_are(tmp_path):
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.3", "MRN-1")
    labels = table(tmp_path / "l.csv", {"sop_instance_uid": "1.2.3", "label": "NORMAL"})
    with pytest.raises(CohortError, match=r"give --patient-key FILE .* or --patient-map FILE"):
        build(dicom_tree.read(tmp_path / "d", LayoutOptions(labels=labels)), ONE_CLASS)


def test_rows_of_one_dicom_instance_must_agree(tmp_path):
    """The last of several rows used to win in silence."""
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.3", "MRN-1")
    labels = table(tmp_path / "l.csv", *({"sop_instance_uid": "1.2.3", "label": word} for word in ("PNEUMONIA", "NORMAL")))
    with pytest.raises(CohortError, match=r"1 image has rows that disagree \(rows 2 and 3\)"):
        from_dicom(tmp_path / "d", labels)


def test_second_file_of_an_instance_is_left_out(tmp_path):
    for name in ("1.dcm", "copy.dcm"):
        dicom(tmp_path / "d" / name, field(1, 16, 16), "1.2.3", "MRN-1")
    labels = table(tmp_path / "l.csv", {"sop_instance_uid": "1.2.3", "label": "NORMAL"})
    options = LayoutOptions(labels=labels)
    built = build(dicom_tree.read(tmp_path / "d", options), ONE_CLASS, patient_ids=keyed(KEY))
    assert [c.path for c in built.cohort.cases] == ["1.dcm"]
    assert built.report.left_out == {"SOP Instance UID of another file": 1}


def test_dicom_files_and_rows_without_each_other_can_be_left_out(tmp_path):
    for k in "123":
        dicom(tmp_path / "d" / f"{k}.dcm", field(int(k), 16, 16), f"1.2.{k}", "MRN-1")
    rows = [{"sop_instance_uid": f"1.2.{k}", "label": "NORMAL", "site": "here" if k != "2" else "there"} for k in "129"]
    options = LayoutOptions(labels=table(tmp_path / "l.csv", *rows), only=RowFilter.parse(["site=here"]))
    built = build(dicom_tree.read(tmp_path / "d", options), ONE_CLASS, patient_ids=keyed(KEY), skip_unmatched=True)
    assert [c.path for c in built.cohort.cases] == ["1.dcm"]
    assert built.report.left_out == {"row not chosen by --only": 1, "file has no row": 1, "row has no readable file": 1}


def test_row_without_a_file_is_refused_unless_an_unreadable_file_may_be_its_own(tmp_path):
    for k in "123":
        dicom(tmp_path / "d" / f"{k}.dcm", field(int(k), 16, 16), f"1.2.{k}", "MRN-1")
    rows = [{"sop_instance_uid": f"1.2.{k}", "label": "NORMAL"} for k in "1234"]
    labels = table(tmp_path / "l.csv", *rows)
    with pytest.raises(CohortError, match=r"1 images of the table have no file below '.*' \(row 5\); .*--skip-unmatched"):
        from_dicom(tmp_path / "d", labels)
    (tmp_path / "d" / "4.dcm").write_bytes((tmp_path / "d" / "3.dcm").read_bytes()[:400])
    cohort = from_dicom(tmp_path / "d", labels)
    assert [c.path for c in cohort.cases] == ["1.dcm", "2.dcm", "3.dcm"]
    assert len(cohort.unreadable) == 1


# One path is one case


def test_path_that_is_listed_twice_is_one_case(tmp_path):
    """RSNA's table has a row a box: each used to count as an image."""
    tree(tmp_path, "a.png", "b.png")
    names = ("a.png", "./a.png", "b.png", f"{tmp_path}/a.png")
    rows = [{"path": name, "label": "PNEUMONIA" if "a.png" in name else "NORMAL", "patient_id": name[-5]} for name in names]
    built = build(csv_table.read(table(tmp_path / "t.csv", *rows)))
    assert [(c.path, c.reference) for c in built.cohort.cases] == [("a.png", 1), ("b.png", 0)]
    assert built.report.n_joined == 2


def test_path_that_is_listed_with_both_labels_is_refused_by_row(tmp_path):
    tree(tmp_path, "a.png")
    rows = [{"path": "a.png", "label": label, "patient_id": "7"} for label in ("PNEUMONIA", "NORMAL")]
    path = table(tmp_path / "t.csv", *rows)
    with pytest.raises(CohortError, match=r"rows that disagree \(rows 2 and 3\)"):
        from_csv(path)
    assert said(from_csv(path, LabelRules(consensus="any"))) == {"a.png": ("PNEUMONIA|NORMAL", 1, "7", "", "")}


# What is reported


def report_of(tmp_path, *rows, rules=LabelRules(), **options):
    return build(csv_table.read(table(tmp_path / "t.csv", *rows), LayoutOptions(**options)), rules).report


def row(path, label, patient, **more):
    return {"path": path, "label": label, "patient_id": patient, **more}


def test_report_counts_what_was_seen_and_why_the_rest_was_left_out(tmp_path):
    tree(tmp_path, "a.png", "b.png", "c.png", "d.png")
    (tmp_path / "e.png").write_bytes(b"")
    rows = [
        row("a.png", "PNEUMONIA|x", "1", official_split="train", site="A"),
        row("a.png", "PNEUMONIA", "1", official_split="train", site="A"),
        row("b.png", "NORMAL", "2", official_split="test", site="A"),
        row("c.png", "x", "3", official_split="test", site="A"),
        row("d.png", "NORMAL", "4", official_split="test", site="B"),
        row("e.png", "NORMAL", "5", official_split="test", site="A"),
        row("gone.png", "NORMAL", "6", official_split="test", site="A"),
    ]
    path = table(tmp_path / "t.csv", *rows)
    options = LayoutOptions(only=RowFilter.parse(["site=A"]), columns=Columns(separator="|"))
    report = build(csv_table.read(path, options), LabelRules(LabelWords(ignored=("x",))), skip_unmatched=True).report
    assert (report.n_rows, report.n_images, report.n_patients, report.n_positive, report.n_joined) == (7, 2, 2, 1, 1)
    assert report.left_out == {
        "only ignored words": 1,
        "file is missing": 1,
        "row not chosen by --only": 1,
        "file not read": 1,
    }
    text = "\n".join(report.lines())
    for line in (
        "CSV: 7 rows; 2 images of 2 patients, 1 positive",
        "official split: train 1, tune 0, test 1",
        "joined: 1 rows into another row of the same image",
        "left out: 1 (file is missing)",
    ):
        assert line in text
    assert [(w.word, w.n_rows, w.meaning) for w in report.words] == [
        ("NORMAL", 3, "negative"),
        ("x", 2, "ignored"),
        ("PNEUMONIA", 2, "positive"),
    ]


def test_one_patient_for_everything_is_said(tmp_path):
    tree(tmp_path, "a.png", "b.png")
    report = report_of(tmp_path, row("a.png", "PNEUMONIA", "P"), row("b.png", "NORMAL", "P"))
    assert report.warnings == ("every image is of one patient, so that no split can be drawn: is this the patient column?",)


def test_missing_class_is_said(tmp_path):
    tree(tmp_path, "a.png", "b.png")
    report = report_of(tmp_path, row("a.png", "PNEUMONIA", "P"), row("b.png", "PNEUMONIA", "Q"))
    assert report.warnings == ("there is no negative image: no ROC curve can be drawn",)


def test_same_pixels_twice_are_said(tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        picture(tmp_path / name, field(3, 20, 20), compress_level=ord(name[0]) % 9)
    picture(tmp_path / "d.png", field(4, 20, 20))
    rows = [row("a.png", "PNEUMONIA", "1"), row("b.png", "NORMAL", "2"), row("c.png", "NORMAL", "2"), row("d.png", "NORMAL", "3")]
    assert report_of(tmp_path, *rows).warnings == (
        "1 images occur more than once with identical pixels (3 files), 1 of them under two patients, 1 under two references",
    )


def test_patient_in_two_official_splits_is_said(tmp_path):
    tree(tmp_path, "a.png", "b.png", "c.png")
    rows = [
        row("a.png", "PNEUMONIA", "1", official_split="train"),
        row("b.png", "NORMAL", "1", official_split="test"),
        row("c.png", "NORMAL", "2", official_split="test"),
    ]
    assert report_of(tmp_path, *rows).warnings == ("1 patients are in more than one official split",)


@pytest.mark.parametrize(
    ("keyword", "value", "choice", "refused", "remark"),
    [
        ("Modality", "", "modality", "the DICOM Modality is missing", "modality not stated"),
        ("Modality", "DR", "modality", "the DICOM Modality is .*, not one of CR, DX, RG", "modality not stated"),
        ("BodyPartExamined", "UNKNOWN", "body_part", "Body Part Examined is .*, not the chest", "body part not the chest"),
        ("BodyPartExamined", "HAND", "body_part", "Body Part Examined is HAND, not the chest", "body part not the chest"),
        ("ViewPosition", "LL", "lateral", "the View Position is LL", "lateral or oblique view"),
        ("PresentationIntentType", "FOR PROCESSING", "raw", "raw detector data", "raw detector data"),
    ],
)
def test_what_a_reader_refuses_a_build_refuses_and_can_be_told_to_mark(tmp_path, keyword, value, choice, refused, remark):
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.1", "MRN-1")
    dicom(tmp_path / "d" / "2.dcm", field(2, 16, 16), "1.2.2", "MRN-2", **{keyword: value})
    rows = [{"sop_instance_uid": f"1.2.{k}", "label": word} for k, word in ((1, "NORMAL"), (2, "PNEUMONIA"))]
    labels = dicom_tree.read(tmp_path / "d", LayoutOptions(labels=table(tmp_path / "l.csv", *rows)))
    built = build(labels, patient_ids=keyed(KEY))
    assert [c.path for c in built.cohort.cases] == ["1.dcm"]
    (line,) = built.cohort.unreadable
    assert re.match(f"2.dcm: .*{refused}.*; to read it, say --.* mark", line)
    marked = build(labels, patient_ids=keyed(KEY), policy=AcceptancePolicy(**{choice: "mark"}))
    assert [c.path for c in marked.cohort.cases] == ["1.dcm", "2.dcm"]
    assert remark in marked.cohort.cases[1].remarks
    assert remark not in marked.cohort.cases[0].remarks
    assert any(remark in text for text in marked.report.remarks)


@pytest.mark.parametrize("view", ["Lateral", "LL", "XTABLE LATERAL", "L"])
def test_view_that_the_table_calls_lateral_is_left_out_or_marked(tmp_path, view):
    tree(tmp_path, "a.png", "b.png")
    rows = (LabelRow("a.png", ("P",), "1", view_position="PA"), LabelRow("b.png", ("N",), "2", view_position=view))
    labels = LabelTable(tmp_path, rows, LabelWords(("P",), ("N",)), "a test")
    built = build(labels)
    assert [c.path for c in built.cohort.cases] == ["a.png"]
    assert built.report.left_out == {"lateral view": 1}
    marked = build(labels, policy=AcceptancePolicy(lateral="mark")).cohort
    assert {c.path: c.remarks for c in marked.cases} == {"a.png": "", "b.png": "lateral or oblique view"}


@pytest.mark.parametrize("workers", [1, 5])
def test_cases_keep_the_order_of_the_rows_with_any_number_of_threads(tmp_path, workers):
    names = [f"{k}.png" for k in range(17)]
    tree(tmp_path, *names)
    rows = [row(name, "PNEUMONIA" if k % 2 else "NORMAL", str(k)) for k, name in enumerate(reversed(names))]
    built = build(csv_table.read(table(tmp_path / "t.csv", *rows)), workers=workers)
    assert [c.path for c in built.cohort.cases] == names[::-1]


def test_every_file_is_opened_once(tmp_path, monkeypatch):
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.3", "MRN-1")
    opened, read = [], radiograph.read
    monkeypatch.setattr(opened_file.radiograph, "read", lambda path: opened.append(path.name) or read(path))
    from_dicom(tmp_path / "d", table(tmp_path / "l.csv", {"sop_instance_uid": "1.2.3", "label": "NORMAL"}))
    assert opened == ["1.dcm"]


def test_replaced_patients_of_a_csv_keep_together(tmp_path):
    tree(tmp_path, "a.png", "b.png", "c.png")
    rows = [row("a.png", "PNEUMONIA", "MRN-1"), row("b.png", "NORMAL", "MRN-1"), row("c.png", "NORMAL", "")]
    labels = csv_table.read(table(tmp_path / "t.csv", *rows), LayoutOptions(patient_per_file=True))
    first, second, third = build(labels, patient_ids=keyed(KEY)).cohort.cases
    assert first.patient_id == second.patient_id == keyed(KEY)("MRN-1")
    assert third.patient_id == "file:c.png"


def test_examples_run():
    assert doctest.testmod(module).failed == 0
