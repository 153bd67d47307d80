"""Read a shard in forked processes, of which each kills itself one step later; a program of its own, because it forks.

Called with the file of a pickled plan of one shard. It prints for each step, as JSON: whether the shard's file was there after
the kill, the hash of its content then and after the shard was read once more, the number of attempts that were noted, and whether
the shard was pending.
"""

import hashlib
import json
import os
import pickle
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pneumoscope import atomic_files, radiograph
from pneumoscope.archive import attempts, result_table, shards
from pneumoscope.archive.decoding import one_by_one
from pneumoscope.archive.row_reading import Records
from pneumoscope.archive.shards import Plan

steps = 0
wanted = 0


def step() -> None:
    global steps
    steps += 1
    if steps == wanted:
        os.kill(os.getpid(), signal.SIGKILL)


def between(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with a step before and after it."""

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        step()
        result = function(*args, **kwargs)
        step()
        return result

    return wrapped


def read(plan: Plan) -> None:
    # Every file of the archive is broken, so that no model is asked.
    no_reader: Any = SimpleNamespace(read_together=list)
    shards.read_shard(plan, 0, Records(no_reader, plan.run, one_by_one(radiograph.read)))


def killed_at(plan: Plan, number: int) -> bool:
    """Whether a process that reads the shard came as far as the step, and was killed there."""
    global steps, wanted
    steps, wanted = 0, number
    child = os.fork()
    if child == 0:
        read(plan)
        os._exit(0)
    wanted = 0
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main() -> None:
    plan = pickle.loads(Path(sys.argv[1]).read_bytes())
    Records.__call__ = between(Records.__call__)  # type: ignore[method-assign]  # as below
    result_table.encode = between(result_table.encode)
    os.fsync = between(os.fsync)
    Path.replace = between(Path.replace)  # type: ignore[method-assign]  # the process ends between its steps
    atomic_files.sync_folder = between(atomic_files.sync_folder)
    (shard,) = shards.open_manifest(plan.manifest).shards
    out, file = Path(plan.out), Path(plan.out) / shards.file_of(shard)
    number = 1
    while killed_at(plan, number):
        before = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else ""
        said = {
            "before": before,
            "pending": len([*shards.pending(plan)]),
            "attempts": len(attempts.attempts_of(plan.store, shard).starts),
        }
        read(plan)
        print(json.dumps(said | {"after": hashlib.sha256(file.read_bytes()).hexdigest()}))
        shutil.rmtree(out / shards.READINGS)
        shutil.rmtree(out / attempts.FOLDER)
        number += 1


main()
