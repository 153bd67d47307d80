"""Compare the cost of a heat map with that of the score alone, and with that of common ways to make a heat map.

    python benchmarks/explain.py [--backbones resnet18 ...] [--batches 1 16] [--rounds 9] [--json FILE]
    python benchmarks/explain.py --whole-reading [--rounds 3] [--json FILE]

All methods use the same network (random weights, the `mlp` head, 224 px), the same shipped radiographs and as many threads as
cores; they take turns. Prints medians in milliseconds per image and medians of the rounds' ratios:

- score only: the network as an ONNX graph, in ONNX Runtime;
- ours: the same with its Grad-CAM maps of both classes, in ONNX Runtime;
- eager score: the network in PyTorch, without gradients, channels last, as in the next three;
- grad-cam and torchcam: these libraries on the same layer, including their scaling of the maps, which ours does not do;
- hooks: a forward and a full backward hook, the gradient of the logit through the whole network, one image at a time.

`difference` is the largest difference between our maps and those of PyTorch's autograd or, after the same scaling, of grad-cam,
divided by their maximum; above 1e-4 the exit code is 1. (A unit of the head that is zero up to rounding may be cut off by one
method only.)

With ``--whole-reading`` the graph of the shipped reader (lung fields, crop, score, heat map, distance) runs on the shipped
radiographs; it is compared with the bare score of a MobileNet-V2 and, if `torchxrayvision` is installed, with that library's
equivalent. Needs the extra ``benchmark``.
"""

import argparse
import itertools
import statistics
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import onnxruntime
import torch
from measuring import CORES, interleaved, machine, median_ratio, parser, table, write
from numpy.typing import NDArray
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from torchcam.methods import GradCAM as TorchCam

from pneumoscope import radiograph
from pneumoscope.classifier import BACKBONES
from pneumoscope.classifier.network import Network, build
from pneumoscope.cohort.sample import sample
from pneumoscope.export.conversion import converted
from pneumoscope.export.explained_head import explained
from pneumoscope.heatmap import gradcam
from pneumoscope.heatmap.heatmap import GRAD_CAM
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.onnx_session import open_session
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.reader.bundle import DISTANCE, IMAGE, LOGITS, PROBABILITY, open_bundle
from pneumoscope.reader.reader import Reader
from pneumoscope.reader.shipped import DEFAULT_BUNDLE

SIDE, CLASSES, TARGET = 224, 2, 1
PSPNET_SIDE = 512
EXAMPLE_BATCH = 3
LIMIT = 1e-4
SCORE, OURS, EAGER, LIBRARY, TORCHCAM, HOOKS = "score only", "ours", "eager score", "grad-cam", "torchcam", "hooks"
RATIOS = ((OURS, SCORE), (LIBRARY, OURS), (TORCHCAM, OURS), (HOOKS, OURS), (EAGER, OURS))
READING, BARE, READ, XRV = "our graph", "bare MobileNet-V2 score", "Reader.read", "TorchXRayVision"
Array = NDArray[np.float32]
Way = Callable[[], object]


@dataclass(frozen=True)
class Graph:
    """An ONNX graph, and the outputs that are requested from it."""

    session: onnxruntime.InferenceSession
    outputs: tuple[str, ...]

    def __call__(self, image: Array) -> list[Array]:
        found: list[Array] = self.session.run([*self.outputs], {IMAGE: image})
        return found


def graph(module: nn.Module, made: Sequence[str], wanted: Sequence[str]) -> Graph:
    """Convert a module that takes squares and has the outputs `made`; the graph computes those of `wanted`."""
    model = converted(module, [torch.rand(EXAMPLE_BATCH, 1, SIDE, SIDE)], [IMAGE], made)
    return Graph(open_session(model.SerializeToString(), CORES), tuple(wanted))


def network(name: str) -> Network:
    """Build a network with random weights; a few batches set its normalization, without which activations grow or vanish."""
    torch.manual_seed(0)
    made = build(BACKBONES[name], "mlp")
    assert isinstance(made, Network)
    made.to(memory_format=torch.channels_last)
    for module in made.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # plain mean over the batches
    with torch.no_grad():
        for _ in range(3):
            made.train()(torch.rand(8, 1, SIDE, SIDE))
    return made.eval()


def tokens_to_maps(tokens: Tensor) -> Tensor:
    """Convert the tokens of a vision transformer, without the class token, to maps (batch, channels, h, w)."""
    cells = round((tokens.shape[1] - 1) ** 0.5)
    return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, cells, cells)


def reshape(net: Network) -> Callable[[Tensor], Tensor] | None:
    return tokens_to_maps if hasattr(net.model, "encoder") else None


