"""``pneumoscope read``: what it finds, what it writes, what it does about files that it cannot read."""

import csv
import errno
import os
import shutil

import numpy as np
import pydicom
import pytest
from PIL import Image

from pneumoscope import radiograph as radiographs
from pneumoscope.archive import journal, manifest, outputs
from pneumoscope.classifier import Preprocessing, SeverityScale
from pneumoscope.reader import ModelOutputError, Reader
from tests.cli.run import by_path, lines_of, run
from tests.radiograph.builders import PATIENT, cr, jpeg, png, real, real_as_cr, show_stored, written
from tests.reader.builders import SIDE, glass_bundle, graph, quadrant, spot

POSITIVE, NEGATIVE = png(quadrant()), png(spot())


@pytest.fixture
def read(glass, tmp_path):
    """Read with the model of glass into ``out``, in this process: worker processes would take longer than all else here."""

    def go(*arguments, out=tmp_path / "out", model=glass):
        return run("read", *arguments, "-o", out, "--model", model, "--no-isolate")

    return go


@pytest.fixture
def folder(tmp_path):
    """A folder with a positive radiograph and, in a folder below, a negative one."""
    return filled(tmp_path / "in", {"a.png": POSITIVE, "sub/b.png": NEGATIVE})


def filled(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def left(out):
    """Everything in a folder, by relative path."""
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    return names - {".lock", "run.json", "checks.jsonl"}


def test_results_of_an_earlier_read_below_a_folder_are_no_radiographs(read, folder):
    earlier = folder / "sub" / "earlier"
    assert read(folder, "--maps", out=earlier).code == 0
    filled(earlier, {"objects/a.dcm/sc.dcm": written(cr(quadrant(), bits=8, **show_stored(8)))})
    assert {one.name for one in earlier.iterdir() if one.is_dir()} == {"overlays", "maps", "objects"}
    ran = read(folder, out=folder.parent / "later")
    assert [line["path"] for line in lines_of(folder.parent / "later")] == ["a.png", "sub/b.png"]
    assert "3 folder of earlier results" in ran.out + ran.err


@pytest.mark.parametrize("record", [None, "{}", "not JSON"])
def test_folders_of_these_names_that_are_no_results_are_read(read, tmp_path, record):
    folder = filled(tmp_path / "in", {"overlays/a.png": POSITIVE, "maps/b.png": POSITIVE, "readings.jsonl": b""})
    if record is not None:
        (folder / "run.json").write_text(record)
    read(folder)
    assert [line["path"] for line in lines_of(tmp_path / "out")] == ["maps/b.png", "overlays/a.png"]


# What is written


def test_every_file_has_its_line_overlay_and_share_in_the_summary(read, folder, tmp_path):
    ran = read(folder)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("2 radiographs read, 1 positive")
    assert "not a medical device" in ran.out
    a, b = lines_of(tmp_path / "out")
    assert (a["path"], a["decision"], a["rows"], a["cols"]) == ("a.png", "positive", 80, 160)
    assert a["probability"] == pytest.approx(0.7311, abs=1e-3)  # 1 / (1 + exp(-1))
    assert [f["box"] for f in a["findings"]] == [{"top": 0, "left": 0, "bottom": 40, "right": 80}]
    assert a["findings"][0]["rating"] == pytest.approx(0.7311, abs=1e-3)
    assert a["operating_point"] == {"threshold": 0.5, "rule": "youden"}
    assert a["model"]["name"] == "glass"
    assert (b["path"], b["decision"], b["findings"], b["error"]) == ("sub/b.png", "negative", [], None)
    assert left(tmp_path / "out") == {"readings.jsonl", "overlays/a.png.png", "overlays/sub/b.png.png"}
    with Image.open(tmp_path / "out" / "overlays" / "a.png.png") as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGB")


def test_overlays_may_be_left_out(read, folder, tmp_path):
    assert read(folder, "--no-overlays").code == 0
    assert left(tmp_path / "out") == {"readings.jsonl"}


def test_maps_are_float_on_the_grid_of_the_radiograph(read, folder, tmp_path):
    assert read(folder, "--maps", "--no-overlays").code == 0
    assert left(tmp_path / "out") == {"readings.jsonl", "maps/a.png.npy", "maps/sub/b.png.npy"}
    values = np.load(tmp_path / "out" / "maps" / "a.png.npy")
    assert (values.dtype, values.shape) == (np.float32, (80, 160))
    assert [values[0, 0], values[79, 0], values[0, 159], values[79, 159]] == pytest.approx([1, 0, 0, 0], abs=1e-6)


def test_csv_has_a_row_a_file(read, folder, tmp_path):
    filled(folder, {"c.png": b"no picture"})
    assert read(folder, "--format", "csv", "--no-overlays").code == 1
    with (tmp_path / "out" / "readings.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["path"]: row for row in csv.DictReader(stream)}
    assert set(rows) == {"a.png", "sub/b.png", "c.png"}
    assert (rows["a.png"]["decision"], rows["a.png"]["findings"]) == ("positive", "1")
    assert rows["a.png"]["boxes"].startswith("0 0 40 80 0.73")
    assert (rows["c.png"]["decision"], rows["a.png"]["error"]) == ("", "")
    assert "neither DICOM nor PNG nor JPEG" in rows["c.png"]["error"]


def test_the_severity_of_one_radiograph_and_the_range_of_several_are_said_by_name(read, folder, tmp_path):
    scale = SeverityScale(((0.0, 0.0), (1.0, 3.0)), 1.0, 0.9, 20, 20, "masks", "tune", "")
    model = glass_bundle(tmp_path / "bundle", graph(lungs=1), severity=scale)
    name = "opacity severity by the heat map, not a radiologist's score"
    one = read(folder / "a.png", out=tmp_path / "one", model=model)
    assert one.out.splitlines()[1] == f"severity 4.5 of 18 (90% interval 3.5 to 5.5): {name}"
    both = read(folder, "--format", "csv", out=tmp_path / "both", model=model)
    scores = {path: line["severity"]["score"] for path, line in by_path(tmp_path / "both").items()}
    low, high = scores["sub/b.png"], scores["a.png"]
    line = f"severity {low:.1f} to {high:.1f} of 18, median {(low + high) / 2:.1f}, in 2 radiographs: {name}"
    assert both.out.splitlines()[1] == line
    assert "severity by the heat map" not in read(folder, out=tmp_path / "none").out


def test_another_class_may_be_explained(read, folder, tmp_path):
    assert read(folder, "--target", "normal", "--maps", "--no-overlays").code == 0
    line = lines_of(tmp_path / "out")[0]
    assert (line["target"], line["map"]["target"], line["findings"]) == ("pneumonia", "normal", [])
    assert line["probability"] == pytest.approx(0.7311, abs=1e-3)
    assert np.load(tmp_path / "out" / "maps" / "a.png.npy")[79, 159] == pytest.approx(1, abs=1e-6)


def test_an_unknown_class_is_refused_with_the_list(read, folder):
    ran = read(folder, "--target", "lung")
    assert ran.code == 2
    assert "normal, pneumonia, not 'lung'" in ran.err


def test_a_scale_of_its_own_changes_the_picture_and_not_the_line(read, tmp_path):
    dim = filled(tmp_path / "in", {"dim.png": png(quadrant() // 2)})
    for scale in ("fixed", "image"):
        assert read(dim, "--overlay-scale", scale, out=tmp_path / scale).code == 0
    assert lines_of(tmp_path / "fixed") == lines_of(tmp_path / "image")
    fixed, image = (np.asarray(Image.open(tmp_path / s / "overlays" / "dim.png.png")).astype(int) for s in ("fixed", "image"))
    row, col = 12 + 5, 2 * 12 + 160 + 5  # in the bright quarter of the overlay
    assert image[row, col, 0] > fixed[row, col, 0]


# What is found


def test_dicom_is_found_without_a_suffix_and_anything_else_is_not(read, tmp_path):
    instance = written(cr(quadrant(), bits=8, **show_stored(8)))
    files = {"1.2.840.5": instance, "IM0001": instance, "notes": b"text", "x.txt": b"text", ".hidden.png": POSITIVE}
    assert read(filled(tmp_path / "in", files), "--no-overlays").code == 0
    assert set(by_path(tmp_path / "out")) == {"1.2.840.5", "IM0001"}


def test_a_pattern_in_quotes_is_matched_below_folders(read, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    filled(folder, {"c.dcm": b"not asked for"})
    assert read("in/**/*.png").code == 0
    assert set(by_path(tmp_path / "out")) == {"a.png", "sub/b.png"}


def test_single_files_are_named_from_the_folder_that_they_share(read, folder, tmp_path):
    assert read(folder / "a.png", folder / "sub" / "b.png", folder / "a.png").code == 0
    assert [line["path"] for line in lines_of(tmp_path / "out")] == ["a.png", "sub/b.png"]


def test_a_name_never_leads_out_of_the_results(read, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    assert read("../in/a.png", "sub/b.png").code == 0
    assert left(tmp_path / "out") == {"readings.jsonl", "overlays/a.png.png", "overlays/sub/b.png.png"}


def test_two_files_of_one_name_are_refused_before_anything_is_read(read, folder, tmp_path):
    other = filled(tmp_path / "other", {"a.png": NEGATIVE})
    ran = read(folder, other)
    assert ran.code == 2
    assert "two inputs would both be called 'a.png'" in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["{empty}", "{empty}/*.png", "{empty}/gone.png"])
def test_nothing_to_read_is_a_mistake(read, text, tmp_path):
    (tmp_path / "empty").mkdir()
    ran = read(text.format(empty=tmp_path / "empty"))
    assert (ran.code, ran.out) == (2, "")
    assert "empty" in ran.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["results", "."])
@pytest.mark.parametrize("pattern", ["", "/**/*.png"])
def test_results_within_the_input_are_not_read(read, folder, place, pattern):
    for _ in range(2):
        assert read(f"{folder}{pattern}", out=folder / place).code == 0
        assert set(by_path(folder / place)) == {"a.png", "sub/b.png"}


def test_a_name_that_is_no_unicode_is_read(read, folder, tmp_path):
    shutil.copy(folder / "a.png", os.fsencode(folder) + b"/r\xf6ntgen.png")  # Latin-1
    assert read(folder).code == 0
    assert set(by_path(tmp_path / "out")) == {"a.png", "r\N{REPLACEMENT CHARACTER}ntgen.png", "sub/b.png"}


# What cannot be read


@pytest.fixture
def bad(folder):
    """Seven files that cannot be read beside two that can; every DICOM file tells a patient."""
    leg = pydicom.dcmread(real("RG3_UNCR.dcm"))
    leg.PatientName, leg.PatientID = PATIENT["PatientName"], PATIENT["PatientID"]
    leg.save_as(folder / "leg.dcm")
    ct = real_as_cr("CT_small.dcm", Modality="CT", **PATIENT)
    files = {
        "ct.dcm": ct,
        "cut.dcm": written(cr(quadrant(), bits=8))[:-1000],
        "cut.jpeg": jpeg(np.random.default_rng(0).integers(0, 256, (64, 64)))[:500],
        "text.png": b"This is no picture.",
        "black.png": png(np.zeros((16, 16), int)),
        "empty.png": b"",
    }
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    return filled(folder, files)


KINDS = {
    "leg.dcm": "NotAChestError",
    "ct.dcm": "NotARadiographError",
    "cut.dcm": "UnreadableFileError",
    "cut.jpeg": "UnreadableFileError",
    "text.png": "UnreadableFileError",
    "black.png": "EmptyImageError",
    "empty.png": "UnreadableFileError",
    "gone.png": "FileNotFoundError",
}


def test_bad_files_have_errors_of_a_named_kind_and_the_others_are_read(read, bad, tmp_path):
    ran = read(bad)

    assert ran.code == 1
    assert ran.out.startswith("2 radiographs read, 1 positive")
    lines = by_path(tmp_path / "out")
    assert {path: line["error"]["kind"] for path, line in lines.items() if line["error"]} == KINDS
    assert {path for path, line in lines.items() if line["decision"]} == {"a.png", "sub/b.png"}
    listed = [text.removeprefix("  not read: ").partition(": ") for text in ran.err.splitlines()]
    assert {path: message for path, _, message in listed} == {path: lines[path]["error"]["message"] for path in KINDS}


def test_no_patient_is_named_in_any_output(read, bad, tmp_path):
    (bad / "chest.dcm").write_bytes(real_as_cr("RG1_UNCR.dcm", **PATIENT))
    ran = read(bad, "--maps", "--format", "csv")
    assert by_path(tmp_path / "out")["chest.dcm"]["error"] is None
    out = tmp_path / "out"
    said = ran.out + ran.err + (out / "readings.jsonl").read_text() + (out / "readings.csv").read_text()
    assert not [word for word in ("Doe", "Jane", "SECRET", "4711", "ACC-") if word in said]
    for name in left(out):
        assert not [secret for secret in PATIENT.values() if secret.encode() in (out / name).read_bytes()]


def test_files_with_an_error_are_tried_again_and_lose_it(read, folder, tmp_path):
    filled(folder, {"b.png": POSITIVE[:60]})
    assert read(folder).code == 1
    filled(folder, {"b.png": POSITIVE})
    ran = read(folder)
    assert ran.code == 0
    assert ran.err == "2 of 3 files were read before; going on\n"
    assert {path: line["error"] for path, line in by_path(tmp_path / "out").items()} == {
        "a.png": None,
        "b.png": None,
        "sub/b.png": None,
    }


# Going on, and what stops it


@pytest.fixture
def decoded(monkeypatch):
    """How many files were decoded so far."""
    seen, read_one = [], radiographs.read
    monkeypatch.setattr(radiographs, "read", lambda source: seen.append(1) or read_one(source))
    return seen


def test_a_progress_bar_is_for_more_than_one_file(read, folder, tmp_path, monkeypatch):
    bars = []
    monkeypatch.setattr("tqdm.tqdm", lambda lines, **how: bars.append(how) or lines)
    assert read(folder).code == 0
    assert bars == [{"total": len(by_path(tmp_path / "out")), "unit": "file", "disable": None}]
    (folder / "a.png").write_bytes(NEGATIVE)
    assert read(folder).code == 0
    assert len(bars) == 1


def test_finished_files_are_not_read_again(read, folder, tmp_path, decoded):
    assert read(folder).code == 0
    before, count = (tmp_path / "out" / "readings.jsonl").read_bytes(), len(decoded)
    assert read(folder).code == 0
    assert (tmp_path / "out" / "readings.jsonl").read_bytes() == before
    assert (count, len(decoded)) == (2, 2)


@pytest.mark.parametrize("options", [[], ["--maps"], ["--no-overlays"]])
def test_a_replaced_file_is_read_again_with_all_that_belongs_to_it(read, folder, tmp_path, options):
    assert read(folder, *options).code == 0
    filled(folder, {"a.png": NEGATIVE})
    ran = read(folder, *options)
    assert ran.err == "1 of 2 files were read before; going on\n"
    assert read(folder, *options, out=tmp_path / "fresh").code == 0
    same(tmp_path / "out", tmp_path / "fresh")


def test_another_folder_with_the_same_names_is_read_again(read, folder, tmp_path):
    assert read(folder).code == 0
    other = filled(tmp_path / "other", {"a.png": NEGATIVE, "sub/b.png": POSITIVE})
    assert read(other).err == ""
    assert {path: line["decision"] for path, line in by_path(tmp_path / "out").items()} == {
        "a.png": "negative", "sub/b.png": "positive",
    }  # fmt: skip


def same(out, other):
    """Two output folders hold the same files with the same bytes."""
    assert left(out) == left(other)
    for name in (*left(out), "checks.jsonl"):
        assert (out / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["--overlay-scale", "fixed"], ["--overlay-scale", "image"]),
        (["--target", "normal", "--maps"], ["--maps"]),
        (["--maps"], []),
        (["--overlay-scale", "image"], ["--no-overlays"]),
        (["--overlay-format", "jpeg"], []),
        ([], ["--overlay-format", "webp"]),
        (["--overlay-format", "webp"], ["--no-overlays"]),
    ],
)
def test_a_run_with_other_options_leaves_what_a_fresh_one_would(read, tmp_path, before, after):
    dim = filled(tmp_path / "in", {"dim.png": png(quadrant() // 2), "a.png": POSITIVE})
    assert read(dim, *before).code == 0
    assert read(dim, *after).code == 0
    assert read(dim, *after, out=tmp_path / "fresh").code == 0
    same(tmp_path / "out", tmp_path / "fresh")


@pytest.mark.parametrize("file_format", ["jpeg", "webp"])
def test_overlays_of_another_format_show_the_same_picture_and_are_not_painted_again(read, folder, tmp_path, file_format):
    options = ["--overlay-format", file_format]
    assert read(folder).code == read(folder, *options, out=tmp_path / "lossy").code == 0
    for name in ("a.png", "sub/b.png"):
        with (
            Image.open(tmp_path / f"out/overlays/{name}.png") as exact,
            Image.open(tmp_path / f"lossy/overlays/{name}.{file_format}") as lossy,
        ):
            assert (lossy.format, lossy.size) == (file_format.upper(), exact.size)
            apart = np.abs(np.asarray(exact, float) - np.asarray(lossy.convert("RGB"), float))
        assert apart.mean() < 2
    assert read(folder, *options, out=tmp_path / "lossy").err == "2 of 2 files were read before; going on\n"
    assert not [*tmp_path.glob("lossy/overlays/**/*.png.png")]


def emptied(content):
    return b""


def cut(content):
    return content[: len(content) // 2]


def flipped(content):
    return content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]


def flipped_early(content):
    return content[:300] + bytes([content[300] ^ 1]) + content[301:]


DAMAGES = pytest.mark.parametrize(
    "damage", [emptied, cut, flipped, flipped_early, None], ids=lambda one: getattr(one, "__name__", "removed")
)


@pytest.mark.parametrize(
    ("name", "file_format"),
    [*((f"overlays/sub/b.png.{one}", one) for one in ("png", "webp", "jpeg")), ("maps/a.png.npy", "jpeg")],
)
@DAMAGES
def test_a_file_is_not_done_while_its_overlay_or_map_is_damaged(read, folder, tmp_path, name, file_format, damage):
    options = ["--maps", "--overlay-format", file_format]
    assert read(folder, *options).code == 0
    file = tmp_path / "out" / name
    whole = file.read_bytes()
    if damage:
        file.write_bytes(damage(whole))
    else:
        file.unlink()
    again = read(folder, *options)
    assert (again.code, again.err) == (0, "1 of 2 files were read before; going on\n")
    assert file.read_bytes() == whole
    assert read(folder, *options).err == "2 of 2 files were read before; going on\n"


@pytest.mark.parametrize("name", ["overlays/{}.png", "maps/{}.npy"])
def test_an_overlay_or_map_of_another_radiograph_is_not_taken_for_a_files_own(read, folder, tmp_path, name):
    assert read(folder, "--maps").code == 0
    own, other = (tmp_path / "out" / name.format(file) for file in ("a.png", "sub/b.png"))
    whole = own.read_bytes()
    own.write_bytes(other.read_bytes())
    assert read(folder, "--maps").err == "1 of 2 files were read before; going on\n"
    assert own.read_bytes() == whole


def test_a_line_with_a_changed_digit_is_read_again(read, folder, tmp_path):
    read(folder)
    file = tmp_path / "out" / "readings.jsonl"
    whole = file.read_bytes()
    at = whole.index(b'"probability":') + len(b'"probability": 0.')
    file.write_bytes(whole[:at] + (b"1" if whole[at : at + 1] != b"1" else b"2") + whole[at + 1 :])
    assert read(folder).err == "1 of 2 files were read before; going on\n"
    assert file.read_bytes() == whole


@DAMAGES
def test_files_without_a_whole_record_are_read_again(read, folder, tmp_path, damage):
    read(folder, "--maps")
    file = tmp_path / "out" / "checks.jsonl"
    whole = file.read_bytes()
    if damage:
        file.write_bytes(damage(whole))
    else:
        file.unlink()
    assert read(folder, "--maps").code == 0
    assert file.read_bytes() == whole
    assert read(folder, "--maps", out=tmp_path / "fresh").code == 0
    same(tmp_path / "out", tmp_path / "fresh")


def test_records_are_found_in_any_order_and_those_of_other_lines_are_left_out(read, folder, tmp_path):
    """As after a kill between the renames of the lines and of their records."""
    read(folder)
    file = tmp_path / "out" / "checks.jsonl"
    records = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([records[1], records[0].replace(b"a.png", b"gone.png"), records[0]]))
    assert read(folder).err == "2 of 2 files were read before; going on\n"
    assert file.read_bytes().splitlines(keepends=True) == records


def test_a_stale_overlay_does_not_survive_runs_without_overlays(read, folder, tmp_path):
    """Once the source of a silent mistake: fixed, then none on another scale, then that scale."""
    for options in (["--overlay-scale", "fixed"], ["--no-overlays"], ["--overlay-scale", "image"]):
        assert read(folder, *options).code == 0
    assert read(folder, "--overlay-scale", "image", out=tmp_path / "fresh").code == 0
    same(tmp_path / "out", tmp_path / "fresh")


def test_lines_come_in_the_order_of_the_files_however_often_some_were_read(read, folder, tmp_path):
    filled(folder, {"a.png": POSITIVE[:60]})
    assert read(folder).code == 1
    filled(folder, {"a.png": POSITIVE, "0.png": NEGATIVE})
    assert read(folder).code == 0
    assert [line["path"] for line in lines_of(tmp_path / "out")] == ["0.png", "a.png", "sub/b.png"]
    assert read(folder, out=tmp_path / "fresh").code == 0
    same(tmp_path / "out", tmp_path / "fresh")


def test_readings_of_files_that_are_not_given_again_are_kept(read, folder, tmp_path):
    other = filled(tmp_path / "other", {"c.png": POSITIVE})
    assert read(folder).code == 0
    assert read(other).out.startswith("1 radiographs read")
    assert [line["path"] for line in lines_of(tmp_path / "out")] == ["a.png", "sub/b.png", "c.png"]


def test_a_second_run_in_the_same_folder_is_refused_while_the_first_one_writes(read, folder, tmp_path, glass):
    items, run_ = manifest.find([str(folder)], tmp_path / "out").items, journal.Run(Reader.load(glass).model, journal.Options())
    with journal.open_journal(tmp_path / "out", run_, items):
        ran = read(folder)
    assert (ran.code, ran.out) == (2, "")
    out = tmp_path / "out"
    assert ran.err == (
        f"pneumoscope: another run is writing to '{out}'; wait until it has ended, or choose another folder with -o\n"
    )
    assert read(folder).code == 0


def test_a_card_that_decides_otherwise_is_not_mixed_with_earlier_readings(read, folder, tmp_path):
    assert read(folder).code == 0
    other = glass_bundle(tmp_path / "other", finding_threshold=0.1)
    ran = read(folder, model=other)
    assert ran.code == 2
    assert "readings of another model" in ran.err


def test_a_name_that_leaves_no_room_for_an_overlay_is_that_files_error(read, folder, tmp_path):
    longest = "x" * (os.pathconf(tmp_path, "PC_NAME_MAX") - 4) + ".png"
    filled(folder, {longest: POSITIVE})
    ran = read(folder)
    assert ran.code == 1
    assert ran.out.startswith("2 radiographs read")
    assert by_path(tmp_path / "out")[longest]["error"]["message"] == (
        "nothing can be written under its name (file name too long); rename it"
    )
    assert read(folder, "--no-overlays").code == 0


def test_an_unforeseen_error_with_one_file_is_its_line_and_quotes_nothing(read, folder, tmp_path, monkeypatch):
    read_one = radiographs.read

    def fail(source):
        if source == POSITIVE:
            raise ZeroDivisionError("Doe^Jane")
        return read_one(source)

    monkeypatch.setattr(radiographs, "read", fail)
    ran = read(folder, "--batch", "2")
    assert (ran.code, ran.out.partition(",")[0]) == (1, "1 radiographs read")
    assert by_path(tmp_path / "out")["a.png"]["error"]["message"].startswith("it could not be read because of an unexpected Zero")
    assert "Doe" not in ran.err


@pytest.mark.parametrize("batch", [1, 3])
def test_a_file_on_which_the_model_fails_is_its_line_and_the_others_are_read(read, folder, tmp_path, monkeypatch, batch):
    filled(folder, {"white.png": png(np.tile([254, 255], (8, 4)))})
    run_graph = Reader._run

    def fail(self, names, inputs):
        if inputs["image"].mean() > 0.9 or len(inputs["image"]) > 1:
            raise ModelOutputError("the graph could not be run")
        return run_graph(self, names, inputs)

    monkeypatch.setattr(Reader, "_run", fail)
    assert read(folder, "--batch", batch).code == 1
    lines = by_path(tmp_path / "out")
    assert {path: line["error"] and line["error"]["kind"] for path, line in lines.items()} == {
        "a.png": None, "sub/b.png": None, "white.png": "ModelOutputError",
    }  # fmt: skip


@pytest.mark.parametrize("tail", [b'{"schema": 1, "path": "c', b'{"schema": 1, "path": "\xc3', b"\0\0\0\0", b"{"])
def test_a_torn_last_line_is_dropped(read, folder, tmp_path, tail):
    assert read(folder).code == 0
    lines = tmp_path / "out" / "readings.jsonl"
    whole = lines.read_bytes()
    lines.write_bytes(whole + tail)
    assert read(folder).code == 0
    assert lines.read_bytes() == whole


def test_readings_of_another_model_are_refused_and_left_alone(read, folder, tmp_path):
    assert read(folder).code == 0
    before = (tmp_path / "out" / "readings.jsonl").read_bytes()
    other = glass_bundle(tmp_path / "other", graph(2 * SIDE), preprocessing=Preprocessing(2 * SIDE))
    ran = read(folder, model=other)
    assert ran.code == 2
    assert "readings of another model" in ran.err
    assert (tmp_path / "out" / "readings.jsonl").read_bytes() == before


@pytest.mark.parametrize("text", ["{}", "[1]", "3", '{"schema": 1}'])
def test_a_file_of_that_name_from_elsewhere_is_refused_and_left_alone(read, folder, tmp_path, text):
    filled(tmp_path / "out", {"readings.jsonl": f"{text}\n".encode()})
    ran = read(folder)
    assert ran.code == 2
    assert "not written by this version" in ran.err
    assert (tmp_path / "out" / "readings.jsonl").read_text() == f"{text}\n"


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk is full"), (errno.EACCES, "permission denied")],
)
def test_a_full_disk_is_one_sentence_and_what_was_finished_is_kept(read, folder, tmp_path, monkeypatch, number, sentence):
    save = outputs.save_picture

    def fail_on_the_second(picture, file):
        if file.name == "b.png.png":
            raise OSError(number, os.strerror(number), str(file))
        return save(picture, file)

    with monkeypatch.context() as patch:
        patch.setattr(outputs, "save_picture", fail_on_the_second)
        ran = read(folder)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"pneumoscope: {sentence} at '")
    assert ran.err.count("\n") == 1
    assert [line["path"] for line in lines_of(tmp_path / "out")] == ["a.png"]

    assert read(folder).code == 0
    assert [line["path"] for line in lines_of(tmp_path / "out")] == ["a.png", "sub/b.png"]


def test_a_place_that_cannot_be_written_is_one_sentence(read, folder):
    ran = read(folder, out=folder / "a.png" / "out")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("pneumoscope: not a directory at '")
    assert ran.err.count("\n") == 1


def test_what_is_wanted_in_addition_makes_a_finished_file_be_read_again(read, folder, tmp_path):
    read(folder, "--no-overlays")
    ran = read(folder, "--maps")
    assert (ran.code, ran.err) == (0, "")
    assert left(tmp_path / "out") == {
        "readings.jsonl", "maps/a.png.npy", "maps/sub/b.png.npy", "overlays/a.png.png", "overlays/sub/b.png.png",
    }  # fmt: skip
    assert len(lines_of(tmp_path / "out")) == 2
    assert "2 of 2 files were read before" in read(folder, "--maps").err


def test_lines_of_files_that_are_no_longer_there_are_kept_and_counted(read, folder, tmp_path):
    read(folder)
    (folder / "a.png").unlink()
    (folder / "z.png").write_bytes(png(spot()))
    again, out = read(folder), tmp_path / "out"
    assert again.code == 0
    assert "and the lines of 1 file read into this folder before, and not now" in again.err
    assert [line["path"] for line in lines_of(out)] == ["a.png", "z.png", "sub/b.png"]


@pytest.mark.skipif(os.name != "posix", reason="other systems allow no such name")
def test_a_name_prints_nothing_that_a_terminal_obeys(read, tmp_path):
    name = "x\n0 radiographs\x1b[31m\u202e.png"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "in" / "b.png").write_bytes(png(spot()))
    said, out = read(tmp_path / "in"), tmp_path / "out"
    assert said.code == 1
    assert "not read: x\\n0 radiographs\\x1b[31m\\u202e.png: " in said.err
    assert not {"\x1b", "\u202e"} & {*said.err, *said.out}
    assert name in by_path(out)
    missing = run("read", tmp_path / name, "-o", out)
    assert (missing.code, "\x1b" in missing.err) == (2, False)
