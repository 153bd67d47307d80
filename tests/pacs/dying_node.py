"""A node that kills itself, with SIGKILL, at a point of its third instance: ``python -m tests.pacs.dying_node FOLDER POINT``."""

import os
import signal
import sys
import time
from pathlib import Path

from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.receive.admission import Admission
from pneumoscope.pacs.spool import Spool
from tests.pacs.receiving import node

THIRD = 3


def dying(owner, name, *, after):
    """Replace a method by one that ends the process at its third call: before it, or when it is done."""
    method, calls = getattr(owner, name), []

    def replaced(*arguments):
        calls.append(1)
        if len(calls) == THIRD and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = method(*arguments)
        if len(calls) == THIRD:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, replaced)


POINTS = {
    "before the rename": (Spool, "keep", False),
    "before the row": (Ledger, "record_instance", False),
    "before the answer": (Admission, "admit_read", True),
}

if __name__ == "__main__":
    owner, name, after = POINTS[sys.argv[2]]
    dying(owner, name, after=after)
    with node(Path(sys.argv[1])) as one:
        print(one.port, flush=True)
        time.sleep(600)
