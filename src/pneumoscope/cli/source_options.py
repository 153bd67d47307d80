"""Options that say how the tables and folders of a source are read."""

from pathlib import Path
from typing import Any

import click

from pneumoscope.cli.options import Command, with_options
from pneumoscope.cohort.layouts import Columns, LayoutOptions
from pneumoscope.cohort.row_filter import RowFilter

_POLICIES = click.Choice(["ignore", "zeros", "ones"])
_AS_NAMED = ("finding", "uncertain", "blank", "patient_rule", "patient_pattern", "patient_folder", "patient_per_file")
_OPTIONS = (
    click.option("--finding", default="Pneumonia", show_default=True, help="chexpert, mimic: the column that is the label."),
    click.option("--uncertain", type=_POLICIES, help="chexpert, mimic: what -1 counts as (U-Ignore, U-Zeros, U-Ones)."),
    click.option("--blank", type=_POLICIES, help="chexpert, mimic: what a finding counts as that the report does not mention."),
    click.option(
        "--only",
        multiple=True,
        metavar="COLUMN=VALUE",
        help="Take the rows with this value. Repeat a column to accept several of its values; several columns must all agree.",
    ),
    click.option(
        "--root",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder that the paths of a table start from; by default the table's own.",
    ),
    click.option(
        "--labels",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="dicom: CSV with the labels, by SOP Instance UID or path.",
    ),
    click.option(
        "--patient-rule",
        type=click.Choice(["person", "person-subtype"]),
        default="person",
        show_default=True,
        help="kermany: whether bacterial and viral files of one person number are one patient.",
    ),
    click.option(
        "--patient-pattern",
        default="",
        help="folders: regular expression with a group (?P<patient>…) at the start of the file name.",
    ),
    click.option("--patient-folder", is_flag=True, help="folders: the folder below the class is the patient."),
    click.option("--patient-per-file", is_flag=True, help="Take every file whose patient is unknown as a patient of its own."),
    click.option("--path-column", default="", show_default="path, or sop_instance_uid for dicom", help="csv, dicom."),
    click.option("--label-column", default="label", show_default=True, help="csv, dicom."),
    click.option("--separator", default="", help="csv, dicom: what separates several labels in one cell, such as '|'."),
    click.option("--patient-column", default="patient_id", show_default=True, help="csv, dicom."),
    click.option("--subtype-column", default="subtype", show_default=True, help="csv, dicom; may be absent."),
    click.option("--official-column", default="official_split", show_default=True, help="csv, dicom; may be absent."),
    click.option("--age-column", default="", help="csv, dicom: age in years, or such as 058Y or 006M; not read by default."),
    click.option("--sex-column", default="", help="csv, dicom: F, M or O; not read by default."),
    click.option("--view-column", default="", help="csv, dicom: DICOM View Position, such as AP or PA; not read by default."),
)


def source_options(command: Command) -> Command:
    """Add the options to a command.

    Parameters
    ----------
    command
        A function that takes them as keyword arguments.

    Returns
    -------
    Command
        The function with the options.
    """
    return with_options(command, _OPTIONS)


def layout_options(said: dict[str, Any]) -> LayoutOptions:
    """Collect what the options say about tables and folders.

    Parameters
    ----------
    said
        The keyword arguments of the command.

    Returns
    -------
    LayoutOptions
        The options of a layout.

    """
    return LayoutOptions(
        root=said["root"],
        labels=said["labels"],
        columns=Columns(
            path=said["path_column"],
            label=said["label_column"],
            patient=said["patient_column"],
            subtype=said["subtype_column"],
            official=said["official_column"],
            separator=said["separator"],
            age=said["age_column"],
            sex=said["sex_column"],
            view=said["view_column"],
        ),
        only=RowFilter.parse(said["only"]),
        **{name: said[name] for name in _AS_NAMED},
    )
