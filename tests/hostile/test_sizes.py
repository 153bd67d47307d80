"""No header is believed about sizes: what a small file asks for is refused, or done within bounded memory and time."""

import re
import subprocess
import sys

import pytest

from pneumoscope import radiograph
from pneumoscope.archive import decoding
from pneumoscope.limited_process import LimitedProcessError
from pneumoscope.radiograph.limits import MAX_PIXELS
from tests.hostile import files

ROWS = 8_000
LARGEST = (ROWS, MAX_PIXELS // ROWS)
MOST_MB = 600
MOST_SECONDS = 10

# Prints the outcome, the processor time and the peak of memory.
PROGRAM = """
import sys, time
from pneumoscope import radiograph
content = sys.stdin.buffer.read()
start = time.process_time()
try:
    outcome = f"{radiograph.read(content).pixels.shape}"
except radiograph.RadiographError as error:
    outcome = str(error)
seconds = time.process_time() - start
(peak,) = (int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(outcome, f"{seconds:.3f}", peak, sep="|")
"""

REFUSED = [
    (files.deflated_with_a_wrong_group_length, "unpacks to more than"),
    (files.deflated_without_a_group_length, "unpacks to more than"),
    (files.jpeg_2000_larger_than_its_header, "not what the header states"),
    (files.empty_sequence_items, "more than 100,000 sequence items"),
    (files.nested_sequences, "could not be parsed"),
    (lambda: files.rle(10_000, 10_000), "not decoded"),
    (lambda: files.png(10_000, 10_000), "not decoded"),
    (lambda: files.truncated_jpeg_ls(4_000, 4_000), "could not be decoded"),
]


def measured(content: bytes) -> tuple[str, float, int]:
    """The outcome of reading in a process of its own, its processor time in seconds, and its peak of memory in MB."""
    run = subprocess.run([sys.executable, "-c", PROGRAM], input=content, capture_output=True, check=True)
    outcome, seconds, peak = run.stdout.decode().strip().split("|")
    print(outcome, seconds, peak)
    return outcome, float(seconds), int(peak)


@pytest.mark.parametrize(("make", "says"), REFUSED, ids=lambda one: getattr(one, "__name__", None))
def test_a_file_that_unpacks_to_more_than_it_declares_is_refused(make, says):
    outcome, seconds, peak = measured(make())
    assert says in outcome
    assert peak < MOST_MB
    assert seconds < MOST_SECONDS


LARGE = pytest.mark.parametrize(
    "make",
    [
        lambda: files.png(*LARGEST),
        lambda: files.png(*LARGEST, depth=8),
        lambda: files.rle(*LARGEST),
        lambda: files.uncompressed(*LARGEST),
        lambda: files.truncated_jpeg_ls(*LARGEST),
    ],
    ids=["png16", "png8", "rle", "uncompressed", "truncated jpeg-ls"],
)


@pytest.mark.slow
@LARGE
def test_the_largest_radiograph_stays_within_its_memory_and_time(make):
    _, seconds, peak = measured(make())
    assert peak < MOST_MB
    assert seconds < MOST_SECONDS


@pytest.mark.nightly
@LARGE
def test_the_limits_of_a_worker_leave_the_largest_radiograph_its_answer(make):
    content = make()
    with decoding.decoder(True, 1) as decode:
        (decoded,) = decode([content])
    assert outcome(decoded) == outcome(next(decoding.one_by_one(radiograph.read)([content])))


def outcome(decoded):
    """Size and grey levels, or the sentence of the error."""
    if isinstance(decoded, radiograph.RadiographError):
        return str(decoded)
    return decoded.pixels.shape, float(decoded.pixels.min()), float(decoded.pixels.max())


@pytest.mark.nightly
def test_a_file_of_plain_elements_alone_meets_a_limit_of_its_worker():
    content = files.plain_elements(5_000_000)  # 40 MB, of which no element is too large
    with decoding.decoder(True, 1) as decode:
        (error,) = decode([content])
    assert isinstance(error, LimitedProcessError)
    assert re.search(r"more memory|processor time", str(error))
