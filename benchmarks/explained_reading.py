"""What an explanation costs: a whole reading with its heat map against the same pipeline that stops at the probability.

    python benchmarks/explained_reading.py [--model default] [--rounds 5]

Reads the sixteen shipped radiographs, decoded beforehand, in turn by both ways; prints medians and their ratio, side by side in
one run. The pipeline without its map finds the lung fields by the graph, prepares the square outside and asks for the logits.
"""

import argparse
import statistics
import time
from collections.abc import Callable

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
from pneumoscope.reader.reader import SHIPPED


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", default="default", help="a folder, or default or whole")
    arguments.add_argument("--rounds", type=int, default=5)
    asked = arguments.parse_args()
    reader = Reader.load(SHIPPED.get(asked.model, asked.model))
    with sample() as cohort:
        images = [radiograph.read(cohort.file(case)) for case in cohort.cases]

    def score(image: Radiograph) -> None:
        reader.card.calibration(reader.log_odds(reader.prepare(image).pixels[None]))

    ways: dict[str, Callable[[Radiograph], object]] = {"score alone": score, "explained": reader.read}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for image in images[:2]:
        for way in ways.values():
            way(image)
    for _ in range(asked.rounds):
        for image in images:
            for name, way in ways.items():
                start = time.perf_counter()
                way(image)
                times[name].append(1000 * (time.perf_counter() - start))
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"{reader.card.name}, {len(images)} radiographs, {asked.rounds} rounds, median ms a radiograph")
    for name, median in medians.items():
        print(f"  {name:<12}{median:8.1f}")
    print(f"  explained / score alone: {medians['explained'] / medians['score alone']:.2f}")


if __name__ == "__main__":
    main()
