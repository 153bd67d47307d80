"""A small DICOMweb service (QIDO-RS and WADO-RS) over DICOM files of any class, with a viewer's folder on the same origin."""

import io
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from mimetypes import guess_type
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pydicom
from pydicom import Dataset

BOUNDARY = "part"
_BULK = {"PixelData", "FloatPixelData", "DoubleFloatPixelData"}


class Archive:
    """DICOM files by their UIDs.

    Parameters
    ----------
    files : sequence of bytes
        DICOM files in Explicit VR Little Endian.
    """

    def __init__(self, files: Sequence[bytes]) -> None:
        self.files = {}
        for content in files:
            dataset = pydicom.dcmread(io.BytesIO(content))
            self.files[(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)] = (dataset, content)

    def below(self, uids: Sequence[str]) -> list[tuple[Dataset, bytes]]:
        """The instances of a study, a series, or an instance."""
        return [entry for key, entry in self.files.items() if key[: len(uids)] == tuple(uids)]

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """The media type and the body of an answer; None for an unknown path."""
        names = path.strip("/").split("/")
        uids, rest = names[1:6:2], names[6:]
        while rest == [] and names and names[-1] in ("studies", "series", "instances", "metadata"):
            rest = [names.pop()]
            uids = names[1:6:2]
        entries = self.below(uids)
        if not entries:
            return None
        match rest:
            case ["metadata"]:
                return _json([_model(dataset) for dataset, _ in entries])
            case ["studies" | "series" | "instances" as level]:
                return _json(_found(entries, level))
            case ["frames", number]:
                return _multipart([_frame(entries[0][0], int(number))], "application/octet-stream")
            case ["bulkdata", keyword]:
                return _multipart([entries[0][0][keyword].value], "application/octet-stream")
            case []:
                return _multipart([content for _, content in entries], "application/dicom")
            case _:
                return None


def _found(entries: Sequence[tuple[Dataset, bytes]], level: str) -> list[Any]:
    depth = ("studies", "series", "instances").index(level)
    keyword = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")[depth]
    one_each = {dataset[keyword].value: dataset for dataset, _ in entries}
    results = []
    for dataset in one_each.values():
        result = Dataset()
        for element in dataset:
            if element.VR != "SQ" and element.keyword not in _BULK:
                result.add(element)
        result.ModalitiesInStudy = sorted({other.Modality for other, _ in entries})
        result.NumberOfStudyRelatedInstances = len(entries)
        results.append(result.to_json_dict())
    return results


def _model(dataset: Dataset) -> Any:
    base = f"studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}/instances/{dataset.SOPInstanceUID}"
    return dataset.to_json_dict(bulk_data_threshold=1024, bulk_data_element_handler=lambda e: f"{base}/bulkdata/{e.keyword}")


def _frame(dataset: Dataset, number: int) -> bytes:
    (keyword,) = _BULK & set(dataset.dir())
    data = dataset[keyword].value
    bits = dataset.Rows * dataset.Columns * dataset.BitsAllocated * dataset.get("SamplesPerPixel", 1)
    start, stop = (number - 1) * bits, number * bits
    if bits % 8 == 0:
        return data[start // 8 : stop // 8]
    return np.packbits(np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[start:stop], bitorder="little").tobytes()


def _json(model: Any) -> tuple[str, bytes]:
    return "application/dicom+json", json.dumps(model).encode()


def _multipart(parts: Sequence[bytes], kind: str) -> tuple[str, bytes]:
    body = b"".join(f"--{BOUNDARY}\r\nContent-Type: {kind}\r\n\r\n".encode() + part + b"\r\n" for part in parts)
    return f'multipart/related; type="{kind}"; boundary={BOUNDARY}', body + f"--{BOUNDARY}--\r\n".encode()


@contextmanager
def site(
    archive: Archive, viewer: Path, replaced: Mapping[str, bytes], single_page: Sequence[str] = ("/viewer",)
) -> Iterator[str]:
    """Serve a viewer and an archive below ``/dicomweb`` on one origin.

    Parameters
    ----------
    archive : Archive
        The DICOM files.
    viewer : Path
        Folder of the viewer's build.
    replaced : mapping of str to bytes
        Files of the viewer that are replaced, by path.
    single_page : sequence of str
        Paths that answer with the viewer's ``index.html``.

    Yields
    ------
    str
        Address of the origin, without a slash at its end.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path.startswith("/dicomweb/"):
                answer = archive.answer(path.removeprefix("/dicomweb"))
            else:
                answer = _file(viewer, "/index.html" if path == "/" or path in single_page else path, replaced)
            kind, body = answer or ("text/plain", b"")
            self.send_response(200 if answer else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _file(folder: Path, path: str, replaced: Mapping[str, bytes]) -> tuple[str, bytes] | None:
    kind = guess_type(path)[0] or "application/octet-stream"
    if path in replaced:
        return kind, replaced[path]
    file = folder / path.lstrip("/")
    return (kind, file.read_bytes()) if file.is_file() and file.resolve().is_relative_to(folder.resolve()) else None
