"""Which layout a source of reference regions has, and its annotations."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pneumoscope.cohort.row_filter import RowFilter
from pneumoscope.radiograph.dicom_prefix import looks_like_dicom
from pneumoscope.reference.annotation import KINDS, Annotation, CaseNames
from pneumoscope.reference.box_space import BoxSpace
from pneumoscope.reference.box_tables import from_table
from pneumoscope.reference.errors import RegionsError
from pneumoscope.reference.json_files import from_json
from pneumoscope.reference.mask_files import from_masks
from pneumoscope.reference.seg_files import from_seg


def annotations_of(source: Path, root: Path, paths: Sequence[str], only: RowFilter, space: BoxSpace | None) -> list[Annotation]:
    """Read all annotations of a source; its content shows the layout.

    Parameters
    ----------
    source
        A CSV of boxes, COCO or CheXlocalize JSON, a folder of mask PNGs, a DICOM SEG file or a folder of them.
    root
        The root folder of the cohort.
    paths
        The paths of all cases of the cohort.
    only
        The rows or annotations to take.
    space
        The grid that the coordinates of a table refer to; ``None`` to take it from the table.

    Returns
    -------
    list of Annotation
        In the order of the source.

    Raises
    ------
    RegionsError
        If the source is of no known layout or damaged, or an option does not apply to its layout.
    """
    pictures, objects = _files(source)
    if not source.is_dir() and not objects:
        return _from_text(source, paths, only, space)
    if only:
        raise RegionsError(
            f"rows are chosen by {', '.join(only.accepted)}, but '{source}' is no table; choose none, or give a CSV"
        )
    if space is not None:
        raise RegionsError(f"--box-space is for tables of boxes; '{source}' holds masks, which have a grid of their own")
    if pictures and objects:
        raise RegionsError(f"'{source}' holds both PNG and DICOM files; keep the masks of either kind in a folder of their own")
    if pictures:
        return from_masks(pictures, source, paths)
    if objects:
        return from_seg(objects, source, root, paths)
    raise RegionsError(f"'{source}' holds neither mask PNGs nor DICOM SEG files; give {KINDS}")


def _files(source: Path) -> tuple[list[Path], list[Path]]:
    """The PNG and the DICOM files of a source."""
    files: dict[str, list[Path]] = defaultdict(list)
    for file in sorted(path for path in source.rglob("*") if path.is_file()) if source.is_dir() else [source]:
        files[_kind(file)].append(file)
    return files["png"] if source.is_dir() else [], files["dicom"]


def _kind(file: Path) -> Literal["png", "dicom", "text"]:
    try:
        with file.open("rb") as stream:
            head = stream.read(132)
    except OSError as error:
        raise RegionsError(f"'{file}' cannot be opened ({type(error).__name__}); give {KINDS}") from error
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "dicom" if looks_like_dicom(head) else "text"


def _from_text(source: Path, paths: Sequence[str], only: RowFilter, space: BoxSpace | None) -> list[Annotation]:
    try:
        text = source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise RegionsError(f"'{source}' is no text; give {KINDS}") from error
    names = CaseNames(paths)
    if not text.lstrip().startswith(("{", "[")):
        return list(from_table(text, source, names, only, space))
    if space is not None:
        raise RegionsError(f"--box-space is for tables of boxes; '{source}' is JSON, which states the size of each image")
    return list(from_json(text, source, names, only))
