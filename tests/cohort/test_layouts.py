"""Label tables in the published column layouts of the public sets: small tables of ours, pixels of the shipped sample."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pneumoscope.cohort import CohortError
from pneumoscope.cohort.build import build
from pneumoscope.cohort.label_rules import LabelRules
from pneumoscope.cohort.label_table import LabelWords
from pneumoscope.cohort.layouts import (
    LAYOUTS,
    LayoutOptions,
    chexpert,
    covidx,
    mimic,
    nih,
    padchest,
    recognise,
    rsna,
    siim_covid,
    vindr,
)
from pneumoscope.cohort.layouts.tables import read_rows
from pneumoscope.cohort.patient_ids import keyed
from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.cohort.sample import sample
from tests.cohort.conftest import dicom

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def pixels():
    """The shipped radiographs at an eighth of their size, uint8."""
    with sample() as shipped:
        images = [Image.open(shipped.file(case)).convert("L") for case in shipped.cases]
        return [np.asarray(image.resize((image.width // 8, image.height // 8))) for image in images]


@pytest.fixture
def picture(pixels):
    """Write the next shipped radiograph as the suffix says."""
    left = list(pixels)

    def write(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".dcm", ".dicom"):
            return dicom(path, left.pop(0), f"1.2.{len(left)}", f"MRN-{len(left) // 2}")
        Image.fromarray(left.pop(0)).save(path)
        return path

    return write


def table(path: Path, text: str) -> Path:
    """Write a table; its lines may be indented."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "\n".join(line.strip() for line in text.strip().splitlines()) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content.encode()))
    else:
        path.write_text(content, encoding="utf-8")
    return path


def said(cohort):
    return {c.path: (c.label, c.reference, c.patient_id, c.official_split) for c in cohort.cases}


# NIH ChestX-ray14

NIH = """
    Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],
    00000001_000.png,Cardiomegaly|Pneumonia,0,1,57,M,PA,2682,2749,0.143,0.143,
    00000001_001.png,No Finding,1,1,58,M,PA,2894,2729,0.143,0.143,
    00000002_000.png,Infiltration,0,2,80,M,AP,2500,2048,0.171,0.171,
    00000003_000.png,Effusion|Mass,0,3,81,F,PA,2582,2991,0.143,0.143,
"""  # noqa: E501 - columns as published


@pytest.fixture
def nih_set(tmp_path, picture):
    for name in ("images_001/images/00000001_000.png", "images_001/images/00000001_001.png", "images_002/images/00000002_000.png",
                 "images_002/images/00000003_000.png"):  # fmt: skip
        picture(tmp_path / name)
    table(tmp_path / "Data_Entry_2017_v2020.csv", NIH)
    table(tmp_path / "train_val_list.txt", "00000001_000.png\n00000001_001.png\n00000002_000.png")
    table(tmp_path / "test_list.txt", "00000003_000.png")
    return tmp_path


def test_nih_has_several_labels_in_a_cell(nih_set):
    cohort = build(nih.read(nih_set)).cohort
    assert said(cohort) == {
        "images_001/images/00000001_000.png": ("Cardiomegaly|Pneumonia", 1, "1", "train"),
        "images_001/images/00000001_001.png": ("No Finding", 0, "1", "train"),
        "images_002/images/00000002_000.png": ("Infiltration", 0, "2", "train"),
        "images_002/images/00000003_000.png": ("Effusion|Mass", 0, "3", "test"),
    }
    assert [(c.rows, c.cols) for c in cohort.cases] == [(2749, 2682), (2729, 2894), (2048, 2500), (2991, 2582)]


def test_nih_findings_that_look_like_pneumonia_can_be_ignored_or_positive(nih_set):
    ignoring = build(nih.read(nih_set), LabelRules(LabelWords(ignored=("Infiltration", "Consolidation")))).cohort
    assert "images_002/images/00000002_000.png" not in said(ignoring)
    wider = build(nih.read(nih_set), LabelRules(LabelWords(positive=("Pneumonia", "Infiltration")))).cohort
    assert said(wider)["images_002/images/00000002_000.png"][1] == 1


