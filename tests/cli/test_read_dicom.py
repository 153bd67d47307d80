"""``pneumoscope read --dicom-out``: objects beside the readings, resumed like them, and a sentence for what has none."""

import hashlib
import json

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from pneumoscope.dicom_objects import KINDS
from pneumoscope.dicom_objects.encoding import parsed
from pneumoscope.dicom_objects.files import contents_of
from tests.cli.run import by_path, fresh, run
from tests.dicom_objects.builders import UIDS, with_raw
from tests.radiograph.builders import cr, png, show_stored, written
from tests.reader.builders import quadrant

PLANTED = "PLANTED"


def image(**elements):
    dataset = cr(quadrant(), bits=8, **UIDS, **show_stored(8), ImagerPixelSpacing=["0.2", "0.2"], PatientOrientation=["L", "F"])
    return written(with_raw(dataset, **elements))


@pytest.fixture
def read(glass, tmp_path):
    def go(*arguments, out=tmp_path / "out"):
        return run("read", *arguments, "-o", out, "--model", glass, "--no-overlays")

    return go


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "a.dcm").write_bytes(image(PatientName=PLANTED, PatientID="MRN-4711"))
    return folder


def objects(out, name="a.dcm"):
    return {file.name: file.read_bytes() for file in (out / "objects" / name).iterdir()}


def test_the_objects_that_are_asked_for_lie_beside_the_readings(read, study, tmp_path):
    ran = read(study, "--dicom-out", "sr,seg,pm,sc,gsps", "--profile", "ohif")
    assert (ran.code, ran.err) == (0, "")
    made = objects(tmp_path / "out")
    assert set(made) == {*(f"{kind}.dcm" for kind in KINDS), "objects.json"}
    assert {parsed(content).StudyInstanceUID for name, content in made.items() if name != "objects.json"} == {"1.2.3.1"}
    assert contents_of(tmp_path / "out/objects/a.dcm").profile == "ohif"
    assert PLANTED not in (tmp_path / "out/readings.jsonl").read_text() + ran.out + ran.err


def test_profile_asks_for_the_kinds_that_the_system_shows(read, study, tmp_path):
    assert read(study, "--dicom-out", "profile", "--profile", "plain").code == 0
    assert set(objects(tmp_path / "out")) == {"sr.dcm", "sc.dcm", "gsps.dcm", "objects.json"}


def test_the_segmentation_has_the_form_that_is_asked_for(read, study, tmp_path):
    for form, sop_class in (("binary", "1.2.840.10008.5.1.4.1.1.66.4"), ("labelmap", "1.2.840.10008.5.1.4.1.1.66.7")):
        assert read(study, "--dicom-out", "seg", "--segmentation", form).code == 0
        assert parsed(objects(tmp_path / "out")["seg.dcm"]).SOPClassUID == sop_class


def test_the_parametric_map_has_the_form_that_is_asked_for(read, study, tmp_path):
    for form, syntax in (("full", ExplicitVRLittleEndian), ("deflated", DeflatedExplicitVRLittleEndian)):
        assert read(study, "--dicom-out", "pm", "--parametric-map", form).code == 0
        assert parsed(objects(tmp_path / "out")["pm.dcm"]).file_meta.TransferSyntaxUID == syntax


def test_a_second_run_keeps_complete_objects_and_writes_missing_ones_again(read, study, tmp_path):
    read(study, "--dicom-out", "sr,sc")
    first = objects(tmp_path / "out")
    assert "1 of 1 files were read before" in read(study, "--dicom-out", "sr,sc").err
    assert objects(tmp_path / "out") == first
    (tmp_path / "out/objects/a.dcm/sr.dcm").unlink()
    assert "read before" not in read(study, "--dicom-out", "sr,sc").err
    assert set(objects(tmp_path / "out")) == set(first)


@pytest.mark.parametrize("name", ["sr.dcm", "objects.json"])
@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-9], lambda content: b"\1" + content[1:]])
def test_damaged_objects_are_written_again(read, study, tmp_path, name, damage):
    read(study, "--dicom-out", "sr")
    file = tmp_path / "out/objects/a.dcm" / name
    file.write_bytes(damage(file.read_bytes()))
    assert "read before" not in read(study, "--dicom-out", "sr").err
    assert "1 of 1 files were read before" in read(study, "--dicom-out", "sr").err


def write_more(folder):
    (folder / "more.dcm").write_bytes(b"\0")


def change_a_listed_reason(folder):
    file = folder / "objects.json"
    file.write_bytes(file.read_bytes().replace(b"pixel spacing", b"pixel-spacing"))


def change_object_and_list(folder):
    damaged = (folder / "sr.dcm").read_bytes()[:-2]
    (folder / "sr.dcm").write_bytes(damaged)
    listed = json.loads((folder / "objects.json").read_bytes())
    listed["written"] = [{"kind": "sr", "file": "sr.dcm", "sha256": hashlib.sha256(damaged).hexdigest()}]
    (folder / "objects.json").write_text(json.dumps(listed))


def swap(folder):
    (folder / "sr.dcm").rename(folder / "swapped")
    (folder / "sc.dcm").rename(folder / "sr.dcm")
    (folder / "swapped").rename(folder / "sc.dcm")


@pytest.mark.parametrize("change", [write_more, change_a_listed_reason, change_object_and_list, swap])
def test_objects_that_differ_from_what_was_written_are_written_again(read, study, tmp_path, change):
    (study / "a.dcm").write_bytes(written(cr(quadrant(), bits=8, **UIDS, **show_stored(8))))
    read(study, "--dicom-out", "sr,sc,pm")
    first = set(objects(tmp_path / "out"))
    change(tmp_path / "out/objects/a.dcm")
    assert "read before" not in read(study, "--dicom-out", "sr,sc,pm").err
    assert set(objects(tmp_path / "out")) == first
    assert "1 of 1 files were read before" in read(study, "--dicom-out", "sr,sc,pm").err


