"""Write what belongs to a line of ``readings.jsonl``: its overlay, its heat map and its further files."""

import hashlib
import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO, Literal, cast, get_args

from PIL import Image

from pneumoscope import atomic_files
from pneumoscope.archive.manifest import MAPS, OBJECTS, OVERLAYS
from pneumoscope.array_file import write_array
from pneumoscope.radiograph import Radiograph
from pneumoscope.readings import ModelReading
from pneumoscope.reports import png
from pneumoscope.reports.overlay import paint

OverlayScale = Literal["none", "fixed", "image"]
"""Whether overlays are painted: not at all, on the model's one scale, or each up to its own maximum."""
OverlayFormat = Literal["png", "webp", "jpeg"]
"""Format of the overlays: PNG keeps every pixel; WebP and JPEG lose what an eye hardly sees, and JPEG is written fastest."""
_SAVED: Mapping[str, Mapping[str, int]] = {
    "webp": {"quality": 85, "method": 0},
    "jpeg": {"quality": 88, "subsampling": 2},
}
"""Options of Pillow; both formats keep colours at half the resolution of brightness, in which contours and letters are drawn."""


MakesFiles = Callable[[bytes, Radiograph, ModelReading, datetime], Mapping[str, bytes]]
"""Makes further files, content by name, from file, radiograph, reading and time of the reading; they are written in order."""


@dataclass(frozen=True)
class Sums:
    """The content of what belongs to a line.

    Parameters
    ----------
    overlay, heat_map : str
        SHA-256 of the files, hexadecimal; empty where none was written.
    further : str
        SHA-256 over names and contents of the further files, hexadecimal; empty where none were asked for, and in records of an
        earlier version.
    """

    overlay: str = ""
    heat_map: str = ""
    further: str = ""


@dataclass(frozen=True)
class FurtherFiles:
    """Files of another kind that belong to each line, such as DICOM objects.

    Parameters
    ----------
    setting : str
        What decides the files besides the reading, not empty; a resumed run with another setting writes them again.
    make : callable
        Makes them; raises a `PneumoscopeError` where it cannot, so that the line becomes one of an error.
    """

    setting: str
    make: MakesFiles


def further_folder(out: Path, name: str) -> Path:
    """Name the folder of the further files of a file.

    Parameters
    ----------
    out : Path
        The output folder.
    name : str
        Name of the file in the manifest.

    Returns
    -------
    Path
        Where they belong.
    """
    return out / OBJECTS / _on_disk(name)


def write_further(files: Mapping[str, bytes], out: Path, name: str) -> str:
    """Write further files of a reading, each atomically, in their order; files of an earlier reading are removed first.

    Parameters
    ----------
    files : mapping of str to bytes
        Content by name.
    out : Path
        The output folder.
    name : str
        Name of the file in the manifest.

    Returns
    -------
    str
        SHA-256 over their names and contents, hexadecimal.
    """
    remove_further(out, name)
    sums: dict[str, str] = {}
    for file, content in files.items():
        with atomic_files.binary(further_folder(out, name) / file) as stream:
            stream.write(content)
        sums[file] = hashlib.sha256(content).hexdigest()
    return _sum_of(sums)


def _sum_of(sums: Mapping[str, str]) -> str:
    """SHA-256 over names and SHA-256 of the files of a folder, whatever their order."""
    return hashlib.sha256(b"".join(os.fsencode(f"{sums[name]}{name}\0") for name in sorted(sums))).hexdigest()


def remove_further(out: Path, name: str) -> None:
    """Remove the further files of an earlier reading.

    Parameters
    ----------
    out : Path
        The output folder.
    name : str
        Name of the file in the manifest.
    """
    folder = further_folder(out, name)
    if folder.is_dir() and not folder.is_symlink():
        for file in folder.iterdir():
            if file.is_file():
                file.unlink()


def overlay_file(out: Path, name: str, file_format: OverlayFormat = "png") -> Path:
    """Name the overlay of a file.

    Parameters
    ----------
    out : Path
        The output folder.
    name : str
        Name of the file in the manifest.
    file_format : {"png", "webp", "jpeg"}
        Its format.

    Returns
    -------
    Path
        Where its overlay belongs.
    """
    return out / OVERLAYS / _on_disk(f"{name}.{file_format}")


def map_file(out: Path, name: str) -> Path:
    """Name the heat map of a file.

    Parameters
    ----------
    out : Path
        The output folder.
    name : str
        Name of the file in the manifest.

    Returns
    -------
    Path
        Where its heat map belongs.
    """
    return out / MAPS / _on_disk(f"{name}.npy")


def _on_disk(name: str) -> str:
    """The name whose bytes are UTF-8, in every locale: one of 8 bits could not write every name of a manifest."""
    return os.fsdecode(name.encode())


