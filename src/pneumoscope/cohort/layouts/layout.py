"""The nouns `Layout`, `LayoutOptions` and `Columns`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pneumoscope.cohort.label_table import LabelTable
from pneumoscope.cohort.row_filter import RowFilter

PatientRule = Literal["person", "person-subtype"]
Policy = Literal["ignore", "zeros", "ones"]


@dataclass(frozen=True)
class Columns:
    """The names of the columns of a CSV (layouts ``csv`` and ``dicom``).

    Parameters
    ----------
    path
        Path of the image below the root, or its SOP Instance UID; obligatory.
    label
        The label, or several labels with a separator between them; obligatory.
    patient
        The patient; obligatory unless every file is a patient of its own or the DICOM header names the patient.
    subtype, official
        A finer class, and the split that the source assigns; may be absent.
    rows, cols
        Size in pixels of the original where the files are resized copies; may be absent, blank where unknown.
    separator
        What separates several labels in one cell; empty if a cell is one label.
    age, sex, view
        Age of the patient, sex, and View Position; empty names for columns that are not read.
    """

    path: str = ""
    label: str = "label"
    patient: str = "patient_id"
    subtype: str = "subtype"
    official: str = "official_split"
    rows: str = "orig_height"
    cols: str = "orig_width"
    separator: str = ""
    age: str = ""
    sex: str = ""
    view: str = ""

    @property
    def demographics(self) -> list[str]:
        """The named columns of age, sex and View Position, which the table must have."""
        return [name for name in (self.age, self.sex, self.view) if name]


@dataclass(frozen=True)
class LayoutOptions:
    """What a user may say about a source; each layout reads what concerns it.

    Parameters
    ----------
    root
        Folder that the paths of a table start from; None for the folder of the table.
    labels
        ``dicom``: the CSV of labels.
    columns
        ``csv`` and ``dicom``: names of the columns.
    only
        Which rows of the label table are taken.
    finding
        ``chexpert`` and ``mimic``: the column whose values are the label.
    uncertain
        ``chexpert`` and ``mimic``: what an uncertain mention (−1) counts as; None makes it an error.
    blank
        ``chexpert`` and ``mimic``: what a finding counts as that the report does not mention; None makes it an error.
    patient_rule
        ``kermany``: whether bacterial and viral files of one person number are one patient.
    patient_pattern
        ``folders``: regular expression with a group named ``patient``, matched at the start of each file name.
    patient_folder
        ``folders``: whether the folder below the class is the patient.
    patient_per_file
        Whether a file whose patient is unknown is a patient of its own.
    """

    root: Path | None = None
    labels: Path | None = None
    columns: Columns = Columns()
    only: RowFilter = RowFilter()
    finding: str = "Pneumonia"
    uncertain: Policy | None = None
    blank: Policy | None = None
    patient_rule: PatientRule = "person"
    patient_pattern: str = ""
    patient_folder: bool = False
    patient_per_file: bool = False


@dataclass(frozen=True)
class Layout:
    """How the files and tables of a data set are arranged.

    Parameters
    ----------
    name
        The name that ``--layout`` takes.
    title
        The data set, as help texts name it.
    recognises
        Whether a folder or a table looks like this layout.
    read
        Turn a source into a `LabelTable`; raises a `CohortError` where the source is of another layout.
    """

    name: str
    title: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, LayoutOptions], LabelTable]
