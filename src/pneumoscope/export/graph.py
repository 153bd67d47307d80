"""Export a classifier as a bundle: one ONNX graph from the image to lung fields, probability and heat maps."""

import dataclasses
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper

from pneumoscope.classifier import Card, Preprocessing, trained_on
from pneumoscope.classifier import card as cards
from pneumoscope.classifier.checkpoint import Classifier, file_sha256
from pneumoscope.export.antialiasing import without_antialiased_resize
from pneumoscope.export.conversion import EXAMPLE_BATCH, OPSET, any_image, converted, joined, pruned
from pneumoscope.export.cost import cost
from pneumoscope.export.deciding import Deciding
from pneumoscope.export.errors import ExportError
from pneumoscope.export.explained_head import explained
from pneumoscope.export.half_precision import halved
from pneumoscope.export.lung_crop import Look, Whole
from pneumoscope.export.parity import prove
from pneumoscope.export.precision import CALIBRATING, WIDE_SHARES, accepted, agreement, quantized
from pneumoscope.export.scored_network import ScoredNetwork
from pneumoscope.fingerprint import Fingerprint
from pneumoscope.lung_fields.finder import GRAPH_NAME as LUNGS_NAME
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader, bundle
from pneumoscope.reader.settings import settings_of

_SEEN, _MADE = "seen", "made"  # values inside the graph: the resampled image, and the square prepared from it


@dataclass(frozen=True, eq=False)
class Tune:
    """Radiographs of tune on which a bundle of lower precision is compared with the bundle in single precision.

    Attributes
    ----------
    images
        The n radiographs.
    reference
        Labels, int64, shape (n,): 1 for cases with the target, else 0.
    """

    images: Sequence[Radiograph]
    reference: NDArray[np.int64]


def export(
    classifier: Classifier,
    out: Path,
    proof: Sequence[Radiograph],
    *,
    precision: Literal["fp32", "fp16", "int8"] = "fp32",
    tune: Tune | None = None,
) -> Card:
    """Export a classifier as a bundle: ``model.onnx``, ``card.json`` and, if known, the fingerprints of its training cases.

    Parameters
    ----------
    classifier
        Classifier with a lung-field model.
    out
        Folder of the bundle; must not exist.
    proof
        Radiographs on which all outputs of the graph are compared with PyTorch, at least one.
    precision
        ``fp32``; ``fp16``, with weights in half precision; or ``int8``, with 8-bit arithmetic in the later convolutions.
    tune
        Radiographs on which a bundle in ``fp16`` or ``int8`` is compared with the one in ``fp32``; required for these precisions.

    Returns
    -------
    Card
        Card of the bundle.

    Raises
    ------
    ExportError
        If `out` exists, `tune` is missing, the network cannot be converted, or an output differs by more than allowed. No files
        are left behind.
    """
    if out.exists():
        raise ExportError(f"'{out}' exists already; choose another folder for the bundle")
    if precision != "fp32" and tune is None:
        raise ExportError(f"a bundle in {precision} must be compared with fp32 on the tune split of the model; give its cohort")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent) as scratch:
        folder = Path(scratch) / "fp32"
        graph = whole_graph(classifier)
        card = write(graph, dataclasses.replace(classifier.card, opset=OPSET), folder, classifier.trained_on)
        card = _noted(card, folder, export=prove(classifier, folder, proof))
        wide, folders = folder, {"fp32": folder}
        if tune is not None and precision != "fp32":
            folder, card = _smaller(graph, card, precision, tune, wide, classifier.trained_on)
            folders[precision] = folder
        readers = {name: Reader.load(path) for name, path in folders.items()}
        sizes = {name: (path / bundle.GRAPH_NAME).stat().st_size for name, path in folders.items()}
        card = _noted(card, folder, cost=cost(readers, sizes, proof))
        shutil.move(folder, out)
    return card


