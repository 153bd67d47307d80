"""Measure what the node adds to a reader: images in a second with results, and the time of a C-STORE.

    python benchmarks/node_work.py [--images 60] [--rows 2500] [--stores 100] [--json FILE]

Images are the shipped radiographs as DICOM CR. The reader alone decodes and reads; reader plus writers makes the objects as well
and writes nothing; the node claims, decodes in a limited process, reads, writes files and rows that are safe on the disk. Stores
go to a storage provider in another process, with TCP_NODELAY on the node's sender and without.
"""

import argparse
import io
import multiprocessing
import random
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from measuring import machine, parser, table, write
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, evt

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.dicom_objects import Kind, Profile, write_objects
from pneumoscope.limited_process import LimitedPool, Limits
from pneumoscope.pacs import config
from pneumoscope.pacs.ledger import Arrival, Ledger
from pneumoscope.pacs.peers import Destination
from pneumoscope.pacs.send.dimse import DimseTarget
from pneumoscope.pacs.send.result_file import data_set_sha256, open_result
from pneumoscope.pacs.settings import Working
from pneumoscope.pacs.work import readers
from pneumoscope.pacs.work.worker import Worker

THREADS = Working().readers
TARGETS: tuple[tuple[Kind, ...], ...] = (("sr",), ("sr", "seg", "sc"))
REPORT: tuple[Kind, ...] = ("sr",)
CONFIG = """
salt = "0123456789abcdef"
spool = "spool"
[[models]]
name = "shipped"
[[destinations]]
name = "pacs"
protocol = "dimse"
host = "127.0.0.1"
port = 104
ae_title = "PACS"
profile = "ohif"
kinds = {kinds}
"""


