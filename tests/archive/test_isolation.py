"""``pneumoscope read --isolate``: what a file does to its decoder costs that file a line, and nothing else."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from pneumoscope import radiograph as radiographs
from pneumoscope.archive import Options, decoding, manifest, manifest_building, read_files, reading
from pneumoscope.limited_process import Limits, NotStartedError
from pneumoscope.radiograph import every_format
from pneumoscope.reader import Reader
from pneumoscope.readings import form
from tests.archive import decoders
from tests.cli.run import by_path, lines_of, run
from tests.hostile import files
from tests.radiograph.builders import png
from tests.reader.builders import quadrant, spot

POSITIVE, NEGATIVE = png(quadrant()), png(spot())
PATIENCE_S = 120
# Runs the command with the decoder of the tests.
MISBEHAVING = """
from pneumoscope.cli.main import entry
from pneumoscope.radiograph import every_format
from tests.archive.decoders import decode

every_format.read = decode
entry()
"""


def filled(folder, contents):
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def outcomes(out):
    """Kind and message of each file's error by name; None where it was read."""
    return {name: line["error"] and (line["error"]["kind"], line["error"]["message"]) for name, line in by_path(out).items()}


@pytest.fixture
def tight(monkeypatch):
    """The decoder of the tests, within limits that a test can wait for."""
    monkeypatch.setattr(decoding, "LIMITS", Limits(120.0, 200_000_000, processor_seconds=2.0))
    monkeypatch.setattr(every_format, "read", decoders.decode)


def read(folder, out, glass, **options):
    return read_files(Reader.load(glass, threads=1), manifest.find([str(folder)], out).items, out, Options(), **options)


def test_lines_and_overlays_do_not_depend_on_where_a_file_is_read(tmp_path, glass):
    contents = {"a.png": POSITIVE, "b.png": b"", "c.png": NEGATIVE, "d.png": POSITIVE[:200], "e.dcm": files.uncompressed(40, 50)}
    folder = filled(tmp_path / "in", contents)
    apart, here = tmp_path / "apart", tmp_path / "here"
    for out, isolate in ((apart, "--isolate"), (here, "--no-isolate")):
        assert run("read", folder, "-o", out, "--model", glass, "--maps", isolate).code == 1
    written = {path.relative_to(here) for path in here.rglob("*") if path.is_file()}
    assert written == {path.relative_to(apart) for path in apart.rglob("*") if path.is_file()}
    assert len(written) > 6
    for path in written:
        assert (here / path).read_bytes() == (apart / path).read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")
@pytest.mark.parametrize("batch", [1, 3])
def test_a_file_that_misbehaves_costs_its_line_and_the_others_are_read(tmp_path, glass, tight, batch):
    contents = {
        "a.png": POSITIVE, "b.png": decoders.CRASH, "c.png": decoders.BOMB, "d.png": NEGATIVE, "e.png": decoders.HANG,
        "f.png": decoders.RAISE, "g.png": POSITIVE,
    }  # fmt: skip
    out = tmp_path / "out"
    assert read(filled(tmp_path / "in", contents), out, glass, batch=batch).read == 3
    assert [line["path"] for line in lines_of(out)] == [*contents]
    assert outcomes(out) == {
        "a.png": None,
        "b.png": ("CrashedError", "decoding failed: its process ended without an answer; the file is probably damaged"),
        "c.png": ("MemoryLimitError", "decoding needed more memory than 0.2 GB"),
        "d.png": None,
        "e.png": ("TimeLimitError", "decoding took more than 2 s of processor time and was stopped"),
        "f.png": (
            "UnexpectedError",
            "it could not be read because of an unexpected ZeroDivisionError; please report this with the kind of the file",
        ),
        "g.png": None,
    }


@pytest.mark.parametrize(("names", "isolated"), [(("a.png", "b.png"), True), (("a.png",), False)])
def test_many_files_are_isolated_unless_told_otherwise_and_a_single_one_is_not(tmp_path, glass, monkeypatch, names, isolated):
    pools = []
    here = SimpleNamespace(each=decoding.one_by_one(radiographs.read))
    monkeypatch.setattr(decoding, "LimitedPool", lambda read, *_, **__: pools.append(read) or nullcontext(here))
    folder = filled(tmp_path / "in", dict.fromkeys(names, POSITIVE))
    asked = []
    for k, flags in enumerate(([], ["--isolate"], ["--no-isolate"])):
        assert run("read", folder, "-o", tmp_path / f"out{k}", "--model", glass, *flags).code == 0
        asked.append(bool(pools))
        pools.clear()
    assert asked == [isolated, True, False]


