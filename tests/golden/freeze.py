"""Write the answers of the code as it is: ``python -m tests.golden.freeze``, from the root of the repository.

Run this only after a change that is meant to alter an answer, and name the change in CHANGELOG.md.
"""

import json
import sys
import tempfile
from pathlib import Path

from tests.golden import answers

HERE = Path(__file__).parent


def write(name: str, tree: object) -> None:
    (HERE / f"{name}.json").write_text(json.dumps(tree, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(cohort_file: str = "") -> None:
    """Freeze all; the trained comparison only if its cohort is given."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for bundle in answers.BUNDLES:
            out = answers.read_sample(bundle, folder / bundle)
            write(f"readings-{bundle}", answers.readings(out))
            answers.overlays(out).save(HERE / f"overlays-{bundle}.png", optimize=True)
        for images in (1, 2):
            write(f"metrics-{images}-per-patient", answers.evaluation(folder / f"evaluation-{images}", images))
        write("comparison-synthetic", answers.synthetic_comparison())
        if cohort_file:
            write("comparison-trained", answers.trained_comparison(Path(cohort_file), folder / "compared"))


if __name__ == "__main__":
    main(*sys.argv[1:])
