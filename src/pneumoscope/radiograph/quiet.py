"""Keep decoders from warning and logging, in any number of threads at once."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_lock = threading.Lock()
_inside = 0
_restore = ExitStack()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence `warnings` and pydicom's log: pydicom quotes odd values, which may identify a patient; Pillow warns of metadata.

    `warnings.catch_warnings` alone is not safe in threads, where the last to leave would restore what another had set; here
    the first to enter silences and the last to leave restores.
    """
    global _inside
    with _lock:
        if _inside == 0:
            _silence()
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _restore.close()


def _silence() -> None:
    log = logging.getLogger("pydicom")
    _restore.callback(setattr, log, "disabled", log.disabled)
    log.disabled = True
    _restore.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")
