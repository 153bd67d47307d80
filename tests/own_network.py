"""A network that only a test sees: Orthanc listens on all addresses, whatever its settings say."""

import ctypes
import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

_NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h


@contextmanager
def own_network():
    """Move the thread, and the threads and processes that it starts meanwhile, into a network of their own.

    Only root with iproute2 can on Linux; otherwise nothing is moved. Yields whether it was.
    """
    with ExitStack() as stack:
        can = sys.platform == "linux" and os.geteuid() == 0 and shutil.which("ip")
        yield bool(can) and stack.enter_context(_moved())


@contextmanager
def _moved():
    system = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as before:
        if system.unshare(_NEW_NETWORK):  # a container without the capability
            yield False
            return
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield True
        finally:
            assert system.setns(before.fileno(), _NEW_NETWORK) == 0
