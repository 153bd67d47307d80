"""Measure a node that receives: instances in a second by four associations, and its memory.

    python benchmarks/node.py [--small 2000] [--large 100] [--json FILE]

The receiving process runs as the supervisor starts it, with everything that it promises: each instance is acknowledged when its
file and its row are on the disk. The senders are processes of their own that write prepared PDUs to a socket of this machine;
small instances are sent with and without TCP_NODELAY.
"""

import argparse
import io
import multiprocessing
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measuring import machine, parser, table, write
from pydicom.dataset import Dataset
from pydicom.uid import ComputedRadiographyImageStorage

from pneumoscope.pacs.process import command

SENDERS = 4
SMALL, LARGE = 180, 2240
"""Edges of square images of 16 bits: 65 kB and 10 MB."""
UID = "1.2.3.4.1{:08d}"
SYNTAX, CONTEXT_NAME = b"1.2.840.10008.1.2.1", b"1.2.840.10008.3.1.1.1"
FRAGMENT = 2**18
CONFIG = """
salt = "0123456789abcdef"
spool = "spool"
shadow = true
[[models]]
name = "shipped"
[receive]
port = {port}
[[peers]]
ae_title = "BENCHMARK"
[limits]
spool_free_bytes = 0
"""


@dataclass(frozen=True)
class Job:
    """What one sender sends.

    Parameters
    ----------
    port : int
        Port of the node.
    numbers : range
        Numbers of the instances.
    edge_px : int
        Edge of the images.
    no_delay : bool
        Whether TCP_NODELAY is set.
    """

    port: int
    numbers: range
    edge_px: int
    no_delay: bool


def data_set(edge_px: int) -> bytes:
    """Write a CR image, Explicit VR Little Endian, with the UIDs of number 0.

    Parameters
    ----------
    edge_px : int
        Edge of the image.

    Returns
    -------
    bytes
        The data set, without file meta information.
    """
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = ComputedRadiographyImageStorage, UID.format(0)
    dataset.Modality, dataset.PatientName, dataset.PatientID = "CR", "Nobody", "1"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.5", "1.2.3.6"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.Rows, dataset.Columns = 1, "MONOCHROME2", edge_px, edge_px
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.add_new("PixelData", "OW", np.random.default_rng(0).integers(0, 4096, (edge_px, edge_px), np.uint16).tobytes())
    stream = io.BytesIO()
    dataset.save_as(stream, implicit_vr=False, little_endian=True)
    return stream.getvalue()


def item(kind: int, body: bytes) -> bytes:
    """Write an item of a request of an association."""
    return struct.pack(">BBH", kind, 0, len(body)) + body


def pdu(kind: int, body: bytes) -> bytes:
    """Write a PDU (PS3.8 9.3)."""
    return struct.pack(">BBI", kind, 0, len(body)) + body


def fragment(body: bytes, control: int) -> bytes:
    """Write a PDU with one fragment of a message (PS3.8 9.3.5)."""
    return pdu(4, struct.pack(">IBB", len(body) + 2, 1, control) + body)


def element(number: int, value: bytes) -> bytes:
    """Write an element of a command, Implicit VR Little Endian."""
    return struct.pack("<HHI", 0, number, len(value)) + value


def request() -> bytes:
    """Write the request of an association."""
    sop_class = item(0x30, ComputedRadiographyImageStorage.encode())
    context = item(0x20, b"\1\0\0\0" + sop_class + item(0x40, SYNTAX))
    user = item(0x50, item(0x51, struct.pack(">I", 16384)) + item(0x52, b"1.2.3.4"))
    titles = b"PNEUMOSCOPE".ljust(16) + b"BENCHMARK".ljust(16)
    return pdu(1, b"\0\1\0\0" + titles + bytes(32) + item(0x10, CONTEXT_NAME) + context + user)


def store_command(uid: bytes) -> bytes:
    """Write the command of a C-STORE request (PS3.7 9.3.1)."""
    word = struct.Struct("<H").pack
    body = element(0x0002, ComputedRadiographyImageStorage.encode() + b"\0") + element(0x0100, word(1)) + element(0x0110, word(1))
    body += element(0x0700, word(0)) + element(0x0800, word(1)) + element(0x1000, uid + b"\0" * (len(uid) % 2))
    return element(0, struct.pack("<I", len(body))) + body


def answer(sock: socket.socket) -> bytes:
    """Read a PDU of the node."""
    head = sock.recv(6, socket.MSG_WAITALL)
    return sock.recv(struct.unpack(">BBI", head)[2], socket.MSG_WAITALL)