def test_nih_images_that_are_not_there_are_refused_or_counted(nih_set):
    (nih_set / "images_002/images/00000002_000.png").unlink()
    with pytest.raises(CohortError, match=r"1 images of the table are not below .* \(row 4\); give --root, or --skip-unmatched"):
        build(nih.read(nih_set))
    built = build(nih.read(nih_set), skip_unmatched=True)
    assert (len(built.cohort.cases), built.report.left_out) == (3, {"file is missing": 1})


def test_nih_rows_are_chosen_by_column(nih_set):
    only = RowFilter.parse(["View Position=PA", "Patient Gender=M", "Patient Gender=F"])
    built = build(nih.read(nih_set, LayoutOptions(only=only)))
    assert len(built.cohort.cases) == 3
    assert built.report.left_out == {"row not chosen by --only": 1}


def test_name_that_lies_in_two_folders_is_refused(nih_set, picture):
    picture(nih_set / "images_003" / "images" / "00000001_000.png")
    with pytest.raises(CohortError, match=r"2 files below .* have the name that one row gives"):
        nih.read(nih_set)


# RSNA

RSNA_BOXES = """
    patientId,x,y,width,height,Target
    0004cfab,,,,,0
    00436515,264.0,152.0,213.0,379.0,1
    00436515,562.0,152.0,256.0,453.0,1
    00569f44,,,,,0
"""
RSNA_CLASSES = """
    patientId,class
    0004cfab,No Lung Opacity / Not Normal
    00436515,Lung Opacity
    00436515,Lung Opacity
    00569f44,Normal
"""


@pytest.fixture
def rsna_set(tmp_path, picture):
    for name in ("0004cfab", "00436515", "00569f44"):
        picture(tmp_path / "stage_2_train_images" / f"{name}.dcm")
    table(tmp_path / "stage_2_train_labels.csv", RSNA_BOXES)
    table(tmp_path / "stage_2_detailed_class_info.csv", RSNA_CLASSES)
    return tmp_path


def test_rsna_has_a_row_a_box_and_three_classes(rsna_set):
    built = build(rsna.read(rsna_set))
    assert said(built.cohort) == {
        "stage_2_train_images/0004cfab.dcm": ("No Lung Opacity / Not Normal", 0, "0004cfab", ""),
        "stage_2_train_images/00436515.dcm": ("Lung Opacity", 1, "00436515", ""),
        "stage_2_train_images/00569f44.dcm": ("Normal", 0, "00569f44", ""),
    }
    assert built.report.n_joined == 1
    assert "patientId names an image, not a patient" in built.report.notes[0]


def test_rsna_third_class_can_be_left_out(rsna_set):
    rules = LabelRules(LabelWords(ignored=("No Lung Opacity / Not Normal",)))
    assert [c.label for c in build(rsna.read(rsna_set), rules).cohort.cases] == ["Lung Opacity", "Normal"]


def test_rsna_without_the_table_of_classes_has_two_words(rsna_set):
    (rsna_set / "stage_2_detailed_class_info.csv").unlink()
    assert {c.label: c.reference for c in build(rsna.read(rsna_set)).cohort.cases} == {"No Lung Opacity": 0, "Lung Opacity": 1}


def test_rsna_patients_are_those_of_the_nih_set_where_the_mapping_is_there(rsna_set):
    names = {"0004cfab": "00000013_004.png", "00436515": "00000013_010.png", "00569f44": "00000099_000.png"}
    entries = [{"img_id": nih_name, "subset_img_id": image, "orig_labels": []} for image, nih_name in names.items()]
    (rsna_set / "pneumonia-challenge-dataset-mappings_2018.json").write_text(json.dumps(entries))
    built = build(rsna.read(rsna_set))
    assert [c.patient_id for c in built.cohort.cases] == ["00000013", "00000013", "00000099"]
    assert built.report.notes == ()


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        (
            "stage_2_train_labels.csv",
            "0004cfab,,,,,0",
            "0004cfab,,,,,1",
            "row 2 of .* has the Target 1, but the table of classes says",
        ),
        ("stage_2_train_labels.csv", "0004cfab,,,,,0", "0004cfab,,,,,", "row 2 of .* has neither 0 nor 1 as Target"),
        ("stage_2_detailed_class_info.csv", "00569f44,Normal", "00436515,Normal", "row 5 of .* gives an image another class"),
    ],
)
def test_rsna_tables_that_contradict_each_other_are_refused_by_row(rsna_set, name, old, new, complaint):
    path = rsna_set / name
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(CohortError, match=complaint) as error:
        rsna.read(rsna_set)
    assert "0004cfab" not in str(error.value)


