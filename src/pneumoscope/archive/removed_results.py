"""Count the results that an update of a manifest removes, and refuse to remove many."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pneumoscope.archive import items, locations
from pneumoscope.archive.errors import ArchiveError
from pneumoscope.archive.manifest_table import ManifestTable

MOST_GONE = 0.1
"""Share of the radiographs with results that may leave the manifest before a run asks whether that is meant."""


@dataclass(frozen=True)
class Removed:
    """Results that are removed because the manifest was updated.

    Parameters
    ----------
    shards : int
        Shards that the manifest does not have any more.
    radiographs : int
        Files of these shards.
    gone : int
        Of these, files that the manifest does not have any more, so that they are not read again.
    """

    shards: int
    radiographs: int
    gone: int


def count(names_of_shards: Iterable[Iterable[str]], table: ManifestTable) -> Removed:
    """Count what is removed with some shards.

    Parameters
    ----------
    names_of_shards : iterable of iterable of str
        Names of the files of each shard that is removed.
    table : ManifestTable
        The updated manifest.

    Returns
    -------
    Removed
        The counts.

    Raises
    ------
    ArchiveError
        The manifest is damaged.
    """
    shards, joined = 0, bytearray()
    for names in names_of_shards:
        shards += 1
        for name in names:
            joined += items.key_of(name)
    keys = np.sort(items.keys_of(joined))
    known = np.zeros(len(keys), bool)
    for listed in table.names() if len(keys) else ():
        wanted = items.keys_of(b"".join(map(items.key_of, listed)))
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        known[places[keys[places] == wanted]] = True
    return Removed(shards, len(keys), int(np.count_nonzero(~known)))


def refuse_many(removed: Removed, total: int, root: str, table: ManifestTable) -> None:
    """Refuse to remove the results of more than `MOST_GONE` of the radiographs.

    Parameters
    ----------
    removed : Removed
        What would be removed.
    total : int
        Radiographs that have results.
    root : str
        Path or URL of the data set.
    table : ManifestTable
        The updated manifest.

    Raises
    ------
    ArchiveError
        More of them are gone from the manifest.
    """
    out, manifest = locations.shown(root), locations.shown(table.location)
    if removed.gone == total > 0:
        raise ArchiveError(
            f"'{out}' holds results of other files than those of the manifest '{manifest}', which would be lost; choose another "
            "place with -o, or build the manifest from the same sources"
        )
    if removed.gone > MOST_GONE * total:
        raise ArchiveError(
            f"'{out}' holds results of {total} radiographs, {removed.gone} of which ({removed.gone / total:.1%}) are no longer "
            f"in the manifest '{manifest}', so that their results would be lost; bring it up to date from all sources, or, if "
            "they are to go, run  pneumoscope archive read  on it with --remove-results"
        )
