"""The noun `Archive`: the radiographs of several cohorts with all that training and measuring need, in one file cut in pieces."""

import io
import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pneumoscope import radiograph
from pneumoscope.classifier import Preprocessing
from pneumoscope.classifier.preprocessing import find
from pneumoscope.cohort import Cohort
from pneumoscope.lung_fields import LungFields, LungFinder
from pneumoscope.lung_fields.lung_fields import STATES
from pneumoscope.radiograph import Placement, Radiograph
from pneumoscope.reference.regions import ReferenceRegions

SOURCE_PX = 224
"""Side of the square that every radiograph is brought to before its lungs are looked for."""
PIECE_BYTES = 7_500_000
_PIECE = "archive.{:02d}"


@dataclass(frozen=True)
class Entry:
    """One radiograph of the archive.

    Attributes
    ----------
    source: name of the cohort that it is from.
    path, patient_id, label, subtype, reference, split: as the cohort has them.
    state, right_quality, left_quality: of the lung fields that were found.
    """

    source: str
    path: str
    patient_id: str
    label: str
    subtype: str
    reference: int
    split: str
    state: str
    right_quality: float
    left_quality: float


@dataclass(frozen=True, eq=False)
class Archive:
    """Radiographs as their files' bytes, with lung fields and the regions that radiologists marked.

    Attributes
    ----------
    entries: one a radiograph.
    files: the bytes of each file.
    lungs: right and left lung field on the finder's square, bool (n, 2, side, side).
    regions: by number of the entry, bool (rows, cols) on the radiograph's own grid.
    lungs_sha256: SHA-256 of the lung-field model.
    split_sha256: by source, SHA-256 of its split.
    """

    entries: tuple[Entry, ...]
    files: tuple[bytes, ...]
    lungs: NDArray[np.bool_]
    regions: Mapping[int, NDArray[np.bool_]]
    lungs_sha256: str
    split_sha256: Mapping[str, str]

    def of(self, source: str, split: str = "") -> NDArray[np.intp]:
        """Return the numbers of a source's entries, of one split or of all."""
        return np.array([k for k, e in enumerate(self.entries) if e.source == source and split in ("", e.split)], np.intp)

    def radiograph(self, number: int) -> Radiograph:
        return radiograph.read(self.files[number])

    def lung_fields(self, number: int, image: Radiograph) -> LungFields:
        """Return the lung fields of an entry, lying on its radiograph."""
        entry, (right, left) = self.entries[number], self.lungs[number]
        placement = Placement(image.rows, image.cols, image.whole, right.shape[0])
        state = STATES[[str(s) for s in STATES].index(entry.state)]
        return LungFields(right, left, placement, entry.right_quality, entry.left_quality, state)


def build(cohorts: Mapping[str, Cohort], regions: Mapping[str, Mapping[str, ReferenceRegions]], finder: LungFinder) -> Archive:
    """Read every radiograph of the cohorts' splits and find its lungs."""
    seen_as = Preprocessing(SOURCE_PX, "lungs", source_px=SOURCE_PX, lungs=finder.sha256)
    entries: list[Entry] = []
    files: list[bytes] = []
    lungs: list[NDArray[np.bool_]] = []
    marked: dict[int, NDArray[np.bool_]] = {}
    for source, cohort in cohorts.items():
        for case in (case for case in cohort.cases if case.split):
            content = cohort.file(case).read_bytes()
            found = find(radiograph.read(content), seen_as, finder)
            if case.path in regions.get(source, {}):
                marked[len(entries)] = regions[source][case.path].mask
            quality = found.right_quality, found.left_quality
            told = case.path, case.patient_id, case.label, case.subtype, case.reference, case.split
            entries.append(Entry(source, *told, found.state, *quality))
            files.append(content)
            lungs.append(np.stack([found.right_cells, found.left_cells]))
    splits = {source: cohort.partition.sha256 for source, cohort in cohorts.items() if cohort.partition}
    return Archive(tuple(entries), tuple(files), np.stack(lungs), marked, finder.sha256, splits)


def write(archive: Archive, folder: Path) -> list[Path]:
    """Write the archive as pieces of at most `PIECE_BYTES`; returns their paths."""
    head = {
        "entries": [list(vars(e).values()) for e in archive.entries],
        "lungs_sha256": archive.lungs_sha256,
        "split_sha256": dict(archive.split_sha256),
        "side": archive.lungs.shape[-1],
        "regions": {str(k): mask.shape for k, mask in archive.regions.items()},
    }
    stream = io.BytesIO()
    np.savez(
        stream,
        head=np.frombuffer(json.dumps(head).encode(), np.uint8),
        files=np.frombuffer(b"".join(archive.files), np.uint8),
        lengths=np.array([len(f) for f in archive.files]),
        lungs=np.packbits(archive.lungs),
        regions=np.packbits(np.concatenate([m.ravel() for m in archive.regions.values()] or [np.zeros(0, bool)])),
    )
    squeezed = lzma.compress(stream.getvalue(), preset=9)
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for k in range(0, len(squeezed), PIECE_BYTES):
        paths.append(folder / _PIECE.format(len(paths)))
        paths[-1].write_bytes(squeezed[k : k + PIECE_BYTES])
    return paths


def pieces(folder: Path) -> list[Path]:
    """Return the pieces of an archive in their order."""
    return sorted(folder.glob("archive.[0-9][0-9]"))


def read(folder: Path) -> Archive:
    """Read an archive that `write` left, whatever the number of its pieces."""
    squeezed = b"".join(path.read_bytes() for path in pieces(folder))
    with np.load(io.BytesIO(lzma.decompress(squeezed))) as kept:
        arrays = {name: kept[name] for name in kept.files}
    head = json.loads(arrays["head"].tobytes())
    ends = np.cumsum(arrays["lengths"])
    content = arrays["files"].tobytes()
    entries = tuple(Entry(*row) for row in head["entries"])
    shape = len(entries), 2, head["side"], head["side"]
    lungs = np.unpackbits(arrays["lungs"], count=int(np.prod(shape))).astype(bool).reshape(shape)
    files = tuple(content[end - length : end] for end, length in zip(ends, arrays["lengths"], strict=True))
    regions = _regions(arrays["regions"], {int(k): tuple(s) for k, s in head["regions"].items()})
    return Archive(entries, files, lungs, regions, head["lungs_sha256"], head["split_sha256"])


def _regions(packed: NDArray[np.uint8], shapes: Mapping[int, Sequence[int]]) -> dict[int, NDArray[np.bool_]]:
    flat = np.unpackbits(packed).astype(bool)
    starts = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes.values())])
    return {k: flat[a : a + int(np.prod(s))].reshape(s) for (k, s), a in zip(shapes.items(), starts, strict=False)}
