"""Silence the warnings and logs of the image decoders, in the thread that decodes and in no other."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_decoding: ContextVar[bool] = ContextVar("pneumoscope_decoding", default=False)


class _OnlyWhileDecoding(type):
    """Makes every warning class a subclass of `_DecoderWarning` in a context that decodes, and none in any other."""

    def __subclasscheck__(cls, subclass: type) -> bool:
        return _decoding.get() or super().__subclasscheck__(subclass)


class _DecoderWarning(Warning, metaclass=_OnlyWhileDecoding):
    """The category of the one warning filter: filters are shared by all threads, the answer of its category is not."""


def _is_heard(_: logging.LogRecord) -> bool:
    return not _decoding.get()


for _name in ("pydicom", "PIL.ImageFile", "PIL.PngImagePlugin", "PIL.TiffImagePlugin"):
    logging.getLogger(_name).addFilter(_is_heard)


def silence_loggers(package: str) -> None:
    """Let `silenced_decoders` silence the loggers of a further package too.

    Parameters
    ----------
    package : str
        Name of a package whose modules have been imported, so that their loggers exist.
    """
    for name in [name for name in logging.Logger.manager.loggerDict if name == package or name.startswith(f"{package}.")]:
        logging.getLogger(name).addFilter(_is_heard)


@contextmanager
def silenced_decoders() -> Iterator[None]:
    """Ignore warnings, and what pydicom and Pillow log, in the current thread or task.

    pydicom quotes unexpected values of a header, which may identify a patient. Pillow warns of damaged metadata and logs, at the
    level DEBUG, every value of an Exif block. Other threads hear their own warnings and logs while this one is silent.
    """
    token = _decoding.set(True)
    try:
        if not warnings.filters or warnings.filters[0][2] is not _DecoderWarning:  # the first filter that fits decides
            warnings.simplefilter("ignore", _DecoderWarning)
        yield
    finally:
        _decoding.reset(token)
