"""Define what a call in a worker process may use."""

from dataclasses import dataclass

ONE_GB = 10**9
KEPT_BYTES = 2**26
"""What a worker may keep for its next call, on top of its limit: 64 MiB."""


@dataclass(frozen=True)
class Limits:
    """What one call may use.

    Parameters
    ----------
    seconds : float
        Wall time, > 0.
    memory_bytes : int
        Address space beyond what the worker has when it is ready and what it keeps between calls (64 MiB), > 0. Only Linux
        enforces it.
    processor_seconds : float, optional
        Processor time, >= 2, enforced to the second below; the wall time if None. Windows does not enforce it. Unlike wall time
        it does not depend on what else the machine does.
    """

    seconds: float = 20.0
    memory_bytes: int = 2 * ONE_GB
    processor_seconds: float | None = None


DECODING_BYTES = 520_000_000
"""Memory for decoding one radiograph. A worker has less than 80 MB before, so that it stays below 600 MB; the largest radiograph
allowed needs 350 MB."""
_SHARE_OF_PROCESSOR = 0.5


def decoding_limits(seconds: float = 20.0, memory_bytes: int = DECODING_BYTES) -> Limits:
    """Choose the limits of decoding one radiograph.

    Parameters
    ----------
    seconds : float
        Wall time, > 0; the processor time is half of it, 10 seconds by default.
    memory_bytes : int
        Memory, > 0.

    Returns
    -------
    Limits
        The limits.
    """
    return Limits(seconds, memory_bytes, max(2.0, _SHARE_OF_PROCESSOR * seconds))
