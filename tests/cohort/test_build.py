"""Cohorts from a Kermany tree, a folder per class, a CSV and DICOM files: the same table whatever the layout."""

import csv
import hashlib

import numpy as np
import pytest
from PIL import Image

from pneumoscope.cohort import CohortError, NameGrammarError
from pneumoscope.cohort.build import Columns, from_csv, from_dicom, from_folders, from_kermany
from tests.cohort.conftest import dicom, field, picture, tree

OFFICIAL_TREE = (
    "train/NORMAL/IM-0115-0001.jpeg",
    "train/PNEUMONIA/person1000_bacteria_2931.jpeg",
    "val/NORMAL/NORMAL2-IM-1427-0001.jpeg",
    "test/PNEUMONIA/person1_virus_6.jpeg",
)


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
    assert {c.patient_id for c in from_kermany(root, rule="person-subtype").cases} == {"person1_bacteria", "person1_virus"}


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
    assert [c.path for c in from_kermany(root).cases] == ["NORMAL/IM-0115-0001.jpeg"]


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


# A CSV


def test_csv_gives_all_columns(tmp_path):
    tree(tmp_path, "a.png", "b.png")
    rows = (
        {"path": "a.png", "label": "pneumonia", "patient_id": "7", "subtype": "virus", "official_split": "VAL"},
        {"path": "b.png", "label": "clear", "patient_id": "8", "subtype": "", "official_split": ""},
    )
    assert said(from_csv(table(tmp_path / "t.csv", *rows))) == {
        "a.png": ("pneumonia", 1, "7", "virus", "tune"),
        "b.png": ("clear", 0, "8", "", ""),
    }


def test_csv_columns_may_have_other_names_and_paths_another_root(tmp_path):
    tree(tmp_path / "images", "a.png")
    path = table(tmp_path / "t.csv", {"file": "a.png", "finding": "Opacity", "subject": "7"})
    columns = Columns(path="file", label="finding", patient="subject")
    cohort = from_csv(path, root=tmp_path / "images", positive=["Opacity"], columns=columns)
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
        ("path,label,patient_id\na.png,NORMAL,1\nb.png,NORMAL,2\n", r"line 3 of t\.csv names 'b\.png'"),
        ("path,label,patient_id\na.png,NORMAL,\n", r"line 2 of t\.csv has no patient_id; .*--patient-per-file"),
        ("path,label,patient_id\na.png, ,1\n", r"'a\.png' has no label"),
        ("path,patient_id,label\na.png,1\n", r"'a\.png' has no label"),
        ("label,patient_id,path\nNORMAL,1\n", r"line 2 of t\.csv names"),
        ("path,label,patient_id\n", "no case"),
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
    assert {c.path for c in from_dicom(tmp_path / "d", labels).cases} == {"IM000001", "1.2.840.5"}


def test_linked_folders_are_followed_once_and_links_in_a_circle_end(tmp_path):
    tree(tmp_path / "elsewhere", "NORMAL/a.png", "PNEUMONIA/b.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "data", target_is_directory=True)
    cohort = from_folders(tmp_path / "data", positive=["PNEUMONIA"], patient_per_file=True)
    assert [c.path for c in cohort.cases] == ["linked/NORMAL/a.png", "linked/PNEUMONIA/b.png"]


def test_dicom_patient_id_is_stored_as_a_hash_unless_the_labels_name_the_patient(tmp_path):
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.3", "MRN-1")
    dicom(tmp_path / "d" / "2.dcm", field(2, 16, 16), "1.2.4", "MRN-2")
    rows = [{"sop_instance_uid": uid, "label": "NORMAL", "patient_id": p} for uid, p in (("1.2.3", ""), ("1.2.4", "P9"))]
    first, second = from_dicom(tmp_path / "d", table(tmp_path / "l.csv", *rows)).cases
    assert first.patient_id == hashlib.sha256(b"MRN-1").hexdigest()[:16]
    assert second.patient_id == "P9"


def test_dicom_files_without_a_label_are_an_error_that_names_some(tmp_path):
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.3", "MRN-1")
    labels = table(tmp_path / "l.csv", {"sop_instance_uid": "9.9", "label": "NORMAL"})
    with pytest.raises(CohortError, match=r"1 DICOM files have no line in l\.csv .*'1\.dcm'"):
        from_dicom(tmp_path / "d", labels)


def test_dicom_file_without_a_patient_is_an_error(tmp_path):
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.3", "")
    labels = table(tmp_path / "l.csv", {"sop_instance_uid": "1.2.3", "label": "NORMAL"})
    with pytest.raises(CohortError, match=r"'1\.dcm' has no Patient ID"):
        from_dicom(tmp_path / "d", labels)


def test_damaged_dicom_file_is_listed_and_the_others_are_built(tmp_path):
    dicom(tmp_path / "d" / "1.dcm", field(1, 16, 16), "1.2.3", "MRN-1")
    whole = dicom(tmp_path / "d" / "2.dcm", field(2, 16, 16), "1.2.4", "MRN-2")
    whole.write_bytes(whole.read_bytes()[:-100])
    labels = table(tmp_path / "l.csv", *({"sop_instance_uid": uid, "label": "NORMAL"} for uid in ("1.2.3", "1.2.4")))
    cohort = from_dicom(tmp_path / "d", labels)
    assert [c.path for c in cohort.cases] == ["1.dcm"]
    assert [line.partition(":")[0] for line in cohort.unreadable] == ["2.dcm"]
