"""Export a classifier for the runtimes of phones, LiteRT and ExecuTorch; compare each file in its own runtime with PyTorch."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from pneumoscope.classifier.checkpoint import Classifier, file_sha256
from pneumoscope.export import client_card, executorch_file, litert_file
from pneumoscope.export.client_parity import compared, differing
from pneumoscope.export.errors import ExportError
from pneumoscope.export.whole_module import WholeModule
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.reader import bundle

Runtime = Literal["litert", "executorch"]


def export(
    classifier: Classifier,
    out: Path,
    proof: Sequence[Radiograph],
    runtime: Runtime,
    precision: Literal["fp32", "fp16"] = "fp32",
) -> dict[str, Any]:
    """Export a classifier for a phone's runtime: ``model.tflite`` or ``model.pte``, and ``client.json``.

    Parameters
    ----------
    classifier
        Classifier with a lung-field model.
    out
        Folder of the files; must not exist.
    proof
        Radiographs on which all outputs are compared with PyTorch, at least one.
    runtime
        ``litert``; or ``executorch``, with XNNPACK.
    precision
        ``fp32``; or ``fp16``, with weights in half precision (``litert`` only).

    Returns
    -------
    dict
        The card for clients.

    Raises
    ------
    ExportError
        If `out` exists, the extra ``mobile`` is not installed, the precision is not available, the network cannot be converted,
        or an output differs by more than allowed. No files are left behind.
    """
    if out.exists():
        raise ExportError(f"'{out}' exists already; choose another folder")
    if runtime == "executorch" and precision != "fp32":
        raise ExportError("ExecuTorch files are exported in fp32; leave out the precision, or export for litert")
    card, module = classifier.card, WholeModule(classifier)
    seen_px, names = card.preprocessing.seen_px, bundle.outputs(card)
    example = torch.zeros(1, 1, seen_px, seen_px)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        made = Path(scratch) / runtime
        made.mkdir()
        if runtime == "litert":
            file = litert_file.write(module, example, made, half=precision == "fp16")
            outputs = litert_file.outputs(file)
        else:
            file = executorch_file.write(module, example, made)
            outputs = executorch_file.outputs(file)
        images = [on_whole(image, seen_px).pixels_to_square(image)[None, None] for image in proof]
        parity = compared(names, lambda image: eager(module, image), outputs, images)
        if broken := differing(parity, precision):
            raise ExportError(f"in {runtime}, {precision}, the graph differs {broken}; nothing was written")
        about = {"runtime": runtime, "precision": precision, "parity": {"images": len(proof), "outputs": parity}}
        described = client_card.client_card(card, file.name, file_sha256(file), **about)
        client_card.write(described, made)
        shutil.move(made, out)
    return described


def eager(module: WholeModule, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Compute all outputs of a module in PyTorch.

    Parameters
    ----------
    module
        Module of all parts of a bundle.
    image
        Image, float32, shape (1, 1, seen_px, seen_px), in [0, 1].

    Returns
    -------
    list of ndarray
        Outputs, in their order.
    """
    with torch.inference_mode():
        return [value.numpy() for value in module(torch.from_numpy(image.copy()))]