@pytest.mark.parametrize(
    ("count", "batch", "together"), [(31, None, [1] * 31), (33, None, [4] * 8 + [1]), (9, 2, [2, 2, 2, 2, 1])]
)
def test_many_files_go_through_the_graph_together_and_few_one_by_one(tmp_path, glass, monkeypatch, count, batch, together):
    sizes, own = [], Reader.read_together
    monkeypatch.setattr(Reader, "workers", 2)
    monkeypatch.setattr(
        Reader, "read_together", lambda reader, images, **asked: sizes.append(len(images)) or own(reader, images, **asked)
    )
    folder = filled(tmp_path / "in", {f"{k}.png": POSITIVE for k in range(count)})
    assert read(folder, tmp_path / "out", glass, isolate=False, batch=batch).read == count
    assert sorted(sizes, reverse=True) == together


def test_a_single_file_is_decoded_once_while_its_model_is_loaded(tmp_path, glass, monkeypatch):
    begun, load = Event(), Reader.load

    def decode(content):
        begun.set()
        return read_one(content)

    def load_later(*args, **kwargs):
        assert begun.wait(PATIENCE_S)
        return load(*args, **kwargs)

    read_one, decoded = radiographs.read, []
    monkeypatch.setattr(radiographs, "read", lambda content: decoded.append(content) or decode(content))
    monkeypatch.setattr(Reader, "load", load_later)
    folder = filled(tmp_path / "in", {"a.png": POSITIVE})
    assert run("read", folder, "-o", tmp_path / "out", "--model", glass).code == 0
    assert decoded == [POSITIVE]


def test_a_file_that_was_replaced_after_it_was_decoded_is_decoded_again(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(POSITIVE)
    with decoding.decoded_ahead(file) as decode:
        assert np.array_equal(decode(NEGATIVE).pixels, radiographs.read(NEGATIVE).pixels)
        assert np.array_equal(decode(POSITIVE).pixels, radiographs.read(POSITIVE).pixels)


@pytest.mark.parametrize("content", [None, b"", POSITIVE[:80]], ids=["missing", "empty", "cut off"])
def test_a_single_file_that_cannot_be_read_has_the_error_of_one_among_many(tmp_path, glass, content):
    files = {} if content is None else {"a.png": content}
    alone, among = filled(tmp_path / "alone", files), filled(tmp_path / "among", files | {"b.png": POSITIVE})
    if content is None:
        for folder in (alone, among):
            (folder / "a.png").symlink_to(tmp_path / "nowhere")
    for folder in (alone, among):
        assert run("read", folder, "-o", folder / "out", "--model", glass).code == 1
    assert by_path(alone / "out")["a.png"]["error"] == by_path(among / "out")["a.png"]["error"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a process to its memory")
def test_a_data_set_of_many_plain_elements_stays_within_the_memory(monkeypatch):
    # Nothing in the file is too large by its header: only the wall is left.
    monkeypatch.setattr(decoding, "LIMITS", Limits(120.0, 50_000_000, processor_seconds=60.0))
    with decoding.decoder(True, 1) as decode:
        with pytest.raises(radiographs.RadiographError, match="has no Pixel Data"):
            radiographs.read(files.plain_elements(10))
        error, image = decode([files.plain_elements(500_000), POSITIVE])
    assert str(error) == "decoding needed more memory than 0.05 GB"
    assert image.pixels.shape == radiographs.read(POSITIVE).pixels.shape


@pytest.fixture
def sleeping(tmp_path, glass):
    """A run whose second decoder sleeps: its process, the number of the worker's process, and the output folder."""
    noted, out = tmp_path / "process id", tmp_path / "out"
    folder = filled(tmp_path / "in", {"a.png": POSITIVE, "b.png": decoders.SLEEP + os.fsencode(noted)})
    command = [sys.executable, "-c", MISBEHAVING, "read", folder, "-o", out, "--model", glass]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: noted.exists() and noted.read_text("ascii") and len((out / "readings.jsonl").read_bytes()) > 0, process)
        yield process, int(noted.read_text("ascii")), out
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_interrupted_archive_does_not_wait_for_a_decoder_that_hangs_and_keeps_its_shards(tmp_path, glass):
    noted, out = tmp_path / "process id", tmp_path / "out"
    contents = {"a.png": POSITIVE, "b.png": NEGATIVE, "c.png": decoders.SLEEP + os.fsencode(noted), "d.png": POSITIVE}
    folder = filled(tmp_path / "in", contents)
    manifest_building.build([str(folder)], str(tmp_path / "manifest.parquet"), rows_a_shard=1)
    command = [sys.executable, "-c", MISBEHAVING, "archive", "read", tmp_path / "manifest.parquet", "-o", out, "--model", glass]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: noted.exists() and noted.read_text("ascii"), process)
        worker = int(noted.read_text("ascii"))
        process.send_signal(signal.SIGINT)
        said, complained = process.communicate(timeout=PATIENCE_S)  # the decoder would sleep for an hour
    assert (process.returncode, said) == (130, "")
    assert complained.strip().splitlines()[-1].startswith("interrupted; run the same command again to go on")
    wait_for(lambda: not lives(worker))
    kept = {file.name: file.read_bytes() for file in out.rglob("*.parquet")}
    assert len(kept) == 2
    (folder / "c.png").write_bytes(NEGATIVE)
    manifest_building.build([str(folder)], str(tmp_path / "manifest.parquet"), rows_a_shard=1, update=True)
    assert run("archive", "read", tmp_path / "manifest.parquet", "-o", out, "--model", glass).code == 0
    frame = pd.read_parquet(out / "readings")
    assert sorted(frame.path) == [*contents]
    assert frame.error_kind.isna().all()
    assert kept.items() <= {file.name: file.read_bytes() for file in out.rglob("*.parquet")}.items()
    assert not list(out.rglob("*.part"))


