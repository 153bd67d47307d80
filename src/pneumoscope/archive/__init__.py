"""Any number of radiographs to readings: manifest, locked and resumable journal, outputs."""

from pneumoscope.archive.errors import ArchiveError, FolderInUseError
from pneumoscope.archive.items import Item, Items
from pneumoscope.archive.journal import Options
from pneumoscope.archive.manifest import LINES_NAME, Manifest, find
from pneumoscope.archive.read_files import Summary, read_files

__all__ = [
    "LINES_NAME",
    "ArchiveError",
    "FolderInUseError",
    "Item",
    "Items",
    "Manifest",
    "Options",
    "Summary",
    "find",
    "read_files",
]