# CheXpert

CHEXPERT = """
    Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Lung Opacity,Edema,Consolidation,Pneumonia,Atelectasis,Support Devices
    CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,,,,,1.0
    CheXpert-v1.0-small/train/patient00002/study1/view1_frontal.jpg,Male,87,Frontal,AP,,1.0,,,1.0,,
    CheXpert-v1.0-small/train/patient00002/study2/view1_frontal.jpg,Male,83,Frontal,AP,,,,,-1.0,,
    CheXpert-v1.0-small/train/patient00002/study2/view2_lateral.jpg,Male,83,Lateral,,,,,,-1.0,,
    CheXpert-v1.0-small/train/patient00003/study1/view1_frontal.jpg,Male,41,Frontal,AP,,,,,0.0,,
"""
CHEXPERT_VALID = """
    Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Lung Opacity,Edema,Consolidation,Pneumonia,Atelectasis,Support Devices
    CheXpert-v1.0-small/valid/patient64541/study1/view1_frontal.jpg,Male,73,Frontal,AP,0.0,0.0,0.0,0.0,1.0,0.0,0.0
"""
UNMENTIONED = "train/patient00001/study1/view1_frontal.jpg"
POSITIVE = "train/patient00002/study1/view1_frontal.jpg"
UNCERTAIN = "train/patient00002/study2/view1_frontal.jpg"
NEGATIVE = "train/patient00003/study1/view1_frontal.jpg"
VALID = "valid/patient64541/study1/view1_frontal.jpg"


@pytest.fixture
def chexpert_set(tmp_path, picture):
    root = tmp_path / "CheXpert-v1.0-small"
    for name in (UNMENTIONED, POSITIVE, UNCERTAIN, NEGATIVE, VALID):
        picture(root / name)
    picture(root / UNCERTAIN.replace("view1_frontal", "view2_lateral"))
    table(root / "train.csv", CHEXPERT)
    table(root / "valid.csv", CHEXPERT_VALID)
    return root


def test_chexpert_needs_a_policy_for_uncertain_and_blank_labels(chexpert_set):
    with pytest.raises(
        CohortError, match=r"'\(uncertain\)' \(2 rows\), '\(blank\)' \(1 row\).*--uncertain ignore, zeros or ones"
    ):
        build(chexpert.read(chexpert_set))


@pytest.mark.parametrize(
    ("uncertain", "blank", "expected"),
    [
        ("ignore", "ignore", {POSITIVE: 1, NEGATIVE: 0, VALID: 1}),
        ("zeros", "zeros", {UNMENTIONED: 0, POSITIVE: 1, UNCERTAIN: 0, NEGATIVE: 0, VALID: 1}),
        ("ones", "zeros", {UNMENTIONED: 0, POSITIVE: 1, UNCERTAIN: 1, NEGATIVE: 0, VALID: 1}),
        ("ignore", "zeros", {UNMENTIONED: 0, POSITIVE: 1, NEGATIVE: 0, VALID: 1}),
    ],
)
def test_chexpert_policies(chexpert_set, uncertain, blank, expected):
    built = build(chexpert.read(chexpert_set, LayoutOptions(uncertain=uncertain, blank=blank)))
    assert {c.path: c.reference for c in built.cohort.cases} == expected
    patients = {c.path: (c.patient_id, c.official_split) for c in built.cohort.cases}
    assert (patients[POSITIVE], patients[VALID]) == (("patient00002", "train"), ("patient64541", "tune"))
    # With U-Ignore the lateral image is left out for its label already.
    assert built.report.left_out.get("lateral view", 0) == (uncertain != "ignore")


