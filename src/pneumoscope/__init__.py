"""Pneumoscope reads chest X-rays for pneumonia and shows where.

Research software, not a medical device. Import what you need by its folder: ``pneumoscope.radiograph``,
``pneumoscope.reader``, ``pneumoscope.evaluation`` …; nothing here imports PyTorch.
"""

import os

# ONNX Runtime sends usage data to its maker and writes a device id below the home folder. Only this variable stops it, and only
# before onnxruntime is imported; every import of the package, in every process, comes through here first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

DISCLAIMER = "Research software, not a medical device."
"""Said wherever a result is shown."""


class PneumoscopeError(Exception):
    """Root of every error that tells a user what was asked, what was found and what to do.

    The message is one sentence and carries no patient name or identifier.
    """


class MissingExtraError(PneumoscopeError):
    """An optional part of the package is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that are not installed: run  pip install 'pneumoscope[{extra}]'")
