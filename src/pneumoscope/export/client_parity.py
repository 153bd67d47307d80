"""Compare the outputs of a graph in another runtime or precision with those of the bundle; no PyTorch."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.reader import bundle

Outputs = Callable[[NDArray[np.float32]], Sequence[NDArray[np.float32]]]
"""Compute all outputs of a bundle, in their order, for one image (1, 1, seen_px, seen_px)."""
BOUNDS: Mapping[str, tuple[float, float]] = {"fp32": (1e-4, 1e-4), "fp16": (1e-2, 1e-2)}
"""Allowed difference of the numbers and of the scaled heat maps, by precision."""
MAX_MASK = 1e-2
"""Allowed share of differing cells of the lung masks."""
NUMBERS = (FIELDS[1], FIELDS[3], bundle.PROBABILITY)
"""Outputs besides the scaled heat maps that must agree; decisions follow from them, at thresholds that the card states."""


def compared(
    names: Sequence[str], reference: Outputs, outputs: Outputs, images: Sequence[NDArray[np.float32]]
) -> dict[str, float]:
    """Compare the outputs of two runtimes.

    Parameters
    ----------
    names
        Names of the outputs, in their order.
    reference, outputs
        Functions that compute them.
    images
        Images on which they are compared, each float32 of shape (1, 1, seen_px, seen_px), in [0, 1].

    Returns
    -------
    dict of str to float
        Largest difference of each output over all images: for the lung masks the share of differing cells, for all others the
        absolute difference divided by the largest absolute value of the reference or by 1 if that is larger.
    """
    largest = dict.fromkeys(names, 0.0)
    for image in images:
        for name, a, b in zip(names, reference(image), outputs(image), strict=True):
            size = max(1.0, float(np.abs(a).max()))
            difference = float((a != b).mean()) if name == FIELDS[0] else float(np.abs(a - b).max()) / size
            largest[name] = max(largest[name], difference) if difference == difference else float("nan")
    return largest


def differing(parity: Mapping[str, float], precision: str) -> str:
    """Describe the outputs that differ by more than allowed.

    Decisions are not compared: on a threshold they may differ although the numbers agree. Raw maps, logits and distances are
    reported only: in half precision they differ by more than what is shown.

    Parameters
    ----------
    parity
        Largest difference of each output.
    precision
        ``fp32`` or ``fp16``.

    Returns
    -------
    str
        Description; empty if all agree.
    """
    number, shown = BOUNDS[precision]
    maps = [name for name in parity if name.endswith(bundle.scaled_name(""))]
    bounds = dict.fromkeys(NUMBERS, number) | dict.fromkeys(maps, shown) | {FIELDS[0]: MAX_MASK}
    return ", ".join(
        f"by {parity[name]:.1e} in '{name}' (allowed {b:.0e})" for name, b in bounds.items() if not parity[name] <= b
    )