def test_chexpert_root_may_be_the_folder_above(chexpert_set):
    options = LayoutOptions(root=chexpert_set.parent, uncertain="ignore", blank="ignore")
    assert f"CheXpert-v1.0-small/{POSITIVE}" in said(build(chexpert.read(chexpert_set, options)).cohort)


def test_chexpert_value_that_is_none_of_the_four_is_refused_by_row(chexpert_set):
    path = chexpert_set / "train.csv"
    path.write_text(path.read_text().replace(",0.0,,\n", ",2.0,,\n"))
    with pytest.raises(CohortError, match=r"row 6 of train.csv has none of 1, 0, −1 and blank as Pneumonia"):
        chexpert.read(chexpert_set)


# MIMIC-CXR

MIMIC_LABELS = """
    subject_id,study_id,Atelectasis,Consolidation,No Finding,Pneumonia,Support Devices
    10000032,50414267,,,1.0,,
    10000764,57375967,,1.0,,1.0,
    10000898,50771383,,,,-1.0,
"""
MIMIC_METADATA = """
    dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning
    02aa804e,10000032,50414267,CHEST (PA AND LAT),PA,3056,2544,21800506,213014.531,CHEST (PA AND LAT),postero-anterior,Erect
    174413ec,10000032,50414267,CHEST (PA AND LAT),LATERAL,3056,2544,21800506,213014.531,CHEST (PA AND LAT),lateral,Erect
    096052b7,10000764,57375967,CHEST (PORTABLE AP),AP,2544,3056,21321015,0,CHEST (PORTABLE AP),antero-posterior,
    2a280266,10000898,50771383,CHEST (PORTABLE AP),,2544,3056,21880303,0,CHEST (PORTABLE AP),,
    ffffffff,10000899,59999999,CHEST (PORTABLE AP),AP,2544,3056,21880303,0,CHEST (PORTABLE AP),,
"""
MIMIC_SPLIT = """
    dicom_id,study_id,subject_id,split
    02aa804e,50414267,10000032,train
    174413ec,50414267,10000032,train
    096052b7,57375967,10000764,validate
    2a280266,50771383,10000898,test
"""


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_mimic_joins_labels_by_study_views_by_image_and_the_official_split(tmp_path, picture, packed):
    for name in ("p10/p10000032/s50414267/02aa804e", "p10/p10000032/s50414267/174413ec", "p10/p10000764/s57375967/096052b7",
                 "p10/p10000898/s50771383/2a280266"):  # fmt: skip
        picture(tmp_path / "files" / f"{name}.jpg")
    for name, text in (("chexpert", MIMIC_LABELS), ("metadata", MIMIC_METADATA), ("split", MIMIC_SPLIT)):
        table(tmp_path / f"mimic-cxr-2.0.0-{name}.csv{packed}", text)
    built = build(mimic.read(tmp_path, LayoutOptions(uncertain="ones", blank="zeros")))
    assert said(built.cohort) == {
        "files/p10/p10000032/s50414267/02aa804e.jpg": ("(blank)", 0, "10000032", "train"),
        "files/p10/p10000764/s57375967/096052b7.jpg": ("Pneumonia", 1, "10000764", "tune"),
        "files/p10/p10000898/s50771383/2a280266.jpg": ("(uncertain)", 1, "10000898", "test"),
    }
    assert built.report.left_out == {"study without a label": 1, "lateral view": 1}


# VinDr-CXR

