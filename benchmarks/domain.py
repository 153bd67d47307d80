"""Measure how well the domain check separates the chests that a model was trained for from other images.

    python benchmarks/domain.py COHORT [--split test] [--model default] [--other NAME=PATH ...] [--json FILE]

COHORT is the split cohort on which the model was trained. The radiographs of one of its splits are compared with every tenth of
them rotated by 90, 180 and 270 degrees, mirrored and inverted; with noise; with the photographs of scikit-image and scikit-learn;
and with the sets of `--other`: a file, a folder, or another cohort with all of its cases. Prints the share of each set that the
check places outside the domain, and the ROC-AUC of the check's distance (infinite if no lung was found) against the split of
COHORT, with an interval by a bootstrap over the patients of both. Needs the extra ``explain``.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from measuring import parser, table, write
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images
from tqdm import tqdm

from pneumoscope import radiograph
from pneumoscope.cohort import Cohort
from pneumoscope.cohort import table as cohorts
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.listing import list_folder
from pneumoscope.reader import Reader
from pneumoscope.reader.shipped import SHIPPED
from pneumoscope.statistics.intervals import DRAWS, bootstrap, clopper_pearson, patient_weights
from pneumoscope.statistics.metrics import roc_auc

Measured = list[tuple[str, float, bool]]
"""Of each image: its patient, the distance of the check, and whether the image lies outside the domain."""
Images = Iterable[tuple[str, Radiograph]]
"""Patient and radiograph."""
EVERY = 10
NOISES = 40
_INFINITE = 1e9
PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "cat", "cell", "clock", "coffee", "coins", "colorwheel", "grass", "gravel", "horse",
    "hubble_deep_field", "immunohistochemistry", "logo", "microaneurysms", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip
"""The photographs in the wheel of scikit-image."""


def grey(pixels: NDArray[Any]) -> Radiograph:
    """Convert any picture to grey levels from its darkest to its brightest."""
    levels = pixels[..., :3].mean(-1) if pixels.ndim == 3 else pixels.astype(np.float64)
    return Radiograph(np.ascontiguousarray((levels - levels.min()) / np.ptp(levels), np.float32))


def of_cohort(cohort: Cohort, split: str, step: int = 1) -> Iterator[tuple[str, Radiograph]]:
    for case in cohort.on(split)[::step] if split else cohort.cases:
        yield case.patient_id, radiograph.read(cohort.file(case))


def changed(images: Images, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Iterator[tuple[str, Radiograph]]:
    for patient, image in images:
        yield patient, Radiograph(np.ascontiguousarray(change(image.pixels)))


def noises() -> Iterator[tuple[str, Radiograph]]:
    """Make white noise, half of the images uniform and half Gaussian."""
    rng = np.random.default_rng(0)
    for k in range(NOISES):
        uniform = k % 2 == 0
        pixels = rng.random((256, 256)) if uniform else np.clip(rng.normal(0.5, 0.15, (256, 256)), 0, 1)
        yield f"noise {k}", Radiograph(pixels.astype(np.float32))


def photographs() -> Iterator[tuple[str, Radiograph]]:
    for name in PHOTOGRAPHS:
        yield name, grey(np.asarray(getattr(skimage.data, name)()))
    for k, picture in enumerate(load_sample_images().images):
        yield f"scikit-learn {k}", grey(picture)


def other(path: Path) -> Iterator[tuple[str, Radiograph]]:
    """Read the radiographs of a cohort, a folder or a file."""
    if path.suffix == ".parquet":
        yield from of_cohort(cohorts.read(path), "")
        return
    for file in sorted(list_folder(path).files) if path.is_dir() else [path]:
        yield file.name, radiograph.read(file)


def measured(reader: Reader, images: Images, name: str) -> Measured:
    checks = []
    for patient, image in tqdm(images, desc=name, unit="image", disable=None):
        check = reader.read(Radiograph(image.pixels)).domain  # pixels only: the DICOM header must not help
        assert check is not None
        checks.append((patient, check.distance if check.lungs else _INFINITE, not check.inside))
    return checks


def row(name: str, known: Measured, other_set: Measured) -> dict[str, Any]:
    """Compute the ROC-AUC of a set against the split of the cohort, and the share of the set that is outside the domain."""
    outside, n = sum(outside for *_, outside in other_set), len(other_set)
    low, high = clopper_pearson(outside, n)
    shares = {"set": name, "images": n, "outside": outside, "share": outside / n, "low": low, "high": high}
    if other_set is known:
        return shares
    reference = np.array([0.0] * len(known) + [1.0] * n)
    value = np.array([v for _, v, _ in (*known, *other_set)])
    patients = [f"{k}/{p}" for k, part in enumerate((known, other_set)) for p, *_ in part]
    weights = patient_weights(patients, DRAWS, np.random.default_rng(zlib.crc32(name.encode())))
    auc = bootstrap(roc_auc, reference, value, patients, weights)
    return {**shares, "ROC-AUC": auc.value, "AUC low": auc.low, "AUC high": auc.high}


def sets(cohort: Cohort, split: str, others: Mapping[str, Path]) -> dict[str, Images]:
    """Name every set that is compared with the split of the cohort."""
    some = partial(of_cohort, cohort, split, EVERY)
    rotated: dict[str, Images] = {f"rotated by {90 * k}°": changed(some(), partial(np.rot90, k=k)) for k in (1, 2, 3)}
    return {
        **rotated,
        "mirrored": changed(some(), np.fliplr),
        "inverted": changed(some(), lambda pixels: 1 - pixels),
        "noise": noises(),
        "photographs": photographs(),
        **{name: other(path) for name, path in others.items()},
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("cohort", type=Path)
    arguments.add_argument("--split", default="test", help="split of COHORT that the other sets are compared with")
    arguments.add_argument("--model", default="default", help="default, whole, or the folder of a bundle")
    arguments.add_argument(
        "--other", action="append", default=[], metavar="NAME=PATH", help="file, folder or cohort to compare; may be repeated"
    )
    asked = arguments.parse_args()
    reader, cohort = Reader.load(SHIPPED.get(asked.model, asked.model)), cohorts.read(asked.cohort)
    known = measured(reader, of_cohort(cohort, asked.split), asked.split)
    rows = [row(f"{asked.split} split", known, known)]
    others = {name: Path(path) for name, _, path in (text.partition("=") for text in asked.other)}
    rows += [row(name, known, measured(reader, images, name)) for name, images in sets(cohort, asked.split, others).items()]
    assert reader.card.domain is not None
    partition = cohort.partition.sha256[:12] if cohort.partition else ""
    print(f"{reader.card.name}, limit {reader.card.domain.distance:.3f}; partition {partition}")
    print(table(rows))
    write(asked.json, {"model": reader.card.name, "tested on": asked.split, "split": partition, "rows": rows})


if __name__ == "__main__":
    main()