def _smaller(
    graph: onnx.ModelProto,
    card: Card,
    precision: Literal["fp16", "int8"],
    tune: Tune,
    wide: Path,
    known: Sequence[Fingerprint],
) -> tuple[Path, Card]:
    """Write the bundle of lower precision next to the one in single precision, and return its folder and its card."""
    reader, folder = Reader.load(wide), wide.with_name(precision)
    step = max(1, len(tune.images) // CALIBRATING)
    seen = [reader.seen(image) for image in tune.images[::step]]
    shares = WIDE_SHARES if precision == "int8" else (1.0,)
    for share in shares:
        small = quantized(graph, seen, share) if precision == "int8" else halved(graph)
        card = write(small, dataclasses.replace(card, precision=precision), folder, known)
        compared = agreement(reader, Reader.load(folder), tune.images, tune.reference)
        if compared.sound:
            break
    return folder, _noted(card, folder, precision={**accepted(compared, precision), "wide_share": share})


def _noted(card: Card, folder: Path, **results: Mapping[str, Any]) -> Card:
    """Add results to a card and write it to its folder."""
    card = dataclasses.replace(card, results={**card.results, **results})
    cards.write(card, folder)
    return card


def write(graph: onnx.ModelProto, card: Card, folder: Path, known: Sequence[Fingerprint] = ()) -> Card:
    """Write a graph, its card and the fingerprints of the training cases to a folder.

    Parameters
    ----------
    graph
        Graph of the bundle.
    card
        Card of the bundle.
    folder
        Folder of the bundle; created if it does not exist, in an existing parent folder.
    known
        Fingerprints of the training cases; if empty, no file is written for them.

    Returns
    -------
    Card
        The card, with the hashes of the files.
    """
    folder.mkdir(exist_ok=True)
    onnx.save(graph, folder / bundle.GRAPH_NAME)
    if known:
        (folder / trained_on.TRAINED_ON_NAME).write_bytes(trained_on.as_bytes(known))
    names = [bundle.GRAPH_NAME, *([trained_on.TRAINED_ON_NAME] if known else [])]
    card = dataclasses.replace(card, files={name: file_sha256(folder / name) for name in names})
    cards.write(card, folder)
    return card


def whole_graph(classifier: Classifier) -> onnx.ModelProto:
    """Build the graph of a bundle: lung fields, the prepared square, and all outputs computed from the square.

    Parameters
    ----------
    classifier
        Classifier with a lung-field model.

    Returns
    -------
    ModelProto
        The graph, validated by the ONNX checker.

    Raises
    ------
    ExportError
        If PyTorch cannot convert the network, or if the preprocessing cannot be part of a graph.
    """
    card = classifier.card
    preprocessing = card.preprocessing
    if preprocessing.crop == "lungs" and not preprocessing.source_px:
        raise ExportError(f"'{card.name}' crops to the lungs but its card has no source_px, which a graph needs; train it again")
    assert classifier.finder is not None
    lungs = _finding(classifier.finder.folder)
    cells = lungs.graph.output[0].type.tensor_type.shape.dim[-1].dim_value
    square = torch.rand(EXAMPLE_BATCH, preprocessing.channels, preprocessing.size_px, preprocessing.size_px)
    try:
        network, methods = explained(classifier.network, len(card.classes), preprocessing.size_px)
        scored = ScoredNetwork(network, classifier.domain).eval()
        seeing = converted(Whole(preprocessing.seen_px), [any_image()], [bundle.IMAGE], [_SEEN])
        looking = _looking(preprocessing, cells)
        names = [bundle.LOGITS, bundle.DISTANCE, *methods]
        # There may be more given squares than images, so the axes have different names.
        scoring = converted(scored, [square], [bundle.LOOKED_AT], names, axis="readings")
    except Exception as error:  # the tracer and the converter raise many different classes
        raise ExportError(
            f"PyTorch {torch.__version__} cannot convert {card.backbone} with its heat map to an ONNX graph "
            f"({type(error).__name__}); evaluate the checkpoint without export, or train another backbone"
        ) from error
    parts = {"seeing": seeing, "lungs": lungs, "looking": looking, "choice": _choice(list(square.shape[1:])), "scoring": scoring}
    outputs = [*FIELDS, bundle.LOOKED_AT, *names]
    whole = with_answers(joined(parts, [bundle.IMAGE, bundle.SQUARE, bundle.GIVEN], outputs), card)
    # ONNX: an input with an initializer is optional.
    nothing = np.zeros((1, square.shape[1], 1, 1), np.float32)
    whole.graph.initializer.append(numpy_helper.from_array(nothing, bundle.SQUARE))
    whole.graph.initializer.append(numpy_helper.from_array(np.array(False), bundle.GIVEN))
    onnx.checker.check_model(whole)
    return whole


def with_answers(graph: onnx.ModelProto, card: Card) -> onnx.ModelProto:
    """Compute the answers under the settings of a card at the end of a graph, in place of the answers that the graph has.

    Parameters
    ----------
    graph
        Graph with the outputs of `pneumoscope.reader.bundle` other than the answers; not changed.
    card
        Card of the bundle.

    Returns
    -------
    ModelProto
        Graph of the present format, validated by the ONNX checker.
    """
    whole = onnx.ModelProto()
    whole.CopyFrom(graph)
    values = {value.name: value for value in graph.graph.output}
    before = [*FIELDS, bundle.LOOKED_AT, bundle.LOGITS, bundle.DISTANCE, *card.map_scales]
    del whole.graph.output[:]
    whole.graph.output.extend(values[name] for name in before)
    pruned(whole)
    inputs = [bundle.LOGITS, bundle.DISTANCE, FIELDS[2], *card.map_scales]
    sizes = [[dim.dim_value for dim in values[name].type.tensor_type.shape.dim[1:]] for name in inputs]
    names = bundle.outputs(card)[len(before) :]
    examples = [torch.rand(EXAMPLE_BATCH, *size) for size in sizes]
    deciding = converted(Deciding(card).eval(), examples, inputs, names, axis="readings")
    part = compose.add_prefix(deciding, "deciding/", rename_inputs=False, rename_outputs=False).graph
    whole.graph.node.extend(part.node)
    whole.graph.initializer.extend(part.initializer)
    whole.graph.output.extend(part.output)
    helper.set_model_props(whole, {bundle.MAKER: bundle.FORMAT, bundle.SETTINGS: ",".join(settings_of(card))})
    onnx.checker.check_model(whole)
    return whole


def _looking(preprocessing: Preprocessing, cells: int) -> onnx.ModelProto:
    seen = torch.rand(EXAMPLE_BATCH, 1, preprocessing.seen_px, preprocessing.seen_px)
    if not preprocessing.lungs:
        return converted(Whole(preprocessing.size_px), [seen], [_SEEN], [_MADE])
    fields = [torch.rand(EXAMPLE_BATCH, *shape) for shape in ((2, cells, cells), (), (4,))]
    return converted(Look(preprocessing), [seen, *fields], [_SEEN, FIELDS[0], *FIELDS[2:]], [_MADE])


def _finding(folder: Path) -> onnx.ModelProto:
    """Load the graph of a lung-field model and connect its input to the resampled image.

    A classifier names its lung-field model by the hash of the file, so the file is not changed when its operations are replaced.
    """
    lungs = without_antialiased_resize(onnx.load(folder / LUNGS_NAME))
    lungs.graph.input[0].name = _SEEN
    for node in lungs.graph.node:
        node.input[:] = [_SEEN if name == bundle.IMAGE else name for name in node.input]
    return lungs


def _choice(shape: list[int]) -> onnx.ModelProto:
    """Build a graph that selects the given squares, if any, in place of those prepared from the image."""
    value = helper.make_tensor_value_info
    inputs = [
        value(bundle.GIVEN, TensorProto.BOOL, []),
        value(bundle.SQUARE, TensorProto.FLOAT, ["squares", shape[0], "square_rows", "square_cols"]),
        value(_MADE, TensorProto.FLOAT, ["batch", *shape]),
    ]
    node = helper.make_node("Where", [i.name for i in inputs], [bundle.LOOKED_AT])
    graph = helper.make_graph([node], "choice", inputs, [value(bundle.LOOKED_AT, TensorProto.FLOAT, ["readings", *shape])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