VINDR = """
    image_id,rad_id,Aortic enlargement,Consolidation,Lung Opacity,COPD,Lung tumor,Pneumonia,Tuberculosis,Other diseases,No finding
    50a418190bc3fb1ef1633bf9678929b3,R11,0,0,0,0,0,0,0,0,1
    50a418190bc3fb1ef1633bf9678929b3,R15,0,0,0,0,0,0,0,0,1
    50a418190bc3fb1ef1633bf9678929b3,R16,0,0,0,0,0,0,0,0,1
    21a10246a5ec7af151081d0cd6d65dc9,R8,0,1,1,0,0,1,0,0,0
    21a10246a5ec7af151081d0cd6d65dc9,R9,0,1,0,0,0,1,0,0,0
    21a10246a5ec7af151081d0cd6d65dc9,R10,0,0,1,0,0,0,0,1,0
    9a5094b2563a1ef3ff50dc5c7ff71345,R8,1,0,0,0,0,0,0,1,0
    9a5094b2563a1ef3ff50dc5c7ff71345,R9,1,1,0,0,0,1,0,0,0
    9a5094b2563a1ef3ff50dc5c7ff71345,R10,1,0,0,0,0,0,0,1,0
"""
NORMAL, TWO, ONE = (
    f"train/{name}.dicom"
    for name in ("50a418190bc3fb1ef1633bf9678929b3", "21a10246a5ec7af151081d0cd6d65dc9", "9a5094b2563a1ef3ff50dc5c7ff71345")
)
PER_FILE = LayoutOptions(patient_per_file=True)


@pytest.fixture
def vindr_set(tmp_path, picture):
    for name in (NORMAL, TWO, ONE):
        picture(tmp_path / name)
    table(tmp_path / "annotations" / "image_labels_train.csv", VINDR)
    return tmp_path


def test_vindr_readers_who_disagree_need_a_rule(vindr_set):
    with pytest.raises(CohortError, match=r"2 images have rows that disagree \(rows 5, 6 and 7; rows 8, 9 and 10\).*--consensus"):
        build(vindr.read(vindr_set, PER_FILE))


@pytest.mark.parametrize(
    ("consensus", "expected"),
    [
        ("majority", {NORMAL: 0, TWO: 1, ONE: 0}),
        ("any", {NORMAL: 0, TWO: 1, ONE: 1}),
        ("all", {NORMAL: 0, TWO: 0, ONE: 0}),
        ("leave-out", {NORMAL: 0}),
    ],
)
def test_vindr_has_three_readers_an_image(vindr_set, consensus, expected):
    built = build(vindr.read(vindr_set, PER_FILE), LabelRules(consensus=consensus))
    assert {c.path: c.reference for c in built.cohort.cases} == expected
    assert (built.report.n_joined, built.report.n_disagreeing) == (6, 2)
    assert {c.official_split for c in built.cohort.cases} == {"train"}


def test_vindr_names_no_patient(vindr_set):
    with pytest.raises(CohortError, match=r"row 2 of image_labels_train.csv has no patient; .*--patient-per-file"):
        vindr.read(vindr_set)


def test_vindr_of_kaggle_has_a_row_a_box(vindr_set):
    (vindr_set / "annotations" / "image_labels_train.csv").unlink()
    rows = """
        image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max
        50a418190bc3fb1ef1633bf9678929b3,No finding,14,R11,,,,
        21a10246a5ec7af151081d0cd6d65dc9,Consolidation,4,R8,691,1375,1653,1831
        21a10246a5ec7af151081d0cd6d65dc9,Cardiomegaly,3,R8,691,1375,1653,1831
        21a10246a5ec7af151081d0cd6d65dc9,Infiltration,6,R9,1264,743,1611,1019
    """
    table(vindr_set / "train.csv", rows)
    with pytest.raises(CohortError, match="the positive word 'Pneumonia' occurs in no row"):
        build(vindr.read(vindr_set, PER_FILE))
    rules = LabelRules(LabelWords(("Consolidation",)), consensus="any")
    assert {c.path: (c.label, c.reference) for c in build(vindr.read(vindr_set, PER_FILE), rules).cohort.cases} == {
        NORMAL: ("No finding", 0),
        TWO: ("Consolidation|Cardiomegaly|Infiltration", 1),
    }


# PadChest