def images(number: int, rows: int = 0) -> Iterator[bytes]:
    """Make DICOM images of the shipped radiographs, enlarged to the rows unless they are 0, each with UIDs of its own."""
    with sample() as cohort:
        pictures = [radiograph.read(cohort.file(case)).pixels for case in cohort.cases]
    if rows:
        pictures = [
            np.asarray(Image.fromarray(one).resize((rows * one.shape[1] // one.shape[0], rows))).clip(0, 1) for one in pictures
        ]
    for k, pixels in enumerate(islice(cycle(pictures), number)):
        yield _content(k, (pixels * 4095).astype(np.uint16))


def _content(k: int, stored: np.ndarray[Any, Any]) -> bytes:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.Modality = ComputedRadiographyImageStorage, "CR"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = f"2.25.1{k}", f"2.25.2{k}", f"2.25.3{k}"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    dataset.BodyPartExamined, dataset.ViewPosition, dataset.PatientOrientation = "CHEST", "PA", ["L", "F"]
    dataset.WindowCenter, dataset.WindowWidth, dataset.ImagerPixelSpacing = "2048", "4096", ["0.2", "0.2"]
    dataset.add_new("PixelData", "OW", stored.tobytes())
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def rate(action: Callable[[], object], number: int) -> float:
    """Images in a second by as many threads as the node has readers, after as many images that are not counted."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: action(), range(THREADS)))
        begins = time.perf_counter()
        list(pool.map(lambda _: action(), range(number - THREADS)))
        return (number - THREADS) / (time.perf_counter() - begins)


def of_reader(node: config.NodeConfig, contents: Sequence[bytes], kinds: Sequence[Kind]) -> float:
    """The rate of a reader, which also makes objects of the kinds."""
    (loaded,) = readers.load(node).values()
    waiting, now = iter(contents), datetime.now(UTC)

    def one() -> None:
        content = next(waiting)
        image = radiograph.read(content)
        reading = loaded.read(image)
        if kinds:
            write_objects(content, image, reading, kinds, Profile.OHIF, now)

    return rate(one, len(contents))


def of_node(folder: Path, kinds: Sequence[Kind], contents: Sequence[bytes]) -> float:
    """The rate of the working process of a node."""
    node = config.parse(CONFIG.format(kinds=list(kinds)), folder)
    node.spool_folder.mkdir()
    limits = Limits(node.work.decode_seconds, node.work.decode_bytes)
    with Ledger.open(node.ledger_url) as ledger, LimitedPool(radiograph.read, "decoding", limits, workers=THREADS) as decode:
        for k, content in enumerate(contents):
            path = node.spool_folder / f"{k}.dcm"
            path.write_bytes(content)
            uids = f"2.25.3{k}", str(ComputedRadiographyImageStorage), f"2.25.1{k}", f"2.25.2{k}", str(ExplicitVRLittleEndian)
            ledger.record_instance(Arrival(*uids, data_set_sha256(path), len(content), path.name, "MODALITY", "dimse"))
        worker = Worker(node, ledger, readers.load(node), decode, chance=random.Random(1))
        images_in_a_second = rate(lambda: worker.step("work/0"), len(contents))
        if ledger.counts().instances != {"read": len(contents)}:
            raise RuntimeError(f"not every image was read: {ledger.counts().instances}")
        return images_in_a_second


def provider(port: int, ready: Any) -> None:
    """Take every instance and keep none."""
    entity = AE("PACS")
    entity.supported_contexts = AllStoragePresentationContexts
    entity.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_C_STORE, lambda _: 0)])
    ready.set()
    time.sleep(600)


def of_store(folder: Path, stores: int, *, nodelay: bool) -> float:
    """Median milliseconds of a C-STORE of a report."""
    content = next(images(1))
    (loaded,) = readers.load(config.parse(CONFIG.format(kinds=["sr"]), folder)).values()
    image = radiograph.read(content)
    (report,) = write_objects(content, image, loaded.read(image), REPORT, Profile.OHIF, datetime.now(UTC))
    file = folder / "report.dcm"
    file.write_bytes(report.content)
    result = open_result(file, data_set_sha256(file))
    with socket.create_server(("127.0.0.1", 0)) as asked:
        port = asked.getsockname()[1]
    ready = multiprocessing.Event()
    other = multiprocessing.Process(target=provider, args=(port, ready), daemon=True)
    other.start()
    ready.wait()
    target = DimseTarget(Destination("pacs", "dimse", host="127.0.0.1", port=port, ae_title="PACS"), "NODE")
    association = target.associated([(result.sop_class_uid, result.transfer_syntax)])
    transport: Any = association.dul.socket
    transport.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(nodelay))
    times = []
    for _ in range(stores):
        begins = time.perf_counter()
        if target.store(result).fate != "sent":
            raise RuntimeError("the provider did not take the report")
        times.append(time.perf_counter() - begins)
    target.close()
    other.kill()
    other.join()
    return 1000 * statistics.median(times)


def main(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure, and print a table."""
    contents = list(images(arguments.images, arguments.rows))
    rows: list[dict[str, Any]] = []
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        node = config.parse(CONFIG.format(kinds=["sr"]), Path(place))
        reader = of_reader(node, contents, ())
        for kinds in TARGETS:
            folder = Path(place, "-".join(kinds))
            folder.mkdir()
            writers, whole = of_reader(node, contents, kinds), of_node(folder, kinds, contents)
            measured["+".join(kinds)] = {"reader": reader, "reader_and_writers": writers, "node": whole}
            row = {"objects": " + ".join(kinds), "reader /s": round(reader, 1), "reader + writers /s": round(writers, 1)}
            shares = {"of reader": round(whole / reader, 2), "of reader + writers": round(whole / writers, 2)}
            rows.append(row | {"node /s": round(whole, 1)} | shares)
        measured["store_ms"] = {f"nodelay={on}": of_store(Path(place), arguments.stores, nodelay=on) for on in (True, False)}
    print(table(rows))
    print(", ".join(f"C-STORE of a report, {name}: {value:.1f} ms" for name, value in measured["store_ms"].items()))
    return measured


if __name__ == "__main__":
    options = parser(__doc__)
    options.add_argument("--images", type=int, default=60)
    options.add_argument("--rows", type=int, default=0, help="rows of the images; 0: as shipped, 670 to 1,900")
    options.add_argument("--stores", type=int, default=100)
    given = options.parse_args()
    write(given.json, {"machine": machine(), **main(given)})
