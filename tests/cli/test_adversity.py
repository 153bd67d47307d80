"""``pneumoscope read`` as a program under what operators and machines do: kills, full disks, closed streams, odd locales.

Whatever happens, the same command run again ends in the files of an undisturbed run, byte for byte.
"""

import os
import random
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pneumoscope import PneumoscopeError
from pneumoscope.reader import Reader
from pneumoscope.readings import CaseKey, form
from tests.cli.run import ENTRY, Ran
from tests.fuzz import samples
from tests.radiograph.builders import png
from tests.reader.builders import quadrant, spot

EVERYTHING = ("--maps", "--format", "csv")
PATIENCE_S = 600
ODD_NAMES = ("Ünal ş ı İ.png", "x-ray 胸部.png", "a,b;'c'.png")


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Twelve radiographs, three of them with odd names, and one damaged file."""
    folder = tmp_path_factory.mktemp("films")
    for k in range(9):
        (folder / f"{k:02}.png").write_bytes(png((quadrant, spot)[k % 2](80 + 8 * k)))
    for k, name in enumerate(ODD_NAMES):
        (folder / name).write_bytes(png(quadrant(80 + 8 * k)))
    (folder / "damaged.png").write_bytes(png(quadrant())[:60])
    return folder


def command(films, out, glass, *options) -> list[str]:
    return [sys.executable, "-c", ENTRY, "read", *map(str, (films, "-o", out, "--model", glass, *options))]


def finished(*arguments, shell: str = "", **options) -> Ran:
    """Run the command to its end, by a shell with redirections where some are given."""
    words = command(*arguments)
    words = ["sh", "-c", f'exec "$@" {shell}', "sh", *words] if shell else words
    done = subprocess.run(words, capture_output=True, timeout=PATIENCE_S, check=False, **options)
    return Ran(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


@pytest.fixture(scope="module")
def undisturbed(films, glass, tmp_path_factory):
    """The files of an undisturbed run."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    assert finished(films, out, glass, *EVERYTHING).code == 1  # a file is damaged
    return out


def assert_same(out: Path, undisturbed: Path) -> None:
    """Require the same files with the same bytes, and no others."""
    contents = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "run.lock"}
        for folder in (out, undisturbed)
    ]
    assert contents[0].keys() == contents[1].keys()
    assert [path for path in contents[0] if contents[0][path] != contents[1][path]] == []


CLOSED = ["<&- >&- 2>&-", ">&-", "2>&-", "<&-", ">/dev/full", "2>/dev/full", ">/dev/full 2>/dev/full"]


@pytest.mark.parametrize(
    "closed", [CLOSED[0], *(pytest.param(closed, marks=pytest.mark.nightly) for closed in CLOSED[1:])]
)  # fmt: skip
def test_closed_and_full_streams_change_no_result(films, glass, undisturbed, tmp_path, closed):
    ran = finished(films, tmp_path / "out", glass, *EVERYTHING, shell=closed)
    assert ran.code == (2 if closed == ">/dev/full" else 1)
    assert "Traceback" not in ran.out + ran.err
    assert_same(tmp_path / "out", undisturbed)


@pytest.mark.nightly
@pytest.mark.parametrize("both", [False, True])
def test_a_reader_of_the_pipe_that_leaves_changes_no_result(films, glass, undisturbed, tmp_path, both):
    words = command(films, tmp_path / "out", glass, *EVERYTHING)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT if both else subprocess.PIPE) as process:
        process.stdout.close()
        said = b"" if both else process.stderr.read()
        assert process.wait(PATIENCE_S) == 1
    assert b"Traceback" not in said
    assert_same(tmp_path / "out", undisturbed)


LOCALES = [
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"},
    {"LC_ALL": "tr_TR.UTF-8"},
    {"LC_ALL": "no_SUCH", "TZ": "Pacific/Kiritimati"},
]


@pytest.mark.parametrize(
    "variables", [LOCALES[0], *(pytest.param(one, marks=pytest.mark.nightly) for one in LOCALES[1:])], ids=str
)  # fmt: skip
def test_no_locale_changes_a_result(films, glass, undisturbed, tmp_path, variables):
    ran = finished(films, tmp_path / "out", glass, *EVERYTHING, env={**os.environ, **variables})
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert_same(tmp_path / "out", undisturbed)