PADCHEST = """
    ,ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,MethodProjection,Pediatric,ReportID,Report,MethodLabel,Labels,Localizations
    0,a.png,0,20140915,S1,P1,1930.0,F,POSTEROANTERIOR,PA,Manual,No,1,cambios neumonicos,Physician,"['pneumonia', ' pleural effusion ', '']","['loc right']"
    1,b.png,0,20140915,S2,P2,1930.0,F,POSTEROANTERIOR,PA,Manual,No,2,sin hallazgos,Physician,['normal'],[]
    2,c.png,14,20140915,S3,P3,1930.0,M,,L,Manual,No,3,sin hallazgos,Physician,['normal'],[]
    3,d.png,14,20140915,S4,P4,1930.0,M,,AP_horizontal,Manual,No,4,nada,RNN_model,['cardiomegaly'],[]
    4,e.png,14,20140915,S5,P5,1930.0,M,,PA,Manual,No,5,nada,RNN_model,"['exclude', 'pneumonia']",[]
    5,f.png,14,20140915,S6,P6,1930.0,M,,COSTAL,Manual,No,6,nada,RNN_model,['normal'],[]
    6,g.png,14,20140915,S7,P7,1930.0,M,,PA,Manual,No,7,nada,RNN_model,,[]
"""  # noqa: E501 - columns as published


@pytest.fixture
def padchest_set(tmp_path, picture):
    for name in ("0/a.png", "0/b.png", "14/c.png", "14/d.png", "14/e.png", "14/f.png", "14/g.png"):
        picture(tmp_path / name)
    table(tmp_path / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz", PADCHEST)
    return tmp_path


def test_padchest_has_lists_in_a_cell_and_other_findings_need_a_meaning(padchest_set):
    with pytest.raises(
        CohortError, match=r"3 words .* have no meaning: 'pleural effusion' \(1 row\), 'cardiomegaly' \(1 row\), '\(blank\)'"
    ):
        build(padchest.read(padchest_set), LabelRules(LabelWords(ignored=())))
    built = build(padchest.read(padchest_set), LabelRules(LabelWords(negative=("*",), ignored=("(blank)",))))
    assert said(built.cohort) == {
        "0/a.png": ("pneumonia|pleural effusion", 1, "P1", ""),
        "0/b.png": ("normal", 0, "P2", ""),
        "14/d.png": ("cardiomegaly", 0, "P4", ""),
    }
    assert built.report.left_out == {
        "labelled 'exclude' by the set": 1,
        "projection COSTAL": 1,
        "only ignored words": 1,
        "lateral view": 1,
    }


@pytest.mark.parametrize("cell", ["pneumonia", "['pneumonia'", "[1]", "__import__('os')", "('a',)"])
def test_padchest_cell_that_is_no_list_is_refused_by_row(padchest_set, cell):
    text = PADCHEST.replace("['cardiomegaly']", f'"{cell}"')
    table(padchest_set / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv.gz", text)
    with pytest.raises(CohortError, match=r"row 5 of .* has no list of labels as Labels"):
        padchest.read(padchest_set)


# SIIM-FISABIO-RSNA COVID-19 Detection

SIIM_STUDIES = """
    id,Negative for Pneumonia,Typical Appearance,Indeterminate Appearance,Atypical Appearance
    00086460a852_study,0,1,0,0
    000c9c05fd14_study,0,0,0,1
    00292f8c37bd_study,1,0,0,0
"""
SIIM_IMAGES = """
    id,boxes,label,StudyInstanceUID
    65761e66de9f_image,"[{'x': 720.65, 'y': 636.51, 'width': 332.19, 'height': 746.17}]",opacity 1 720.65 636.51 1052.84 1382.68,00086460a852
    7f5a1e8a4b2c_image,,none 1 0 0 1 1,00086460a852
    51759b5579bc_image,,none 1 0 0 1 1,000c9c05fd14
    f6293b1c49e2_image,,none 1 0 0 1 1,00292f8c37bd
"""  # noqa: E501 - columns as published


@pytest.fixture
def siim_set(tmp_path, picture):
    for name in ("00086460a852/9e8302230c91/65761e66de9f", "00086460a852/9e8302230c91/7f5a1e8a4b2c",
                 "000c9c05fd14/e555410bd2cd/51759b5579bc", "00292f8c37bd/73120b4a13cb/f6293b1c49e2"):  # fmt: skip
        picture(tmp_path / "train" / f"{name}.dcm")
    table(tmp_path / "train_study_level.csv", SIIM_STUDIES)
    table(tmp_path / "train_image_level.csv", SIIM_IMAGES)
    return tmp_path


def test_siim_labels_studies_and_takes_the_patients_of_the_headers(siim_set):
    built = build(siim_covid.read(siim_set), patient_ids=keyed(KEY))
    assert [(c.path.rpartition("/")[2], c.label, c.reference) for c in built.cohort.cases] == [
        ("65761e66de9f.dcm", "Typical Appearance", 1),
        ("7f5a1e8a4b2c.dcm", "Typical Appearance", 1),
        ("51759b5579bc.dcm", "Atypical Appearance", 1),
        ("f6293b1c49e2.dcm", "Negative for Pneumonia", 0),
    ]
    assert built.cohort.cases[0].patient_id == keyed(KEY)("MRN-7")
    assert built.report.notes[0].startswith("1 studies have more than one image")


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        ("train_study_level.csv", "00292f8c37bd_study,1", "00292f8c37bd_study,0", "row 4 of train_study_level.csv has 0 labels"),
        (
            "train_study_level.csv",
            "00292f8c37bd_study,1,0",
            "00292f8c37bd_study,1,1",
            "row 4 of train_study_level.csv has 2 labels",
        ),
        ("train_study_level.csv", "00292f8c37bd_study,1", "00292f8c37bd_study,x", "row 4 of .* has neither 0 nor 1 as Negative"),
        ("train_image_level.csv", ",00292f8c37bd", ",gone", "row 5 of train_image_level.csv belongs to 0 studies"),
    ],
)
def test_siim_tables_that_do_not_fit_are_refused_by_row(siim_set, name, old, new, complaint):
    path = siim_set / name
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(CohortError, match=complaint):
        siim_covid.read(siim_set)


