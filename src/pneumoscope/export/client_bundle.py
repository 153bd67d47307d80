"""Write the graph of a bundle and its card for clients, for onnxruntime-web; needs ``onnx`` but no PyTorch."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnxruntime

from pneumoscope.export import client_card
from pneumoscope.export.client_parity import compared, differing
from pneumoscope.export.errors import ExportError
from pneumoscope.export.half_precision import halved
from pneumoscope.export.prepared_graph import prepared
from pneumoscope.onnx_session import open_session
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader, bundle

RUNTIME = "onnxruntime-web"
Precision = Literal["fp32", "fp16"]


def write(
    folder: Path, out: Path, proof: Sequence[Radiograph], precision: Precision = "fp32", *, prepare: bool = False
) -> dict[str, Any]:
    """Write a bundle for browsers: ``model.onnx`` and ``client.json``.

    Parameters
    ----------
    folder
        Folder of a bundle of the present format in ``fp32``.
    out
        Folder for the browser; must not exist.
    proof
        Radiographs on which the outputs are compared with the bundle's, at least one.
    precision
        ``fp32``, or ``fp16`` for weights in half precision.
    prepare
        Whether the graph is optimised for one image of the reader's size at a time, see `prepared`. Such a graph starts several
        times faster, but runs in ONNX Runtime only.

    Returns
    -------
    dict
        The card for clients; ``prepared`` states whether the graph is optimised.

    Raises
    ------
    ExportError
        If `out` exists, the bundle is of an earlier format or not in ``fp32``, or an output differs by more than allowed. No
        files are left behind.
    BundleError, CardError
        If the bundle cannot be loaded.
    """
    if out.exists():
        raise ExportError(f"'{out}' exists already; choose another folder")
    reader = Reader.load(folder)
    if reader.card.precision != "fp32":
        raise ExportError(f"the bundle in '{folder}' is in {reader.card.precision}; give one in fp32")
    content = (folder / bundle.GRAPH_NAME).read_bytes()
    wide = _of_present_format(content, folder)
    small = _graph(content, reader.card.preprocessing.seen_px if prepare else None, precision)
    parity = _parity(reader, wide, small, proof)
    if broken := differing(parity, precision):
        raise ExportError(f"in {precision} the graph differs {broken}; nothing was written")
    about = {"runtime": RUNTIME, "precision": precision, "prepared": prepare, "parity": {"images": len(proof), "outputs": parity}}
    described = client_card.client_card(reader.card, bundle.GRAPH_NAME, hashlib.sha256(small).hexdigest(), **about)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        made = Path(scratch) / "browser"
        made.mkdir()
        (made / bundle.GRAPH_NAME).write_bytes(small)
        client_card.write(described, made)
        shutil.move(made, out)
    return described


def _graph(content: bytes, seen_px: int | None, precision: Precision) -> bytes:
    """Return the graph in a precision, optimised for one image of `seen_px` pixels unless that is None.

    Constants that the optimization computes, such as the weights of the resampling, stay in single precision.
    """
    if seen_px is None and precision == "fp32":
        return content
    graph = onnx.load_from_string(content)
    weights = {tensor.name for tensor in graph.graph.initializer}
    if seen_px is not None:
        graph = prepared(content, {"batch": 1, "rows": seen_px, "cols": seen_px})
    if precision == "fp16":
        graph = halved(graph, kept={tensor.name for tensor in graph.graph.initializer} - weights)
    serialized: bytes = graph.SerializeToString()
    return serialized


def _of_present_format(content: bytes, folder: Path) -> onnxruntime.InferenceSession:
    session = open_session(content, 0)
    if session.get_modelmeta().custom_metadata_map.get(bundle.MAKER) != bundle.FORMAT:
        raise ExportError(
            f"the bundle in '{folder}' has an earlier format; rewrite it with  pneumoscope export '{folder}' -o BUNDLE"
        )
    return session


def _parity(reader: Reader, wide: onnxruntime.InferenceSession, small: bytes, proof: Sequence[Radiograph]) -> Mapping[str, float]:
    """Compare all outputs of two graphs."""
    names, other = bundle.outputs(reader.card), open_session(small, 0)
    images = [np.ascontiguousarray(reader.seen(image)[None, None]) for image in proof]
    return compared(
        names,
        lambda image: wide.run(names, {bundle.IMAGE: image}),
        lambda image: other.run(names, {bundle.IMAGE: image}),
        images,
    )