def layer(net: Network) -> nn.Module:
    found: nn.Module = net.model.get_submodule(net.layer_name)
    return found


def eager(net: Network, image: Tensor) -> Tensor:
    with torch.inference_mode():
        found: Tensor = net(image)
        return found


def library(net: nn.Module, at: nn.Module, image: Tensor, shape: Callable[[Tensor], Tensor] | None = None) -> Array:
    with GradCAM(model=net, target_layers=[at], reshape_transform=shape) as cam:
        found: Array = cam(input_tensor=image, targets=[ClassifierOutputTarget(TARGET)] * len(image))
        return found


def torchcam(net: Network, image: Tensor) -> Tensor:
    shape = reshape(net)
    more: dict[str, Any] = {"reshape_transform": shape} if shape else {}
    with TorchCam(net, layer(net), **more) as cam:
        found: Tensor = cam(TARGET, net(image))[0]
        return found


def gradient(out: Tensor | tuple[Tensor, ...]) -> Tensor:
    return out if isinstance(out, Tensor) else out[0]


def hooks(net: Network, images: Tensor) -> list[Tensor]:
    """Compute Grad-CAM as it is usually written: one image at a time, with a backward pass through the whole network."""
    kept: dict[str, Tensor] = {}
    shape = reshape(net) or (lambda maps: maps)
    at = layer(net)
    handles = [
        at.register_forward_hook(lambda m, i, out: kept.update(maps=shape(out).detach())),
        at.register_full_backward_hook(lambda m, i, out: kept.update(gradients=shape(gradient(out)).detach())),
    ]
    found = []
    for image in images:
        logits = net(image[None])
        net.zero_grad()
        logits[0, TARGET].backward()
        found.append(torch.relu((kept["gradients"].mean((2, 3), keepdim=True) * kept["maps"]).sum(1)))
    for handle in handles:
        handle.remove()
    return found


def can(way: Way) -> Way | None:
    """Return the method, or None if this version of its library does not support the network."""
    try:
        way()
    except (TypeError, ValueError, AttributeError, RuntimeError, IndexError):
        return None
    return way


def difference(net: Network, maps: Array, image: Tensor) -> float:
    """Compute the largest difference from the other maps, divided by the maximum over the batch and both classes."""
    true = np.stack([gradcam.explain(net, image, k)[1].numpy() for k in range(CLASSES)], 1)
    top = float(true.max())
    theirs = library(net, layer(net), image, reshape(net))
    own = scale_cam_image(scale_cam_image(maps[:, TARGET], (SIDE, SIDE)))  # grad-cam scales before and after it resizes
    share = true[:, TARGET].max((1, 2)) / top  # value of 1 in a scaled map
    return max(float(np.abs(maps - true).max()) / top, float((np.abs(theirs - own).max((1, 2)) * share).max()))


def squares(images: Sequence[Radiograph]) -> list[Array]:
    """Resize whole radiographs to squares, each (1, 1, size_px, size_px)."""
    return [on_whole(image, SIDE).pixels_to_square(image)[None, None] for image in images]


def radiographs() -> list[Radiograph]:
    with sample() as cohort:
        return [radiograph.read(cohort.file(case)) for case in cohort.cases]


def compare(name: str, batches: Sequence[int], rounds: int) -> list[dict[str, Any]]:
    """Make one row for each batch size."""
    net = network(name)
    score = graph(net, [LOGITS], [LOGITS])
    module, methods = explained(net, CLASSES, SIDE)
    ours = graph(module, [LOGITS, "features", *methods], [LOGITS, GRAD_CAM])
    rows, shipped = [], squares(radiographs())
    for batch in batches:
        array = np.concatenate([*itertools.islice(itertools.cycle(shipped), batch)])
        image = torch.from_numpy(array)
        ways: dict[str, Way | None] = {
            SCORE: partial(score, array),
            OURS: partial(ours, array),
            EAGER: partial(eager, net, image),
            LIBRARY: partial(library, net, layer(net), image, reshape(net)),
            TORCHCAM: can(partial(torchcam, net, image)),
            HOOKS: partial(hooks, net, image),
        }
        apart = difference(net, ours(array)[1], image)
        times = interleaved({k: way for k, way in ways.items() if way}, rounds)
        rows.append({"backbone": name, "batch": batch, **figures(times, batch, list(ways)), "difference": apart})
    return rows


def figures(times: dict[str, list[float]], batch: int, names: Sequence[str]) -> dict[str, float | None]:
    """Compute medians, in ms per image, and ratios; None for methods that did not run."""
    medians = {name: 1000 * statistics.median(times[name]) / batch if name in times else None for name in names}
    ratios = {f"{a}/{b}": median_ratio(times[a], times[b]) if a in times and b in times else None for a, b in RATIOS}
    return {**{f"{name} ms": value for name, value in medians.items()}, **ratios}


