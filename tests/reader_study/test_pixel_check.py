"""Burned-in names: what is refused, what is warned of, and how a person confirms that there are none."""

from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from pneumoscope.cohort import Case, Cohort, table
from pneumoscope.reader_study.contact_sheets import borders, write_contact_sheets
from pneumoscope.reader_study.errors import InvalidStudyError
from pneumoscope.reader_study.fault import Fault
from pneumoscope.reader_study.folder import check, freeze, open_study
from pneumoscope.reader_study.pixel_check import burned_in_faults, code_of, statement
from tests.cli.run import run
from tests.radiograph.builders import cr, written
from tests.reader_study.study_files import case_name, make, study_toml

STATED = {"yes": {"BurnedInAnnotation": "YES"}, "no": {"BurnedInAnnotation": "NO"}, "converted": {"ConversionType": "WSD"}}


def study(folder, *stated):
    """Eight radiographs: pictures, but for the first ones, which are DICOM files that state what is given."""
    make(folder)
    cases = list(table.read(folder / "cohort.csv").cases)
    for k, name in enumerate(stated):
        dataset = cr(np.random.default_rng(k).integers(0, 4096, (40, 40)), PatientID=f"patient{k:03}", **STATED[name])
        file = folder / "radiographs" / f"{k}.dcm"
        file.write_bytes(written(dataset))
        cases[k] = Case(file.name, cases[k].label, cases[k].reference, cases[k].patient_id, rows=40, cols=40)
        overlay = folder / "aid" / f"{file.name}.png"
        overlay.write_bytes((folder / "aid" / f"{case_name(k)}.png").read_bytes())
    table.write(Cohort(folder / "radiographs", tuple(cases), source="test"), folder / "cohort.csv")
    return folder


def confirm(folder, code):
    more = {"pixel_check": 0}
    text = study_toml(cases=more).replace("pixel_check = 0", f'pixel_check = {{ by = "A. M.", code = "{code}" }}')
    (folder / "study.toml").write_text(text, encoding="utf-8")


def faults_of(folder):
    return burned_in_faults(check(folder)[0])


def test_pictures_state_nothing_which_is_warned_of_and_is_in_the_trail(tmp_path):
    folder = study(tmp_path)
    (fault,) = faults_of(folder)
    assert (fault.severity, "8 radiographs do not state" in fault.sentence) == ("warning", True)
    ran = run("study", "launch", folder)
    assert (ran.code, "warning: 8 radiographs do not state" in ran.out) == (0, True)
    with closing(open_study(folder).journal) as journal:
        warnings = journal.events("frozen")[0].body["warnings"]
    assert any("8 radiographs do not state" in one for one in warnings)


@pytest.mark.parametrize(
    ("stated", "sentence"), [("yes", r"Burned In Annotation \(0028,0301\) YES"), ("converted", "digitised or captured")]
)
def test_a_study_of_files_that_may_show_names_is_not_launched(tmp_path, stated, sentence):
    folder = study(tmp_path, stated, "no")
    with pytest.raises(InvalidStudyError, match=f"1 radiographs .*{sentence}.*--contact-sheets"):
        freeze(folder)
    assert not (folder / "study").exists()


def test_files_that_deny_it_need_no_confirmation(tmp_path):
    assert faults_of(study(tmp_path, *["no"] * 8)) == ()


def test_a_person_confirms_exactly_the_files_that_were_looked_at(tmp_path):
    folder = study(tmp_path, "yes", "converted")
    code = code_of(check(folder)[0])
    confirm(folder, code)
    assert faults_of(folder) == ()
    confirm(folder, "0000-0000")
    assert [fault.severity for fault in faults_of(folder)] == ["error", "error", "warning", "error"]
    assert "other radiographs" in faults_of(folder)[-1].sentence
    confirm(folder, code)
    with Image.open(folder / "radiographs" / case_name(5)) as image:
        greys = np.asarray(image) ^ 1
    Image.fromarray(greys).save(folder / "radiographs" / case_name(5))  # one file was exchanged since
    assert Fault("error", faults_of(folder)[-1].sentence) == faults_of(folder)[-1]
    assert "other radiographs" in faults_of(folder)[-1].sentence


def test_the_statement_says_what_headers_and_person_say(tmp_path):
    folder = study(tmp_path, "yes", "no")
    assert "no in 1, not stated in 6, yes in 1 radiographs; pixels not confirmed by a person" in statement(check(folder)[0])
    confirm(folder, code_of(check(folder)[0]))
    assert "pixels looked through by A. M., code " in statement(check(folder)[0])


def test_the_command_writes_the_sheets_of_a_study_that_it_refuses(tmp_path):
    folder = study(tmp_path, "yes")
    ran = run("study", "check", folder, "--contact-sheets", tmp_path / "sheets")
    assert (ran.code, "2 contact sheets" in ran.out, "error: 1 radiographs state" in ran.out) == (2, True, True)
    assert code_of(check(folder)[0]) not in ran.out  # only who looks at the last sheet learns the code
    assert sorted(file.name for file in (tmp_path / "sheets").iterdir()) == ["sheet-001.png", "sheet-002.png"]


def test_every_case_is_on_a_sheet_with_its_borders(tmp_path):
    """A bright word in the lower right corner is on the sheet twice: in the film and, larger, in two borders."""
    folder = study(tmp_path)
    word = np.zeros((1000, 1000), np.uint8)
    word[960:980, 900:980] = 255
    Image.fromarray(word).save(folder / "radiographs" / case_name(0))
    protocol = check(folder)[0]
    one = replace(protocol, cases=tuple(case for case in protocol.cases if case.name == case_name(0)))
    (sheet,) = write_contact_sheets(one, tmp_path / "sheets")
    with Image.open(sheet) as image:
        greys = np.asarray(image)
    tile = greys[68:560]
    assert (tile[:, 12:492] > 250).sum() == pytest.approx(80 * 20 * 0.48**2, rel=0.2)
    assert (tile[:, 504:1464] > 250).sum() == pytest.approx(2 * 80 * 20 * 0.925**2, rel=0.2)


def test_borders_are_the_four_edges():
    greys = np.arange(100 * 50, dtype=np.uint16).reshape(100, 50).astype(np.uint8)
    top, bottom, left, right = borders(greys)
    assert (top.shape, bottom.shape, left.shape, right.shape) == ((12, 50), (12, 50), (6, 100), (6, 100))
    assert np.array_equal(np.rot90(left, -1), greys[:, :6])
    assert np.array_equal(np.rot90(right, -1), greys[:, -6:])
