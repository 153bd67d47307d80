"""Fix calibration, operating points, scale of the heat maps and limit of the domain on the tune side."""

import dataclasses
from dataclasses import asdict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pneumoscope.classifier import Card, Domain
from pneumoscope.classifier import device as devices
from pneumoscope.classifier.evidence_network import EvidenceNetwork
from pneumoscope.classifier.network import Network
from pneumoscope.classifier.score import OTHER, TARGET, CalibrationMethod
from pneumoscope.evaluation import calibration
from pneumoscope.heatmap import gradcam
from pneumoscope.heatmap.gradcam import METHODS
from pneumoscope.statistics import metrics
from pneumoscope.statistics.estimate import Estimate, plain
from pneumoscope.statistics.intervals import DRAWS
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.patient_bootstrap import Bootstrap
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.prediction import BATCH, as_tensor, outputs, predict
from pneumoscope.training.prepared import Squares
from pneumoscope.training.prepared_split import PreparedSplit

AnyNetwork = Network | EvidenceNetwork
BY_SOURCE = "tune ROC-AUC by source"
"""The name in the results of a card."""
_ROUNDING = 1e-6
"""Rounding of a feature in single precision, relative to the size of the features: 16 units in the last place."""
_RESOLVED = 1e-3
"""Largest relative change of a distance by rounding; an export refuses a larger one (`pneumoscope.export.parity`)."""


def tuned(network: AnyNetwork, card: Card, tune: PreparedSplit, method: CalibrationMethod) -> Card:
    """Fix calibration, operating points, grey zone and the scale of the heat maps on tune.

    Parameters
    ----------
    network
        The trained network.
    card
        Its card.
    tune
        The tune side.
    method
        How probabilities are calibrated.

    Returns
    -------
    Card
        The card with what was fixed.

    Raises
    ------
    TrainingError
        If the network gives logits that are not finite numbers.
    """
    logits = predict(network, tune.squares).astype(np.float64)
    if not np.isfinite(logits).all():
        raise TrainingError(
            f"the trained network gives logits that are not finite numbers for {int((~np.isfinite(logits)).any(1).sum())} of "
            f"{len(logits)} tune images, so no threshold can be fixed; lower the rate and train again"
        )
    log_odds, reference = logits[:, TARGET] - logits[:, OTHER], tune.reference.astype(np.float64)
    fitted = calibration.fit(method, reference, log_odds, "tune", card.split_sha256)
    probability = fitted(log_odds)
    points = tuple(
        calibration.choose(rule, reference, probability, "tune", card.split_sha256)
        for rule in ("youden", "sensitivity>=0.95", "specificity>=0.95")
    )
    zone = calibration.grey_zone(reference, probability, "tune", card.split_sha256)
    card = dataclasses.replace(card, calibration=fitted, operating_points=points, grey_zone=zone)
    if by_source := auc_by_source(tune, log_odds):
        card = dataclasses.replace(card, results={**card.results, BY_SOURCE: {k: plain(asdict(e)) for k, e in by_source.items()}})
    if not isinstance(network, Network):
        return dataclasses.replace(card, map_scale=fitted.temperature, finding_threshold=points[0].threshold)
    scales = map_scales(network, tune.squares[tune.reference == TARGET])
    return dataclasses.replace(card, map_scale=scales.pop(card.map_method), other_map_scales=scales)


def auc_by_source(tune: PreparedSplit, log_odds: Array) -> dict[str, Estimate]:
    """Compute the ROC-AUC on tune of each data set of a joined cohort.

    Parameters
    ----------
    tune
        The tune side.
    log_odds
        Log-odds of the target, shape (n,).

    Returns
    -------
    dict of str to Estimate
        By the name of the source, undefined for a source of one class; empty if there are fewer than two sources.
    """
    names, of = sorted(set(tune.sources)), np.array(tune.sources)
    if len(names) < 2:
        return {}
    patients = np.array(tune.patients)
    return {name: _auc(tune.reference[of == name], log_odds[of == name], patients[of == name].tolist()) for name in names}


def _auc(reference: NDArray[np.int64], log_odds: Array, patients: list[str]) -> Estimate:
    boot = Bootstrap.of_patients(patients, DRAWS)
    return boot.estimate(metrics.roc_auc, reference.astype(np.float64), log_odds)


def map_scales(network: Network, positives: Squares) -> dict[str, float]:
    """Compute the full scale of each heat-map method: the median of the maps' maxima over positive images.

    Parameters
    ----------
    network
        The trained network.
    positives
        uint8, shape (n, channels, size_px, size_px): images with the target.

    Returns
    -------
    dict of str to float
        Raw value that counts as full, by method; 1 if all maps are flat.
    """
    peaks: dict[str, list[Tensor]] = {name: [] for name in METHODS}
    device = devices.of(network)
    with devices.exact(device):
        for k in range(0, len(positives), BATCH):
            squares = as_tensor(positives[k : k + BATCH]).to(device)
            _, activations, gradient = gradcam.gradients(network, squares, TARGET)
            for name, combine in METHODS.items():
                peaks[name].append(combine(activations, gradient).amax((1, 2)).cpu())
    return {name: float(np.median(torch.cat(maxima).numpy())) or 1.0 for name, maxima in peaks.items()}


def known(network: AnyNetwork, card: Card, train: PreparedSplit, tune: PreparedSplit) -> tuple[Domain | None, Card]:
    """Fit the domain of the training images, and fix its limit on tune.

    A network whose features hardly differ between images, for example after too few steps, gets no domain: its distances would
    be rounding errors.

    Parameters
    ----------
    network
        The trained network.
    card
        Its card.
    train, tune
        The train and the tune side.

    Returns
    -------
    domain : Domain or None
        Distribution of the training images' features; None if distances are not resolved in single precision.
    card : Card
        The card with the limit of the distance, if there is a domain.

    Raises
    ------
    TrainingError
        If the network gives features that are not finite numbers.
    """
    features = outputs(network, network.embed, train.squares)
    if not np.isfinite(features).all():
        raise TrainingError("the trained network gives features that are not finite numbers; lower the rate and train again")
    domain, of_tune = Domain.fit(features), outputs(network, network.embed, tune.squares)
    if not _resolved(domain, of_tune):
        return None, card
    return domain, dataclasses.replace(card, domain=domain.limit(of_tune, "tune", card.split_sha256))


def _resolved(domain: Domain, features: NDArray[np.float32]) -> bool:
    """Whether distances of features (n, features) stay the same when the features are rounded in another way."""
    size = float(np.sqrt(np.square(features, dtype=np.float64).mean()))
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), features.shape)
    rounded = (features + signs * np.float32(_ROUNDING * size)).astype(np.float32)
    distance, again = domain.distance(features), domain.distance(rounded)
    return bool((np.abs(again - distance) < _RESOLVED * np.maximum(distance, 1.0)).all())
