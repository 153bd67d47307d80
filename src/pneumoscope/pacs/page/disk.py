"""How full the disk of the spool is."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.spool import Level, Spool, spool_error


@dataclass(frozen=True)
class Disk:
    """The spool folder and its disk.

    Parameters
    ----------
    used, quota, free, kept_free : int
        Bytes of its files, of their quota, that are free on the disk, and that must stay free.
    level : Level
        How full it is.
    """

    used: int
    quota: int
    free: int
    kept_free: int
    level: Level

    def attention(self) -> Iterator[str]:
        """Say what needs attention.

        Yields
        ------
        str
            A sentence.
        """
        if self.level is Level.FULL:
            yield "The spool is full: images are refused until there is room."
        elif self.level is Level.HIGH:
            yield "The spool is nearly full: polls pause, and images that are sent are still taken."


def disk_of(config: NodeConfig) -> Disk:
    """Measure the spool folder and its disk.

    Parameters
    ----------
    config : NodeConfig
        The node.

    Returns
    -------
    Disk
        What was measured.

    Raises
    ------
    SpoolError
        If the folder cannot be listed.
    """
    spool, limits = Spool(config.spool_folder, config.limits), config.limits
    try:
        free = shutil.disk_usage(config.spool_folder).free
        return Disk(spool.used_bytes(), limits.spool_bytes, free, limits.spool_free_bytes, spool.level())
    except OSError as error:
        raise spool_error(error) from None


def in_units(number: int) -> str:
    """Write a number of bytes for people.

    Parameters
    ----------
    number : int
        Bytes.

    Returns
    -------
    str
        In GiB, or in MiB below 1 GiB.

    Examples
    --------
    >>> in_units(3 * 2**29)
    '1.5 GiB'
    """
    return f"{number / 2**30:,.1f} GiB" if number >= 2**30 else f"{number / 2**20:,.1f} MiB"
