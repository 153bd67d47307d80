"""The names of the precisions that a training computes in; no PyTorch."""

from typing import Literal

Precision = Literal["fp32", "bf16", "fp16"]
