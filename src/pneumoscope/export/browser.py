"""Write the files that a browser needs to read radiographs, also from a bundle of the earlier format."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pneumoscope.export import client_bundle
from pneumoscope.export.client_bundle import Precision
from pneumoscope.export.errors import ExportError
from pneumoscope.export.renewal import renew
from pneumoscope.radiograph import Radiograph


def write(folder: Path, out: Path, proof: Sequence[Radiograph], precision: Precision = "fp32") -> dict[str, Any]:
    """Write a bundle for browsers: ``model.onnx`` in the present format and ``client.json``.

    Parameters
    ----------
    folder
        Folder of a bundle in ``fp32``, of the present or the earlier format.
    out
        Folder for the browser; must not exist.
    proof
        Radiographs on which the outputs are compared with the bundle's, at least one.
    precision
        ``fp32``, or ``fp16`` for weights in half precision.

    Returns
    -------
    dict
        The card for clients.

    Raises
    ------
    ExportError
        If `out` exists, the bundle is not in ``fp32``, or an output differs by more than allowed. No files are left behind.
    BundleError, CardError
        If the bundle cannot be loaded.
    """
    if out.exists():
        raise ExportError(f"'{out}' exists already; choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        present = Path(scratch) / "bundle"
        renew(folder, present, proof)
        return client_bundle.write(present, out, proof, precision)
