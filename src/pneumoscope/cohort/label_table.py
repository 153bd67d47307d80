"""The nouns of a label table: what a source says about its images before any rule is applied."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pneumoscope.cohort.case import SplitName
from pneumoscope.radiograph.terms import Sex

BLANK = "(blank)"
EVERY_OTHER = "*"


@dataclass(frozen=True)
class LabelWords:
    """What the words of a label column mean for the target.

    Parameters
    ----------
    positive
        Words that mean that the target is present.
    negative
        Words that mean that it is absent; `EVERY_OTHER` stands for every word that is not named elsewhere.
    ignored
        Words that decide nothing: an image with such a word and no positive one is left out. `EVERY_OTHER` as above.
    """

    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelRow:
    """One row of a label table, or one file of a labelled folder.

    Parameters
    ----------
    key
        Which image the row describes: its path below the root with forward slashes, or its SOP Instance UID.
    words
        The labels of the image, each once; empty where the cell is blank.
    patient_id
        The patient; empty where it is to be read from the DICOM header.
    number
        Number of the row in its table, the header being row 1; 0 for a file of a folder.
    subtype
        A finer class (bacteria, virus), empty where the source has none.
    official_split
        The split that the source assigns, empty where it assigns none.
    rows, cols
        Size of the original image in pixels where the table gives it, else 0.
    view_position
        DICOM View Position or the table's own word for the projection, in any case; empty where unknown.
    age_years
        Age of the patient in years; None where unknown.
    sex
        Patient's Sex (DICOM), empty where unknown.
    left_out
        Reason for which the source itself excludes the image, empty for an image to be taken.
    """

    key: str
    words: tuple[str, ...]
    patient_id: str = ""
    number: int = 0
    subtype: str = ""
    official_split: SplitName | Literal[""] = ""
    rows: int = 0
    cols: int = 0
    view_position: str = ""
    age_years: float | None = None
    sex: Sex | Literal[""] = ""
    left_out: str = ""


@dataclass(frozen=True)
class LabelTable:
    """Everything that a source says about its images.

    Parameters
    ----------
    root
        Folder that the paths of the images start from.
    rows
        The rows in the order of the source.
    words
        What the source's own words mean, before the user says otherwise.
    source
        Name of the source, as reports show it.
    notes
        Sentences that a user must know about this source; printed with every build.
    hint
        What to do about words of unknown meaning, for the error that names them.
    filtered_out
        Number of rows that were left out by a filter on their columns.
    files
        For a table that is keyed by SOP Instance UID: every file to look up in it. Empty for a table keyed by path.
    sizes_from_files
        Whether the native size is that of the files; False where they are resized copies and the rows give the size.
    patient_per_file
        Whether a file without a patient in its row and in its DICOM header is a patient of its own.
    """

    root: Path
    rows: tuple[LabelRow, ...]
    words: LabelWords
    source: str
    notes: tuple[str, ...] = ()
    hint: str = ""
    filtered_out: int = 0
    files: tuple[str, ...] = ()
    sizes_from_files: bool = True
    patient_per_file: bool = False


@dataclass(frozen=True)
class LabelledImage:
    """One image after the rules were applied: its rows joined, its reference decided.

    Parameters
    ----------
    key
        As in `LabelRow`.
    label
        All words of its rows, joined by ``|``.
    reference
        1 if the target is present by the reference standard, else 0.
    patient_id, subtype, official_split, rows, cols, view_position, age_years, sex
        As in `LabelRow`.
    """

    key: str
    label: str
    reference: int
    patient_id: str
    subtype: str = ""
    official_split: SplitName | Literal[""] = ""
    rows: int = 0
    cols: int = 0
    view_position: str = ""
    age_years: float | None = None
    sex: Sex | Literal[""] = ""


@dataclass(frozen=True)
class WordCount:
    """How often a word occurs and what it was taken to mean.

    Parameters
    ----------
    word
        The word as the table writes it first.
    n_rows
        Number of rows that have it.
    meaning
        ``positive``, ``negative`` or ``ignored``.
    """

    word: str
    n_rows: int
    meaning: Literal["positive", "negative", "ignored"]


@dataclass(frozen=True)
class Labelled:
    """What the rules made of a label table.

    Parameters
    ----------
    images
        One entry for each image that is kept, in the order of the table.
    words
        Every word that occurs, the most frequent first.
    n_joined
        Number of rows that were merged into another row of the same image.
    n_disagreeing
        Number of images whose rows disagree and were decided by a consensus rule.
    left_out
        Number of images left out, by reason.
    """

    images: tuple[LabelledImage, ...]
    words: tuple[WordCount, ...]
    n_joined: int = 0
    n_disagreeing: int = 0
    left_out: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