@pytest.mark.nightly
def test_names_that_are_utf_16_and_no_utf_8_are_read(glass, tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    names = ["胸.png".encode("utf-16-le").replace(b"\0", b"").replace(b"/", b""), "é.png".encode("latin-1"), "ş.png".encode()]
    for k, name in enumerate(names):
        Path(os.fsdecode(bytes(films) + b"/" + name)).write_bytes(png(quadrant(80 + 8 * k)))
    ran = finished(films, tmp_path / "out", glass)
    assert (ran.code, len((tmp_path / "out" / "readings.jsonl").read_bytes().splitlines())) == (0, 3)


@pytest.mark.parametrize("most", [20, *(pytest.param(n, marks=pytest.mark.nightly) for n in (12, 14, 16, 18, 24, 30))])
def test_few_open_files_are_enough_or_end_in_a_sentence(films, glass, undisturbed, tmp_path, most):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    ran = finished(films, tmp_path / "out", glass, *EVERYTHING, preexec_fn=limit)
    if ran.code != 1:  # a machine of many processors reads many files at once
        assert (ran.code, ran.out) == (2, "")
        assert "too many open files" in ran.err
        assert ran.err.count("\n") == 1
        ran = finished(films, tmp_path / "out", glass, *EVERYTHING)
    assert ran.code == 1
    assert_same(tmp_path / "out", undisturbed)


@pytest.mark.nightly
def test_files_of_a_private_user_are_private(films, glass, tmp_path):
    finished(films, tmp_path / "out", glass, preexec_fn=lambda: os.umask(0o077))
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) > 12
    assert {path.stat().st_mode & 0o077 for path in written} == {0}


@pytest.mark.nightly
def test_a_clock_that_was_set_back_reads_nothing_twice(films, glass, undisturbed, tmp_path):
    given, out = shutil.copytree(films, tmp_path / "films"), shutil.copytree(undisturbed, tmp_path / "out")
    (given / "damaged.png").unlink()
    finished(given, out, glass, *EVERYTHING)
    future = time.time() + 10**7
    for path in (*given.rglob("*"), *out.rglob("*")):
        os.utime(path, (future, future))
    for _ in range(2):  # what was dated in the future is read once more at most
        ran = finished(given, out, glass, *EVERYTHING)
    assert "12 of 12 files were read before" in ran.err


@pytest.mark.nightly
def test_an_output_without_permission_is_one_sentence(films, glass, tmp_path):
    (tmp_path / "mounted").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", str(tmp_path / "mounted")]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root mounts")
    try:
        ran = finished(films, tmp_path / "mounted" / "out", glass)
    finally:
        subprocess.run(["umount", tmp_path / "mounted"], check=True)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("pneumoscope: read-only file system")
    assert ran.err.count("\n") == 1


def killed(films, out, glass, seconds: float) -> bool:
    """Kill a run after a time; whether it was still alive then."""
    with subprocess.Popen(
        command(films, out, glass, *EVERYTHING), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return True
    return False


@pytest.mark.nightly
def test_runs_killed_25_times_end_in_the_files_of_an_undisturbed_run(films, glass, undisturbed, tmp_path):
    chance, out, kills = random.Random(24), tmp_path / "out", 0
    start = time.monotonic()
    finished(films, out, glass, *EVERYTHING)
    seconds = time.monotonic() - start
    shutil.rmtree(out)
    while kills < 25:
        if killed(films, out, glass, chance.uniform(0.2, 1) * seconds):
            kills += 1
        else:
            assert_same(out, undisturbed)
            shutil.rmtree(out)
    assert finished(films, out, glass, *EVERYTHING).code == 1
    assert_same(out, undisturbed)


@pytest.mark.nightly
@pytest.mark.parametrize("size_kb", [4, 16, 40, 80, 120, 200, 300])
def test_a_full_disk_is_one_sentence_and_the_run_goes_on_when_there_is_room(films, glass, undisturbed, tmp_path, size_kb):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root mounts")
    try:
        ran = finished(films, disk / "out", glass, *EVERYTHING)
        assert (ran.code, ran.out) == (2, "")
        assert "the disk is full" in ran.err
        assert ran.err.count("\n") == 1
        subprocess.run(["mount", "-o", "remount,size=50m", disk], check=True)
        assert finished(films, disk / "out", glass, *EVERYTHING).code == 1
        assert_same(disk / "out", undisturbed)
    finally:
        subprocess.run(["umount", disk], check=True)


def answer(reader: Reader, content: bytes) -> str:
    """The line of a file, or its error."""
    try:
        return form.to_json(form.line_of(CaseKey("a"), reader.read(content)))
    except PneumoscopeError as error:
        return str(error)


def test_sixteen_threads_with_one_reader_give_what_one_gives(glass):
    reader = Reader.load(glass, threads=1)
    files = [*samples.dicom_files().values(), *samples.jpeg_files().values(), *samples.png_files().values()]
    contents = [*files, *(content[: len(content) // 2] for content in files)]
    alone = [answer(reader, content) for content in contents]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda content: answer(reader, content), contents * 4))
    assert together == alone * 4
    assert len(set(alone)) > 10