@pytest.mark.parametrize(("options", "is_kept"), [([], True), (["--dicom-out", "sr"], False)])
def test_a_record_of_an_earlier_version_does_for_a_line_without_objects_only(read, study, tmp_path, options, is_kept):
    read(study, *options)
    file = tmp_path / "out/checks.jsonl"
    record = json.loads(file.read_bytes())
    del record["outputs"]["further"]
    file.write_text(json.dumps(record) + "\n")
    assert ("1 of 1 files were read before" in read(study, *options).err) == is_kept
    assert "1 of 1 files were read before" in read(study, *options).err


def test_other_objects_replace_earlier_ones_and_none_removes_them(read, study, tmp_path):
    read(study, "--dicom-out", "sr,sc")
    read(study, "--dicom-out", "gsps")
    assert set(objects(tmp_path / "out")) == {"gsps.dcm", "objects.json"}
    read(study)
    assert not objects(tmp_path / "out")


def test_the_objects_of_an_output_folder_inside_the_study_are_not_read(read, study):
    out = study / "out"
    read(study, "--dicom-out", "sc", out=out)
    assert "1 radiographs read" in read(study, "--dicom-out", "sc", out=out).out


def test_a_file_that_is_no_dicom_gets_its_sentence_and_the_rest_go_on(read, study, tmp_path):
    (study / "b.png").write_bytes(png(quadrant()))
    ran = read(study, "--dicom-out", "sr")
    lines = by_path(tmp_path / "out")
    assert ran.code == 1
    assert "b.png: DICOM objects refer to a DICOM image, and this file is none" in ran.err
    assert lines["b.png"]["error"]["kind"] == "NotDicomError"
    assert lines["a.dcm"]["error"] is None


def test_a_file_with_the_uid_of_an_earlier_one_and_other_content_gets_its_sentence_in_each_run(read, study, tmp_path):
    (study / "b.dcm").write_bytes(image(PatientName="OTHER"))
    for _ in range(2):
        ran = read(study, "--dicom-out", "sr")
        assert ran.code == 1
        assert "b.dcm: another file has the same SOP Instance UID and other content" in ran.err
        lines = by_path(tmp_path / "out")
        assert (lines["a.dcm"]["error"], lines["b.dcm"]["error"]["kind"]) == (None, "RepeatedUidError")
        assert set(objects(tmp_path / "out")) == {"sr.dcm", "objects.json"}
        assert not list((tmp_path / "out/objects").glob("b.dcm/*"))


def test_what_could_not_be_written_is_said(read, study, tmp_path):
    (study / "a.dcm").write_bytes(written(cr(quadrant(), bits=8, **UIDS, **show_stored(8))))
    ran = read(study, "--dicom-out", "sr,pm")
    assert ran.code == 0
    assert "  1 without pm: the source states no pixel spacing, which a Parametric Map needs\n" in ran.err
    assert "pm" in json.loads(objects(tmp_path / "out")["objects.json"])["omitted"]


def test_de_identified_objects_and_source_name_nobody_and_belong_together(read, study, tmp_path):
    assert read(study, "--dicom-out", "sr,seg,pm,sc,gsps", "--deidentify").code == 0
    made = objects(tmp_path / "out")
    assert not any(PLANTED.encode() in content or b"MRN-4711" in content or b"1.2.3.1\0" in content for content in made.values())
    datasets = [parsed(content) for name, content in made.items() if name != "objects.json"]
    assert len({dataset.StudyInstanceUID for dataset in datasets}) == 1
    assert parsed(made["source.dcm"]).pixel_array.tolist() == quadrant().tolist()
    key = tmp_path / "out/deidentification.key"
    assert key.stat().st_mode & 0o077 == 0
    assert key.read_text().strip() not in (tmp_path / "out/run.json").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dicom-out", "sr,ct"], "'ct' is no kind of DICOM object; the kinds are sr, seg, pm, sc, gsps, or 'profile'"),
        (["--dicom-out", "sr", "--profile", "siemens"], "'siemens' is not one of"),
        (["--deidentify"], "--deidentify concerns DICOM objects: give --dicom-out as well"),
        (["--profile", "ohif"], "--profile concerns DICOM objects: give --dicom-out as well"),
        (["--segmentation", "labelmap"], "--segmentation concerns DICOM objects: give --dicom-out as well"),
        (["--parametric-map", "deflated"], "--parametric-map concerns DICOM objects: give --dicom-out as well"),
        (["--dicom-out", "sr,pm", "--segmentation", "labelmap"], "--segmentation concerns the DICOM Segmentation: give seg"),
        (["--dicom-out", "sr", "--parametric-map", "deflated"], "--parametric-map concerns the DICOM Parametric Map: give pm"),
    ],
)
def test_a_mistake_is_one_sentence(read, study, arguments, message):
    ran = read(study, *arguments)
    assert ran.code == 2
    assert message in ran.err


def test_a_missing_extra_is_named(study, tmp_path, glass):
    code = f"""
import sys
sys.modules["highdicom"] = None
from pneumoscope.cli.main import main
sys.exit(main(["read", {str(study)!r}, "-o", {str(tmp_path / "out")!r}, "--model", {str(glass)!r}, "--dicom-out", "sr"]))
"""
    ran = fresh(code)
    assert ran.code == 2
    assert "pip install 'pneumoscope[dicom]'" in ran.err
