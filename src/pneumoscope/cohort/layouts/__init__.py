"""How published data sets, and a user's own folders and tables, are turned into a label table."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.layouts import (
    chexpert,
    covidx,
    csv_table,
    dicom_tree,
    folders,
    kermany,
    mimic,
    nih,
    padchest,
    rsna,
    siim_covid,
    vindr,
)
from pneumoscope.cohort.layouts.layout import Columns, Layout, LayoutOptions

_PUBLISHED: tuple[Layout, ...] = (
    kermany.LAYOUT,
    nih.LAYOUT,
    rsna.LAYOUT,
    chexpert.LAYOUT,
    mimic.LAYOUT,
    vindr.LAYOUT,
    padchest.LAYOUT,
    siim_covid.LAYOUT,
    covidx.LAYOUT,
)
LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {layout.name: layout for layout in (*_PUBLISHED, folders.LAYOUT, csv_table.LAYOUT, dicom_tree.LAYOUT)}
)


def default_source(layout: Layout) -> str:
    """Return the short name of the data set of a layout, as `Case.source` has it.

    Parameters
    ----------
    layout
        The layout.

    Returns
    -------
    str
        The name of a published set; empty for a user's own folder or table, whose folder names it.
    """
    return layout.name if layout in _PUBLISHED else ""


def recognise(source: Path) -> Layout:
    """Find the layout of a folder or table.

    Parameters
    ----------
    source
        The folder or table.

    Returns
    -------
    Layout
        The published layout that fits, or ``csv`` for any other CSV.

    Raises
    ------
    CohortError
        If none or several fit.
    """
    fitting = [layout for layout in _PUBLISHED if layout.recognises(source)]
    if not fitting and csv_table.LAYOUT.recognises(source):
        return csv_table.LAYOUT
    if len(fitting) != 1:
        which = f"looks like {' and '.join(layout.name for layout in fitting)}" if fitting else "looks like no published data set"
        raise CohortError(f"'{source}' {which}; say which layout it has: --layout {', '.join(LAYOUTS)}")
    return fitting[0]


__all__ = ["LAYOUTS", "Columns", "Layout", "LayoutOptions", "default_source", "recognise"]
