"""Write the files that a browser needs to read radiographs: the graph and the card for clients."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx

from pneumoscope.classifier.checkpoint import file_sha256
from pneumoscope.export import client_card
from pneumoscope.export.conversion import ExportError
from pneumoscope.export.native import compared, differing
from pneumoscope.export.precision import halved
from pneumoscope.export.renewal import renew
from pneumoscope.onnx_session import open_session
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader, bundle

RUNTIME = "onnxruntime-web"


def write(folder: Path, out: Path, proof: Sequence[Radiograph], precision: Literal["fp32", "fp16"] = "fp32") -> dict[str, Any]:
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
        present, made = Path(scratch) / "bundle", Path(scratch) / "browser"
        card = renew(folder, present, proof)
        if card.precision != "fp32":
            raise ExportError(f"the bundle in '{folder}' is in {card.precision}; give one in fp32")
        made.mkdir()
        graph = onnx.load(present / bundle.GRAPH_NAME)
        onnx.save(halved(graph) if precision == "fp16" else graph, made / bundle.GRAPH_NAME)
        reader, names = Reader.load(present), bundle.outputs(card)
        images = [np.ascontiguousarray(reader.seen(image)[None, None]) for image in proof]
        wide, small = (open_session((one / bundle.GRAPH_NAME).read_bytes(), 0) for one in (present, made))
        parity = compared(
            names,
            lambda image: wide.run(names, {bundle.IMAGE: image}),
            lambda image: small.run(names, {bundle.IMAGE: image}),
            images,
        )
        if broken := differing(parity, precision):
            raise ExportError(f"in {precision} the graph differs {broken}; nothing was written")
        sha256 = file_sha256(made / bundle.GRAPH_NAME)
        about = {"runtime": RUNTIME, "precision": precision, "parity": {"images": len(proof), "outputs": parity}}
        described = client_card.client_card(card, bundle.GRAPH_NAME, sha256, **about)
        client_card.write(described, made)
        shutil.move(made, out)
    return described