def write(
    image: Radiograph,
    reading: ModelReading,
    out: Path,
    name: str,
    overlays: OverlayScale,
    maps: bool,
    file_format: OverlayFormat = "png",
) -> Sums:
    """Write the overlay and the heat map of a reading, each atomically; remove those of an earlier reading that are not wanted.

    Parameters
    ----------
    image : Radiograph
        The radiograph that was read.
    reading : ModelReading
        Its reading.
    out : Path
        The output folder.
    name : str
        Name of the file in the manifest.
    overlays : {"none", "fixed", "image"}
        Whether and on which scale an overlay is painted.
    maps : bool
        Whether the heat map is written: float32 (rows, cols) on the radiograph's grid.
    file_format : {"png", "webp", "jpeg"}
        Format of the overlay.

    Returns
    -------
    Sums
        What was written.
    """
    overlay = heat_map = ""
    if maps:
        heat_map = _save_map(reading, map_file(out, name))
    if overlays != "none":
        top = float(reading.heatmap.values.max()) if overlays == "image" else 1.0
        overlay = save_picture(paint(image, reading, top or 1.0), overlay_file(out, name, file_format))
    remove(out, name, kept=None if overlays == "none" else file_format, heat_map=not maps)
    return Sums(overlay, heat_map)


def _save_map(reading: ModelReading, file: Path) -> str:
    """Write a heat map atomically; its SHA-256."""
    summed = hashlib.sha256()
    with atomic_files.binary(file) as stream:

        def write_summed(part: bytes) -> int:
            summed.update(part)
            return stream.write(part)

        write_array(cast(BinaryIO, SimpleNamespace(write=write_summed)), reading.heatmap.values)
    return summed.hexdigest()


def remove(out: Path, name: str, *, kept: OverlayFormat | None = None, heat_map: bool = True) -> None:
    """Remove what an earlier reading of a file left, so that nothing lies there that does not belong to its line.

    Parameters
    ----------
    out : Path
        The output folder.
    name : str
        Name of the file in the manifest.
    kept : {"png", "webp", "jpeg"}, optional
        Format of the overlay that stays; overlays of other formats are removed, all of them if None.
    heat_map : bool
        Whether the heat map is removed.
    """
    unwanted = [overlay_file(out, name, other) for other in get_args(OverlayFormat) if other != kept]
    for file in (*unwanted, *([map_file(out, name)] if heat_map else [])):
        if os.path.lexists(file):  # False also for a name that the file system cannot hold
            file.unlink(missing_ok=True)


def are_unchanged(
    out: Path, name: str, overlays: OverlayScale, maps: bool, file_format: OverlayFormat, further: bool, written: Sums
) -> bool:
    """Tell whether everything that belongs to a line lies in the output folder with the content that was written.

    Parameters
    ----------
    out : Path
        The output folder.
    name : str
        Name of the file in the manifest.
    overlays : {"none", "fixed", "image"}
        Whether an overlay belongs to it.
    maps : bool
        Whether a heat map belongs to it.
    file_format : {"png", "webp", "jpeg"}
        Format of the overlay.
    further : bool
        Whether further files belong to it.
    written : Sums
        What was written.

    Returns
    -------
    bool
        Whether each file that belongs to it is there, with the SHA-256 that is recorded, and no other one among further files.
    """
    return (
        (overlays == "none" or _sha256(overlay_file(out, name, file_format)) == written.overlay)
        and (not maps or _sha256(map_file(out, name)) == written.heat_map)
        and (not further or _further_sha256(further_folder(out, name)) == written.further)
    )


def _further_sha256(folder: Path) -> str | None:
    """SHA-256 over the regular files of a folder, in flat memory; None where they cannot be listed."""
    try:
        files = [file for file in folder.iterdir() if file.is_file()] if folder.is_dir() else []
    except (OSError, ValueError):  # ValueError: no folder can have the name
        return None
    return _sum_of({file.name: _sha256(file) or "" for file in files})


def _sha256(file: Path) -> str | None:
    """SHA-256 of a regular file, in flat memory; None where there is none, or it cannot be read."""
    try:
        if not file.is_file():
            return None
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError):  # ValueError: no file can have the name
        return None


def save_picture(picture: Image.Image, file: Path) -> str:
    """Write a picture atomically.

    Parameters
    ----------
    picture : Image
        The picture.
    file : Path
        Where to write it; its extension is an `OverlayFormat`.

    Returns
    -------
    str
        SHA-256 of the file, hexadecimal.
    """
    content = _encoded(picture, file.suffix.removeprefix("."))
    with atomic_files.binary(file) as stream:
        stream.write(content)
    return hashlib.sha256(content).hexdigest()


def _encoded(picture: Image.Image, file_format: str) -> bytes:
    if file_format == "png":
        return png.encode(picture)
    encoded = io.BytesIO()
    picture.save(encoded, file_format.upper(), **_SAVED[file_format])
    return encoded.getvalue()