# COVIDx

COVIDX_TRAIN = """
    3 SARS-10.1148rg.242035193-g04mr34g0-Fig8a-day0.jpeg pneumonia cohen
    COVID-19(69) COVID-19 (69).png COVID-19 sirm
    003d8fa0-6bf1 003d8fa0-6bf1.png normal rsna
"""


@pytest.fixture
def covidx_set(tmp_path, picture):
    for name in ("train/SARS-10.1148rg.242035193-g04mr34g0-Fig8a-day0.jpeg", "train/COVID-19 (69).png", "train/003d8fa0-6bf1.png",
                 "test/t.png"):  # fmt: skip
        picture(tmp_path / name)
    table(tmp_path / "train_COVIDx9A.txt", COVIDX_TRAIN)
    table(tmp_path / "test_COVIDx9A.txt", "ANON1 t.png normal rsna")
    return tmp_path


def test_covidx_lists_are_separated_by_spaces(covidx_set):
    assert said(build(covidx.read(covidx_set)).cohort) == {
        "test/t.png": ("normal", 0, "ANON1", "test"),
        "train/SARS-10.1148rg.242035193-g04mr34g0-Fig8a-day0.jpeg": ("pneumonia", 1, "3", "train"),
        "train/COVID-19 (69).png": ("COVID-19", 1, "COVID-19(69)", "train"),
        "train/003d8fa0-6bf1.png": ("normal", 0, "003d8fa0-6bf1", "train"),
    }


def test_covidx_sources_are_chosen_by_column(covidx_set):
    built = build(covidx.read(covidx_set, LayoutOptions(only=RowFilter.parse(["source=rsna", "source=cohen"]))))
    assert len(built.cohort.cases) == 3
    assert built.report.left_out == {"row not chosen by --only": 1}


def test_covidx_variant_b_does_not_say_what_is_pneumonia(covidx_set):
    path = covidx_set / "train_COVIDx9A.txt"
    path.write_text(path.read_text().replace(" pneumonia ", " negative ").replace(" COVID-19 sirm", " positive sirm"))
    with pytest.raises(CohortError, match=r"have no meaning: 'negative' \(1 row\), 'positive' \(1 row\)"):
        build(covidx.read(covidx_set))