def send(job: Job) -> int:
    """Send instances through one association, each after the answer to the one before.

    Parameters
    ----------
    job : Job
        What is sent.

    Returns
    -------
    int
        Number of instances that were acknowledged.
    """
    template, zero, acknowledged = data_set(job.edge_px), UID.format(0).encode(), 0
    start = template.index(zero)
    success = element(0x0900, b"\0\0")
    with socket.create_connection(("127.0.0.1", job.port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(job.no_delay))
        sock.sendall(request())
        answer(sock)
        for number in job.numbers:
            uid = UID.format(number).encode()
            content = template[:start] + uid + template[start + len(uid) :]
            sock.sendall(fragment(store_command(uid), 3))
            for at in range(0, len(content), FRAGMENT):
                sock.sendall(fragment(content[at : at + FRAGMENT], 2 * (at + FRAGMENT >= len(content))))
            acknowledged += success in answer(sock)
    return acknowledged


@contextmanager
def node(folder: Path) -> Iterator[tuple[int, int]]:
    """Run the receiving process of a node.

    Parameters
    ----------
    folder : Path
        Where its files lie.

    Yields
    ------
    tuple of two int
        Its port and its process number.
    """
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = int(asked.getsockname()[1])
    (folder / "node.toml").write_text(CONFIG.format(port=port), encoding="utf-8")
    process = subprocess.Popen(command("receive", folder / "node.toml"), stderr=subprocess.DEVNULL)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            if process.poll() is not None:
                sys.exit("the receiving process has ended")
            time.sleep(0.05)
        yield port, process.pid
    finally:
        process.terminate()
        process.wait()


def memory_mb(pid: int) -> tuple[float, float]:
    """Present and highest memory of a process.

    Parameters
    ----------
    pid : int
        Its number.

    Returns
    -------
    tuple of two float
        Resident memory in MB.
    """
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return float(lines["VmRSS"].split()[0]) * 1024 / 1e6, float(lines["VmHWM"].split()[0]) * 1024 / 1e6


def rate(port: int, first: int, count: int, edge_px: int, *, no_delay: bool) -> float:
    """Send instances by four associations.

    Parameters
    ----------
    port : int
        Port of the node.
    first, count : int
        Number of the first instance, and number of instances.
    edge_px : int
        Edge of the images.
    no_delay : bool
        Whether TCP_NODELAY is set.

    Returns
    -------
    float
        Instances in a second.
    """
    each = count // SENDERS
    jobs = [Job(port, range(first + k * each, first + (k + 1) * each), edge_px, no_delay) for k in range(SENDERS)]
    with multiprocessing.get_context("spawn").Pool(SENDERS) as pool:
        pool.map(data_set, [8] * SENDERS)  # every sender has started
        began = time.perf_counter()
        acknowledged = sum(pool.map(send, jobs, chunksize=1))
        seconds = time.perf_counter() - began
    if acknowledged != each * SENDERS:
        sys.exit(f"{each * SENDERS - acknowledged} instances were not acknowledged")
    return acknowledged / seconds


def measured(options: argparse.Namespace) -> dict[str, Any]:
    """Measure all of it.

    Parameters
    ----------
    options : Namespace
        Of the command line.

    Returns
    -------
    dict
        The figures.
    """
    with tempfile.TemporaryDirectory(dir=options.folder) as folder, node(Path(folder)) as (port, pid):
        figures: dict[str, Any] = {"memory_before_mb": memory_mb(pid)[0]}
        figures["small_per_s"] = rate(port, 1, options.small, SMALL, no_delay=True)
        figures["small_with_nagle_per_s"] = rate(port, 10**6, options.small, SMALL, no_delay=False)
        figures["small_peak_mb"] = memory_mb(pid)[1]
        figures["large_per_s"] = rate(port, 2 * 10**6, options.large, LARGE, no_delay=True)
        figures["large_peak_mb"] = memory_mb(pid)[1]
    return figures


def main() -> None:
    """Measure, print a table and write the figures."""
    arguments = parser(__doc__)
    arguments.add_argument("--small", type=int, default=2000, help="small instances in all")
    arguments.add_argument("--large", type=int, default=100, help="instances of 10 MB in all")
    arguments.add_argument("--folder", type=Path, help="where the spool and the ledger lie; by default a temporary folder")
    options = arguments.parse_args()
    figures = measured(options)
    about = machine("pynetdicom", "sqlalchemy")
    print(f"node, receiving by {SENDERS} associations: {about}")
    print(table([{"what": name.replace("_", " "), "figure": round(value, 1)} for name, value in figures.items()]))
    write(options.json, {"machine": about, **figures})


if __name__ == "__main__":
    main()
