"""Reuse freed memory instead of asking the system for it in each training step."""

import ctypes
import sys

# Parameters of glibc's mallopt(3).
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_NEVER, _PAD_BYTES = -1, 2**28


def keep_freed() -> bool:
    """Tell glibc's allocator to reuse large blocks instead of returning them to the system.

    A training step allocates and frees hundreds of megabytes of activations. By default each large block is mapped again and the
    kernel zeroes its pages at first touch, which takes a third of the time of a MobileNet-V2 step on two cores. Results do not
    change. On systems without glibc this does nothing.

    Returns
    -------
    bool
        Whether the allocator accepted the settings.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(
        mallopt(option, value) == 1 for option, value in ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _PAD_BYTES))
    )
