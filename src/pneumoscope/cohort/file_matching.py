"""Match the rows of a label table with files: by path before they are opened, by SOP Instance UID afterwards."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import LabelledImage, LabelTable
from pneumoscope.cohort.opened_file import OpenedFile

_EXAMPLES = 5


@dataclass(frozen=True)
class Match:
    """A labelled image and its file.

    Parameters
    ----------
    image
        The image; None for a file that could not be read and whose row is therefore unknown.
    file
        The file.
    """

    image: LabelledImage | None
    file: OpenedFile


def present(
    table: LabelTable, images: Sequence[LabelledImage], left_out: Counter[str], *, skip_unmatched: bool
) -> list[LabelledImage]:
    """Select the images of a table whose file exists.

    Parameters
    ----------
    table
        A table that is keyed by path.
    images
        Its images.
    left_out
        Counts by reason, to which the missing files are added.
    skip_unmatched
        Whether missing files are left out.

    Returns
    -------
    list of LabelledImage
        The images with a file.

    Raises
    ------
    CohortError
        If a file is missing and must not be.
    """
    missing = {image.key for image in images if not (table.root / image.key).is_file()}
    if missing and not skip_unmatched:
        raise CohortError(
            f"{len(missing)} images of the table are not below '{table.root}' ({_numbers(table, missing)}); "
            "give --root, or --skip-unmatched to leave them out"
        )
    left_out["file is missing"] += len(missing)
    return [image for image in images if image.key not in missing]


def matched(
    table: LabelTable,
    images: Sequence[LabelledImage],
    files: Iterable[OpenedFile],
    left_out: Counter[str],
    *,
    skip_unmatched: bool,
) -> list[Match]:
    """Match opened DICOM files with the images of a table, by SOP Instance UID or by path.

    Parameters
    ----------
    table
        A table that is keyed by SOP Instance UID or path.
    images
        Its images.
    files
        The opened files.
    left_out
        Counts by reason, to which files and rows without each other are added.
    skip_unmatched
        Whether these are left out.

    Returns
    -------
    list of Match
        The files that an image describes, and those that could not be read, in the order of the files.

    Raises
    ------
    CohortError
        If a file has no row, or more rows have no file than files could not be read.
    """
    known = {row.key for row in table.rows}
    by_key = {image.key: image for image in images}
    matches: list[Match] = []
    unlabelled: list[str] = []
    seen: set[str] = set()
    for file in files:
        key = file.sop_instance_uid if file.sop_instance_uid in known else file.path
        if key in seen and not file.error:
            left_out["SOP Instance UID of another file"] += 1
        elif file.error or key in by_key:
            matches.append(Match(by_key.get(key), file))
            seen.add(key)
        elif key not in known:
            unlabelled.append(file.path)
    if unlabelled and not skip_unmatched:
        raise CohortError(
            f"{len(unlabelled)} DICOM files have no row by SOP Instance UID or path, such as {some(unlabelled)}; "
            "add their rows, or say --skip-unmatched to leave them out"
        )
    missing = by_key.keys() - seen
    if len(missing) > sum(match.image is None for match in matches) and not skip_unmatched:
        raise CohortError(
            f"{len(missing)} images of the table have no file below '{table.root}' ({_numbers(table, missing)}); "
            "give the folder of these files, or --skip-unmatched to leave them out"
        )
    left_out["file has no row"] += len(unlabelled)
    left_out["row has no readable file"] += len(missing)
    return matches


def some(names: Sequence[str]) -> str:
    """Quote the first few names.

    Parameters
    ----------
    names
        The names.

    Returns
    -------
    str
        At most five of them.
    """
    return ", ".join(f"'{name}'" for name in names[:_EXAMPLES])


def _numbers(table: LabelTable, keys: Iterable[str]) -> str:
    keys = set(keys)
    numbers = [str(row.number) for row in table.rows if row.key in keys]
    return f"row {', '.join(numbers[:_EXAMPLES])}{', …' if len(numbers) > _EXAMPLES else ''}"