def torchxrayvision() -> tuple[Way | None, str]:
    """Return TorchXRayVision's lung fields, score and heat map as one method, and a note that describes it."""
    try:
        from torchxrayvision import __version__  # noqa: PLC0415 - may be missing
        from torchxrayvision.baseline_models.chestx_det.ptsemseg.pspnet import pspnet  # noqa: PLC0415
        from torchxrayvision.models import DenseNet  # noqa: PLC0415
    except ImportError as error:
        return None, f"TorchXRayVision is left out ({error}): pip install torchxrayvision"
    segmenting, scoring = pspnet(14).eval(), DenseNet(weights=None).eval()
    large, small = torch.rand(1, 3, PSPNET_SIDE, PSPNET_SIDE), torch.rand(1, 1, SIDE, SIDE)

    def way() -> None:
        with torch.inference_mode():
            segmenting(large)
        library(scoring, scoring.features.denseblock4, small)

    note = (
        f"TorchXRayVision {__version__}: PSPNet at {PSPNET_SIDE} px, then DenseNet-121 at {SIDE} px with grad-cam, in PyTorch; "
        "both with random weights; PSPNet as the inner class, because the outer one downloads its weights"
    )
    return way, note


def whole_reading(rounds: int) -> dict[str, Any]:
    """Measure whole readings; medians over all radiographs and rounds."""
    session, card, _ = open_bundle(DEFAULT_BUNDLE, CORES, ())
    reading = Graph(session, (*FIELDS, LOGITS, PROBABILITY, DISTANCE, card.map_method))
    bare, reader = graph(network("mobilenet_v2"), [LOGITS], [LOGITS]), Reader.load()
    images = radiographs()
    xrv, note = torchxrayvision()
    times: dict[str, list[float]] = {}
    for k, (image, square) in enumerate(zip(images, squares(images), strict=True)):
        ways: dict[str, Way | None] = {
            BARE: partial(bare, square),
            READING: partial(reading, square),
            READ: partial(reader.read, image),
            XRV: xrv,
        }
        for name, found in interleaved({name: way for name, way in ways.items() if way}, rounds, warm_up=k == 0).items():
            times.setdefault(name, []).extend(found)
    rows = [{"way": name, "ms": 1000 * statistics.median(found)} for name, found in times.items()]
    pairs = ((READING, BARE), (READ, BARE), (XRV, READING), (XRV, READ))
    ratios = {f"{a}/{b}": median_ratio(times[a], times[b]) for a, b in pairs if a in times and b in times}
    return {"model": card.name, "radiographs": len(images), "rows": rows, "ratios": ratios, "note": note}


def show_whole(measured: dict[str, Any]) -> None:
    print(f"{measured['model']}, {measured['radiographs']} radiographs at {SIDE} px, one at a time\n{table(measured['rows'])}")
    print("\n".join(f"{name}: {value:.2f}" for name, value in measured["ratios"].items()))
    print(measured["note"])


def options() -> argparse.Namespace:
    arguments = parser(__doc__)
    arguments.add_argument("--backbones", nargs="+", default=[*BACKBONES], choices=[*BACKBONES], metavar="NAME")
    arguments.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    arguments.add_argument("--rounds", type=int, default=0, help="default: 9; with --whole-reading 3 for each radiograph")
    arguments.add_argument("--whole-reading", action="store_true", help="measure the shipped reader instead")
    return arguments.parse_args()


def main() -> None:
    asked = options()
    rounds = asked.rounds or (3 if asked.whole_reading else 9)
    torch.set_num_threads(CORES)
    warnings.filterwarnings("ignore", "Full backward hook is firing")  # the layer's input is the image itself
    about: dict[str, Any] = {"machine": machine("torch", "onnxruntime", "grad-cam", "torchcam"), "rounds": rounds}
    print(", ".join(f"{key} {value}" for key, value in about["machine"].items()) + f"; {rounds} rounds", flush=True)
    if asked.whole_reading:
        measured = whole_reading(rounds)
        show_whole(measured)
        write(asked.json, {**about, "whole_reading": measured})
        return
    rows = []
    for name in asked.backbones:
        new = compare(name, asked.batches, rounds)
        rows += new
        print("\n" + table(new), flush=True)
        write(asked.json, {**about, "rows": rows})
    apart = [f"{row['backbone']} {row['difference']:.1e}" for row in rows if not row["difference"] <= LIMIT]
    sys.exit(f"maps differ by more than {LIMIT:.0e} of the maximum: {', '.join(apart)}" if apart else 0)


if __name__ == "__main__":
    main()
