"""Load what a user calls a model: a bundle, or with PyTorch a checkpoint."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pneumoscope import MissingExtraError, radiograph
from pneumoscope.classifier import DeviceError
from pneumoscope.cohort.sample import sample
from pneumoscope.evaluation import Model
from pneumoscope.radiograph.acceptance import MARK_ALL
from pneumoscope.reader import Reader
from pneumoscope.reader.bundle import GRAPH_NAME

try:
    from pneumoscope.classifier import device as devices
    from pneumoscope.classifier.checkpoint import load as load_checkpoint
    from pneumoscope.export.graph import export
except ModuleNotFoundError as missing:  # a package of the extra `train`, named when a checkpoint is asked for
    if (missing.name or "").partition(".")[0] == "pneumoscope":
        raise
    load_checkpoint = export = devices = None  # type: ignore[assignment]  # functions where PyTorch is installed


def load(folder: Path, device: str = "cpu") -> Model:
    """Load the reader of a bundle, or the classifier of a checkpoint.

    Parameters
    ----------
    folder : Path
        Folder of the bundle or checkpoint.
    device : str
        Where a checkpoint computes: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``. A bundle computes on the CPU.

    Returns
    -------
    Model
        What scores prepared squares.

    Raises
    ------
    MissingExtraError
        A checkpoint needs PyTorch, which is not installed.
    DeviceError
        There is no such device, or a bundle was asked to compute on another device than the CPU.
    """
    if (folder / GRAPH_NAME).exists():
        if device not in ("auto", "cpu"):
            raise DeviceError(
                f"'{folder}' is a bundle, which runs on the CPU only, not on '{device}'; give the checkpoint that "
                "it was exported from, or leave out --device"
            )
        return Reader.load(folder)
    if load_checkpoint is None:
        raise MissingExtraError("measuring a checkpoint", "train")
    return load_checkpoint(folder, devices.find(device))


@contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    """Load the reader of a bundle, or of a temporary bundle that is exported from a checkpoint.

    Parameters
    ----------
    folder : Path
        Folder of the bundle or checkpoint.

    Yields
    ------
    Reader
        The reader.

    Raises
    ------
    MissingExtraError
        A checkpoint needs PyTorch, which is not installed.
    """
    if (folder / GRAPH_NAME).exists():
        yield Reader.load(folder, policy=MARK_ALL)
        return
    if load_checkpoint is None:
        raise MissingExtraError("measuring a checkpoint", "train")
    classifier = load_checkpoint(folder)
    with tempfile.TemporaryDirectory() as scratch, sample() as cohort:
        proof = [radiograph.read(cohort.file(c)) for c in cohort.cases]
        export(classifier, Path(scratch) / "bundle", proof)
        yield Reader.load(Path(scratch) / "bundle", policy=MARK_ALL)
