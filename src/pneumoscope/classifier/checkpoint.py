"""Define `Classifier` and its checkpoint, a folder with ``weights.safetensors`` and ``card.json``."""

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
import torch
from numpy.typing import NDArray

from pneumoscope import atomic_files
from pneumoscope.classifier import card as cards
from pneumoscope.classifier import device as devices
from pneumoscope.classifier import trained_on
from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.card import Card
from pneumoscope.classifier.domain import Domain
from pneumoscope.classifier.errors import CheckpointError
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Network, build
from pneumoscope.classifier.preprocessing import ModelInput, prepare
from pneumoscope.classifier.score import OTHER, TARGET, Score
from pneumoscope.fingerprint import Fingerprint
from pneumoscope.lung_fields import LungFinder
from pneumoscope.lung_fields import model_copy as lungs
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.radiograph import Grey

WEIGHTS_NAME, DOMAIN_NAME = "weights.safetensors", "domain.safetensors"


@dataclass(frozen=True, eq=False)
class Classifier:
    """A trained network with its card, its lung-field model and the description of its training data.

    Attributes
    ----------
    network
        The network, in training or evaluation mode.
    card
        Card of the model.
    finder
        Lung-field model; None for preprocessing without lungs.
    domain
        Domain of the training images; None if unknown.
    trained_on
        Salted hashes of the patients and images that the network, and any model that it was distilled from, was trained on;
        empty if unknown.
    """

    network: Network | EvidenceNetwork
    card: Card
    finder: LungFinder | None = None
    domain: Domain | None = None
    trained_on: tuple[Fingerprint, ...] = ()

    def prepare(self, radiograph: Radiograph) -> ModelInput:
        """Prepare the input of the network for a radiograph.

        Parameters
        ----------
        radiograph
            The radiograph.

        Returns
        -------
        ModelInput
            The prepared square, with its placement on the radiograph.
        """
        return prepare(radiograph, self.card.preprocessing, self.finder)

    def log_odds(self, squares: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the log-odds of the target.

        Parameters
        ----------
        squares
            Prepared squares, float32, shape (n, channels, size_px, size_px), in [0, 1].

        Returns
        -------
        ndarray of float64
            Log-odds before calibration, shape (n,).
        """
        device = devices.of(self.network)
        with evaluating(self.network), torch.inference_mode(), devices.measuring(device):
            logits = self.network(torch.from_numpy(np.ascontiguousarray(squares)).to(device)).cpu()
        return np.asarray((logits[:, TARGET] - logits[:, OTHER]).double().numpy())

    def features(self, squares: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute the features by which `domain` measures distances.

        Parameters
        ----------
        squares
            Prepared squares, float32, shape (n, channels, size_px, size_px), in [0, 1].

        Returns
        -------
        ndarray of float32
            Features, shape (n, features).
        """
        device = devices.of(self.network)
        with evaluating(self.network), torch.inference_mode(), devices.measuring(device):
            features = self.network.embed(torch.from_numpy(np.ascontiguousarray(squares)).to(device)).cpu()
        return np.asarray(features.numpy())

    def distance(self, squares: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the distances of prepared squares from the training images, for a classifier with a domain.

        Parameters
        ----------
        squares
            Prepared squares, float32, shape (n, channels, size_px, size_px), in [0, 1].

        Returns
        -------
        ndarray of float64
            Distances as `Domain.distance` gives them, shape (n,).
        """
        assert self.domain is not None
        return self.domain.distance(self.features(squares))

    def score(self, square: Grey) -> Score:
        """Compute the score of a prepared square.

        Parameters
        ----------
        square
            Prepared square, float32, shape (channels, size_px, size_px), in [0, 1].

        Returns
        -------
        Score
            Calibrated probability of the target, with the log-odds before calibration.
        """
        z = self.log_odds(square[None])
        return Score(self.card.target, float(self.card.calibration(z)[0]), float(z[0]))


@contextlib.contextmanager
def evaluating(network: torch.nn.Module) -> Iterator[None]:
    """Switch a network to evaluation mode in a context, and restore the mode of each module afterwards.

    The modes are restored after an exception too.

    Parameters
    ----------
    network
        The network.

    Yields
    ------
    None
        No value.
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def save(classifier: Classifier, folder: Path) -> Card:
    """Write a checkpoint: weights, domain, fingerprints and lung-field model, then the card; each file atomically.

    Parameters
    ----------
    classifier
        The classifier.
    folder
        Folder of the checkpoint; created if it does not exist.

    Returns
    -------
    Card
        The card, with the hashes of the files.
    """
    weights = {name: tensor.contiguous().cpu() for name, tensor in classifier.network.state_dict().items()}
    content = {WEIGHTS_NAME: safetensors.torch.save(weights)}
    if classifier.domain:
        parts = {name: np.asarray(value, np.float32) for name, value in vars(classifier.domain).items()}
        content[DOMAIN_NAME] = safetensors.numpy.save(parts)
    if classifier.trained_on:
        content[trained_on.TRAINED_ON_NAME] = trained_on.as_bytes(classifier.trained_on)
    card = replace(classifier.card, files={name: hashlib.sha256(part).hexdigest() for name, part in content.items()})
    for name, part in content.items():
        with atomic_files.binary(folder / name) as stream:
            stream.write(part)
    lungs.keep(classifier.finder, card.preprocessing.lungs, folder)
    cards.write(card, folder)
    return card


def load(folder: Path, device: torch.device = devices.CPU) -> Classifier:
    """Load a checkpoint.

    Parameters
    ----------
    folder
        Folder of the checkpoint.
    device
        Where the network computes.

    Returns
    -------
    Classifier
        The classifier, in evaluation mode.

    Raises
    ------
    CardError
        If the card is missing, damaged or has an unknown format.
    CheckpointError
        If a file is missing, is not the one that the card names, or holds weights of another network.
    LungFieldsError
        If the lung-field model is damaged, or is not the one that the card names.
    """
    card = cards.read(folder)
    path = folder / WEIGHTS_NAME
    if not path.is_file():
        raise CheckpointError(
            f"there is no {WEIGHTS_NAME} in '{folder}': this command needs a checkpoint and does not accept a bundle"
        )
    for name, named in {WEIGHTS_NAME: "", **card.files}.items():
        if not (folder / name).is_file() or named != file_sha256(folder / name):
            what = "the weights" if name == WEIGHTS_NAME else f"the file {name}"
            raise CheckpointError(f"{what} in '{folder}' are not those that the card names; copy the checkpoint again")
    network = build(backbone(card.backbone), card.head, len(card.classes), card.preprocessing.size_px)
    try:
        _load_weights(network, path)
    except (safetensors.SafetensorError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"the weights in '{folder}' do not fit a {card.backbone} with {card.head} head; copy the checkpoint again"
        ) from error
    domain = _domain(folder / DOMAIN_NAME) if DOMAIN_NAME in card.files else None
    finder = lungs.load(folder, card.preprocessing.lungs)
    trained = network.to(device).to(memory_format=torch.channels_last).eval()
    return Classifier(trained, card, finder, domain, trained_on.read(folder, card))


def _load_weights(network: torch.nn.Module, path: Path) -> None:
    """Load the tensors of the network, each once; PyTorch itself would convert a tensor of another type without a word."""
    weights = safetensors.torch.load_file(path)
    network.load_state_dict(weights)
    if odd := [name for name, expected in network.state_dict().items() if weights[name].dtype != expected.dtype]:
        raise ValueError(f"{odd[0]} has another type")
    if infinite := [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]:
        raise ValueError(f"{infinite[0]} is not finite")


def _domain(path: Path) -> Domain:
    try:
        parts = safetensors.numpy.load_file(path)
        rest = float(parts.pop("rest"))
        return Domain(**parts, rest=rest)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"the domain in '{path.parent}' is damaged; copy the checkpoint again") from error


def file_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file.

    Parameters
    ----------
    path
        Path of the file.

    Returns
    -------
    str
        SHA-256 in hexadecimal.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
