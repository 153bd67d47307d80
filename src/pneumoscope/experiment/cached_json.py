"""Answers that are kept with their question, so that only another question is worked on again."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pneumoscope import atomic_files
from pneumoscope.statistics.estimate import plain


def kept(file: Path, asked: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    """What `make` finds as plain values (NaN is null), from the file if that answers the same question; else made and written."""
    if file.exists():
        there = json.loads(file.read_text(encoding="utf-8"))
        if there.get("asked") == asked:
            return there["found"]
    found = plain(make())
    with atomic_files.text(file) as stream:
        stream.write(json.dumps({"asked": asked, "found": found}, indent=2) + "\n")
    return found