def wait_for(condition, process=None):
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


def lives(process_id):
    """Whether a process runs; one that has ended and is waited for by nobody does not."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_ends_with_a_program_that_is_killed(sleeping):
    process, worker, _ = sleeping
    assert lives(worker)
    process.kill()
    wait_for(lambda: not lives(worker))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_interrupted_run_does_not_wait_for_a_decoder_that_hangs(sleeping):
    process, worker, out = sleeping
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=PATIENCE_S)  # the decoder would sleep for an hour
    assert (process.returncode, said) == (130, "")
    assert complained.strip() == "interrupted; run the same command again to go on"
    wait_for(lambda: not lives(worker))
    assert [line["path"] for line in lines_of(out)] == ["a.png"]


def test_a_machine_that_starts_no_process_ends_the_run_and_blames_no_file(tmp_path, glass, monkeypatch):
    def refuse(*args, **kwargs):
        raise OSError(24, os.strerror(24))

    monkeypatch.setattr(subprocess, "Popen", refuse)
    folder, out = filled(tmp_path / "in", {"a.png": POSITIVE, "b.png": NEGATIVE}), tmp_path / "out"
    with pytest.raises(NotStartedError, match=r"^a process for decoding could not be started: too many open files$"):
        read(folder, out, glass)
    assert lines_of(out) == []


def test_an_output_that_cannot_be_written_ends_the_run_and_blames_no_file(tmp_path, glass):
    folder, out = filled(tmp_path / "in", {"a.png": POSITIVE, "b.png": NEGATIVE}), tmp_path / "out"
    out.mkdir()
    (out / "maps").write_text("in the way")
    with pytest.raises(OSError, match=r"exists|Not a directory") as raised:
        read_files(Reader.load(glass, threads=1), manifest.find([str(folder)], out).items, out, Options(maps=True))
    assert str(raised.value.filename).startswith(str(out / "maps"))
    assert lines_of(out) == []


def test_a_group_holds_no_more_radiographs_than_the_memory_of_a_decoder_allows(glass, monkeypatch):
    reader, image = Reader.load(glass, threads=1), radiographs.read(POSITIVE)
    monkeypatch.setattr(reading, "_MOST_BYTES", 2 * (len(POSITIVE) + image.looked_up.levels.nbytes))
    sizes, own = [], Reader.read_together
    monkeypatch.setattr(Reader, "read_together", lambda _, images, **asked: sizes.append(len(images)) or own(_, images, **asked))
    files = [(k, POSITIVE) for k in range(5)]
    done = reading.read_together(
        files, reader, decoding.one_by_one(radiographs.read), Options(), lambda k, content, outcome: (k, outcome.reading is None)
    )
    assert done == [(k, False) for k in range(5)]
    assert sizes == [2, 2, 1]


def test_no_file_of_a_group_is_lost_where_the_graph_fails_for_all(glass, tmp_path, monkeypatch):
    def fail(reader, images, **asked):
        raise ZeroDivisionError("Doe^Jane")

    monkeypatch.setattr(Reader, "read_together", fail)
    out = tmp_path / "out"
    folder = filled(tmp_path / "in", {f"{k}.png": POSITIVE for k in range(3)})
    assert read(folder, out, glass, isolate=False, batch=3).failed == 3
    assert {kind for kind, _ in outcomes(out).values()} == {"UnexpectedError"}


@pytest.mark.parametrize("fails", ["read_together", "line_of"])
def test_the_line_of_a_file_that_fails_is_of_the_content_that_was_read(glass, tmp_path, monkeypatch, fails):
    folder, out = filled(tmp_path / "in", {"a.png": POSITIVE, "b.png": NEGATIVE}), tmp_path / "out"

    def fail(*_, **__):
        (folder / "a.png").write_bytes(b"replaced meanwhile")
        raise ZeroDivisionError("Doe^Jane")

    monkeypatch.setattr(*{"read_together": (Reader, "read_together"), "line_of": (form, "line_of")}[fails], fail)
    assert read(folder, out, glass, isolate=False, batch=2).failed == 2
    read_of = {line["path"]: line["file_sha256"] for line in lines_of(out)}
    assert read_of == {"a.png": hashlib.sha256(POSITIVE).hexdigest(), "b.png": hashlib.sha256(NEGATIVE).hexdigest()}
    assert {kind for kind, _ in outcomes(out).values()} == {"UnexpectedError"}
