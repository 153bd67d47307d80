"""Print the share of mutants that the tests noticed, by module; fail below the share that is asked for. After ``mutmut run``."""

import json
import sys
from collections import Counter
from pathlib import Path

ASKED_FOR = 0.85
NOTICED = {1, 3, 36, 24, -24, 152, 255}
"""Exit codes of the tests of a mutant: a test failed (1, 3), or ran out of time."""
UNTESTED = {None, 34}
"""Not run yet, or skipped."""


def main(folder: Path) -> int:
    """Count the mutants that `mutmut` left below a folder."""
    total: Counter[str] = Counter()
    noticed: Counter[str] = Counter()
    for file in sorted(folder.rglob("*.py.meta")):
        codes = [
            code for code in json.loads(file.read_text(encoding="utf-8"))["exit_code_by_key"].values() if code not in UNTESTED
        ]
        name = file.relative_to(folder).as_posix().removesuffix(".py.meta")
        total[name], noticed[name] = len(codes), sum(code in NOTICED for code in codes)
    for name, count in total.items():
        if count:
            print(f"{noticed[name]:5d} of {count:5d}  {noticed[name] / count:.3f}  {name}")
    everything = sum(total.values())
    share = sum(noticed.values()) / everything if everything else 0.0
    print(f"{sum(noticed.values()):5d} of {everything:5d}  {share:.3f}  of all mutants were noticed; {ASKED_FOR} are asked for")
    return int(share < ASKED_FOR)


if __name__ == "__main__":
    sys.exit(main(Path(__file__).parent.parent / "mutants"))
