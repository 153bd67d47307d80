"""Keep a random sample of the radiographs that are read, for people to read in a reader study.

Which ones are chosen follows from a keyed hash of the SOP Instance UID, so that it neither depends on the order in which they are
read nor changes when they are read again. They lie below the spool folder until they are exported and removed.
"""

import hashlib
import hmac
import threading
from collections.abc import Iterator
from pathlib import Path

from pneumoscope import atomic_files
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.ledger import Instance
from pneumoscope.pacs.reading_totals import week_of

FOLDER = "quality-sample"
"""Folder of the sample, below the spool folder."""
_DIGITS = 16
_ONE_CHOOSES = threading.Lock()  # one process reads, with several threads


def draw(config: NodeConfig, sop_instance_uid: str) -> str:
    """Draw the random number of an image.

    Parameters
    ----------
    config : NodeConfig
        The node, for its salt and its seed.
    sop_instance_uid : str
        The image.

    Returns
    -------
    str
        16 hexadecimal digits of HMAC-SHA-256, uniformly distributed.
    """
    seed = config.quality_sample.seed if config.quality_sample else ""
    drawn = hmac.new(config.salt.encode(), f"quality sample\n{seed}\n{sop_instance_uid}".encode(), hashlib.sha256)
    return drawn.hexdigest()[:_DIGITS]


def consider(config: NodeConfig, instance: Instance, content: bytes, decision: str) -> bool:
    """Keep a copy of a radiograph that is read where it belongs to the sample.

    Parameters
    ----------
    config : NodeConfig
        The node.
    instance : Instance
        The radiograph.
    content : bytes
        Its file.
    decision : str
        Decision of the first model.

    Returns
    -------
    bool
        Whether it belongs to the sample. Of a sample by week, another radiograph may take its place until the week is over.

    Raises
    ------
    OSError
        If the copy cannot be written.
    """
    settings = config.quality_sample
    if settings is None:
        return False
    drawn = draw(config, instance.sop_instance_uid)
    folder = config.spool_folder / FOLDER / week_of(instance.received_at)
    if settings.by_decision:
        folder /= decision
    name = f"{drawn}-{instance.sha256}.dcm"
    with _ONE_CHOOSES:
        chosen = sorted({name, *_names(folder)})[: settings.per_week]
        is_chosen = int(drawn, 16) < settings.rate * float(16**_DIGITS) if settings.rate else name in chosen
        if is_chosen:
            with atomic_files.binary(folder / name) as stream:
                stream.write(content)
        for other in sorted(_names(folder))[settings.per_week :] if settings.per_week else ():
            (folder / other).unlink(missing_ok=True)
    return is_chosen


def _names(folder: Path) -> Iterator[str]:
    return (file.name for file in folder.glob("*.dcm"))


def sampled(config: NodeConfig, since: float | None = None, before: float | None = None) -> list[Path]:
    """List the radiographs of the sample.

    Parameters
    ----------
    config : NodeConfig
        The node.
    since, before : float, optional
        Only of the weeks from that of `since` to the one before that of `before`, in seconds since 1970, UTC.

    Returns
    -------
    list of Path
        Files below the spool folder, by week and name.
    """
    first, end = (week_of(since) if since is not None else ""), (week_of(before) if before is not None else "~")
    files = (config.spool_folder / FOLDER).glob("**/*.dcm")
    return sorted(file for file in files if first <= file.relative_to(config.spool_folder / FOLDER).parts[0] < end)
