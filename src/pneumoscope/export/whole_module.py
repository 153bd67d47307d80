"""Compose all parts of a reader's graph to a PyTorch module for one radiograph of a fixed size, for runtimes without ONNX."""

import itertools

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pneumoscope.classifier.checkpoint import Classifier
from pneumoscope.export.deciding import Deciding
from pneumoscope.export.errors import ExportError
from pneumoscope.export.explained_head import explained
from pneumoscope.export.lung_crop import Look, Whole
from pneumoscope.export.scored_network import ScoredNetwork
from pneumoscope.lung_fields import LungFinder
from pneumoscope.lung_fields.finder import GRAPH_NAME
from pneumoscope.lung_fields.graph_module import LungFieldModule
from pneumoscope.lung_fields.network import LungNetwork


class WholeModule(nn.Module):
    """A module from one resampled radiograph to all outputs of a bundle (`pneumoscope.reader.bundle.outputs`), in their order.

    Parameters
    ----------
    classifier
        Classifier with a lung-field model; copied, not changed.

    Raises
    ------
    ExportError
        If the lung-field model has another network than this version trains.
    """

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        card, finder = classifier.card, classifier.finder
        assert finder is not None
        preprocessing = card.preprocessing
        network, methods = explained(classifier.network, len(card.classes), preprocessing.size_px)
        self.order = [methods.index(name) for name in card.map_scales]
        self.lungs = LungFieldModule(lung_network(finder), finder.card.size_px, finder.card.quality_threshold)
        self.crop = Look(preprocessing) if preprocessing.lungs else None
        self.whole = Whole(preprocessing.size_px)
        self.scored = ScoredNetwork(network, classifier.domain)
        self.deciding = Deciding(card)
        self.eval().requires_grad_(False)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Read one radiograph.

        Parameters
        ----------
        image
            Resampled radiograph, float32, shape (1, 1, seen_px, seen_px), in [0, 1].

        Returns
        -------
        tuple of Tensor
            Outputs of a bundle, in their order.
        """
        lungs, quality, lungs_found, box = self.lungs(image)
        square = self.whole(image) if self.crop is None else self.crop(image, lungs, lungs_found, box)
        logits, distance, *by_method = self.scored(square)
        maps = [by_method[k] for k in self.order]
        answers = self.deciding(logits, distance, lungs_found, *maps)
        return lungs, quality, lungs_found, box, square, logits, distance, *maps, *answers


def lung_network(finder: LungFinder) -> LungNetwork:
    """Build the network of a lung-field model with the weights of its graph.

    Parameters
    ----------
    finder
        Lung-field model.

    Returns
    -------
    LungNetwork
        Network in evaluation mode, whose batch norms are folded into its convolutions as they are in the graph.

    Raises
    ------
    ExportError
        If the graph has other convolutions than the network.
    """
    graph = onnx.load(finder.folder / GRAPH_NAME).graph
    weights = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
    stored = [[weights[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
    network = LungNetwork().eval()
    for block in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for k, (layer, norm) in enumerate(itertools.pairwise([*block])):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                block[k], block[k + 1] = fuse_conv_bn_eval(layer, norm), nn.Identity()
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    shapes = [[weight.shape, weight.shape[:1]] for weight in (module.weight for module in convolutions)]
    if [[value.shape for value in pair] for pair in stored] != shapes:
        raise ExportError(f"the lung-field model in '{finder.folder}' has another network than this version; train it again")
    for module, (weight, bias) in zip(convolutions, stored, strict=True):
        module.weight, module.bias = nn.Parameter(weight), nn.Parameter(bias)
    return network
