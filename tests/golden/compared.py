"""Compare a tree of plain values with the one that was frozen."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

ARITHMETIC = 1e-12
"""Relative tolerance of what NumPy alone computes: sums may be taken in another order."""
SOLVED = 1e-9
"""Relative tolerance of the coefficients that an iterative solver finds."""
NETWORK = 2e-6
"""Tolerance of what ONNX Runtime or PyTorch computes: another processor, or another number of threads, rounds differently."""
WRITTEN = {"quality": 1e-4, "area_share": 1e-4, "distance": 1e-4, "rating": 1e-4}
"""Values that are written with four decimals: the last one may turn over."""

EXACT = os.environ.get("PNEUMOSCOPE_GOLDEN_HASHES", "")
"""A file of hashes of pixels and maps on this machine, written where it does not exist yet: tests then hold them to the bit."""


def frozen(name: str) -> Any:
    """What was frozen under a name."""
    return json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))


def differences(before: Any, now: Any, tolerance: float, absolute: float = 0.0, name: str = "") -> list[str]:
    """Where two trees differ, each with its place; texts, whole numbers and the shape of the tree exactly."""
    if isinstance(before, dict) and isinstance(now, dict) and before.keys() == now.keys():
        return [
            text for key in before for text in differences(before[key], now[key], *_of(key, tolerance, absolute), f"{name}/{key}")
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        both = enumerate(zip(before, now, strict=True))
        return [text for k, (a, b) in both for text in differences(a, b, tolerance, absolute, f"{name}/{k}")]
    if isinstance(before, float) and isinstance(now, float):
        same = now == pytest.approx(before, rel=tolerance, abs=absolute)
    else:
        same = type(before) is type(now) and before == now
    return [] if same else [f"{name}: {before!r} became {now!r}"]


def _of(key: str, tolerance: float, absolute: float) -> tuple[float, float]:
    if key.startswith("calibration "):
        return max(tolerance, SOLVED), absolute
    return tolerance, max(absolute, WRITTEN.get(key, 0.0))
