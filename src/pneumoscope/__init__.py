"""Pneumoscope reads chest X-rays for pneumonia and shows where.

Research software, not a medical device. What most users need is here; everything else is imported by its folder, such as
``pneumoscope.radiograph`` or ``pneumoscope.statistics``. Importing the package loads nothing heavy: each name is imported when it
is used, and only `compare` needs PyTorch.

Examples
--------
>>> import pneumoscope
>>> reader = pneumoscope.Reader.load()
>>> reader.card.target
'pneumonia'
"""

import importlib
import os

TYPE_CHECKING = False  # type checkers take it for True; typing itself takes time, in which Ctrl-C would give a traceback
if TYPE_CHECKING:
    from pneumoscope.cohort import Cohort as Cohort
    from pneumoscope.comparison.comparison import compare as compare
    from pneumoscope.evaluation import evaluate as evaluate
    from pneumoscope.localization.localize import localize as localize
    from pneumoscope.radiograph import Radiograph as Radiograph
    from pneumoscope.reader import Reader as Reader
    from pneumoscope.reader import read as read
    from pneumoscope.readings import ModelReading as ModelReading
    from pneumoscope.readings import Reading as Reading

# ONNX Runtime sends usage data to its maker and writes a device id below the home folder. Only this variable stops it, and only
# before onnxruntime is imported; every import of the package, in every process, comes through here first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"

DISCLAIMER = "Research software, not a medical device."
"""Said wherever a result is shown."""

_FACE = {
    "read": ("reader", ""),
    "Reader": ("reader", ""),
    "Radiograph": ("radiograph", ""),
    "Reading": ("readings", ""),
    "ModelReading": ("readings", ""),
    "Cohort": ("cohort", "evaluate"),
    "evaluate": ("evaluation", "evaluate"),
    "localize": ("localization", "evaluate"),
    "compare": ("comparison.comparison", "train"),
}
"""Where each name comes from, and the extra that it needs."""
__all__ = ["DISCLAIMER", "MissingExtraError", "PneumoscopeError", "__version__", *_FACE]


class PneumoscopeError(Exception):
    """Root of every error that tells a user what was asked, what was found and what to do.

    The message is one sentence and carries no patient name or identifier.
    """


class MissingExtraError(PneumoscopeError):
    """An optional part of the package is not installed.

    Parameters
    ----------
    what : str
        What needs it.
    extra : str
        Name of the extra that installs it.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs packages that are not installed: run  pip install 'pneumoscope[{extra}]'")


def __getattr__(name: str) -> object:
    """Import a name of the face when it is first used (PEP 562)."""
    if name not in _FACE:
        raise AttributeError(f"module 'pneumoscope' has no attribute '{name}'")
    module, extra = _FACE[name]
    try:
        value = getattr(importlib.import_module(f"pneumoscope.{module}"), name)
    except ModuleNotFoundError as error:
        if not extra or (error.name or "").partition(".")[0] == "pneumoscope":
            raise
        raise MissingExtraError(f"pneumoscope.{name}", extra) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_FACE})