def test_covidx_line_of_another_form_and_two_lists_of_a_split_are_refused(covidx_set):
    table(covidx_set / "train_COVIDx9B.txt", COVIDX_TRAIN)
    with pytest.raises(CohortError, match=r"holds several lists of one split .*train_COVIDx9A.txt, train_COVIDx9B.txt"):
        covidx.read(covidx_set)
    (covidx_set / "train_COVIDx9B.txt").unlink()
    table(covidx_set / "test_COVIDx9A.txt", "ANON1 t.png normal rsna\nonly three\n")
    with pytest.raises(CohortError, match=r"line 2 of test_COVIDx9A.txt is not: patient, file, class and source"):
        covidx.read(covidx_set)


# Which layout it is


@pytest.mark.parametrize("name", ["nih", "rsna", "chexpert", "vindr", "padchest", "siim-covid", "covidx"])
def test_published_sets_are_recognised(request, name):
    folder = request.getfixturevalue(f"{name.partition('-')[0]}_set")
    assert recognise(folder) is LAYOUTS[name]


def test_other_sources_are_recognised_or_have_to_be_named(tmp_path, picture):
    table(tmp_path / "mimic" / "mimic-cxr-2.0.0-chexpert.csv", MIMIC_LABELS)
    assert recognise(tmp_path / "mimic").name == "mimic"
    with sample() as shipped:
        assert recognise(shipped.root).name == "kermany"
    assert recognise(table(tmp_path / "my.csv", "path,label,patient_id")).name == "csv"
    picture(tmp_path / "x" / "a" / "1.png")
    with pytest.raises(CohortError, match="looks like no published data set; say which layout it has: --layout kermany, nih"):
        recognise(tmp_path / "x")
    table(tmp_path / "both" / "Data_Entry_2017.csv", NIH)
    table(tmp_path / "both" / "stage_2_train_labels.csv", RSNA_BOXES)
    with pytest.raises(CohortError, match="looks like nih and rsna; say which"):
        recognise(tmp_path / "both")


@pytest.mark.parametrize("name", LAYOUTS)
def test_folder_of_something_else_is_refused_with_a_sentence(tmp_path, picture, name):
    picture(tmp_path / "a" / "1.png")
    if name in ("csv", "dicom"):
        return
    with pytest.raises(CohortError):
        LAYOUTS[name].read(tmp_path, LayoutOptions())


@pytest.mark.parametrize("name", ["nih", "padchest"])
def test_table_that_lacks_a_column_is_refused_with_its_name(request, name):
    folder = request.getfixturevalue(f"{name}_set")
    (path,) = (p for p in folder.iterdir() if p.name.startswith(("Data_Entry", "PADCHEST")))
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    rows = [row[:1] + row[3:] for row in csv.reader(text.splitlines())]
    table(path, "\n".join(",".join(row) for row in rows))
    with pytest.raises(CohortError, match=r"has no column .*; its columns are"):
        LAYOUTS[name].read(folder, LayoutOptions())


def test_a_header_that_lost_its_line_end_is_not_listed_since_it_holds_a_patient(tmp_path):
    (tmp_path / "t.csv").write_text("file,class,nameXDOEX^JANEX,a.png,1\nb.png,NORMAL,p2\n", encoding="utf-8")
    with pytest.raises(CohortError, match=r"t\.csv has no column label, nor any other column") as refused:
        read_rows(tmp_path / "t.csv", ["file", "label"])
    assert "XDOEX" not in str(refused.value)


@pytest.mark.parametrize("text", ["", "3", "[1]", '[{"subset_img_id": 1, "img_id": 2}]', "[" * 100_000])
def test_a_damaged_mapping_of_rsna_is_refused(rsna_set, text):
    (rsna_set / "pneumonia-challenge-dataset-mappings_2018.json").write_text(text)
    with pytest.raises(CohortError, match="is no mapping of images to NIH names"):
        rsna.read(rsna_set)
