"""Whether the domain check tells the chests that a model knows from everything else.

    python benchmarks/domain.py COHORT [--side test] [--model default] [--other NAME=PATH ...] [--json FILE]

COHORT is the split cohort of the model's training. The radiographs of one of its sides stand beside every tenth of them turned by
90, 180 and 270 degrees, mirrored and inverted, noise, the photographs that come with scikit-image and scikit-learn, and what
`--other` names: a file, a folder, or another cohort, of which every case counts. Printed are the ROC-AUC of the check's measure
(the distance; without end where no lung was found) against the cohort's side, with the interval of a bootstrap over its patients
and those of the other, and the share that is marked as outside. Needs the extra ``explain``.
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
from pneumoscope.reader.reader import SHIPPED
from pneumoscope.statistics.intervals import DRAWS, bootstrap, clopper_pearson, patient_weights
from pneumoscope.statistics.metrics import roc_auc

Measured = list[tuple[str, float, bool]]
"""Patient, measure of the check, and whether it counts as outside, of each image."""
Images = Iterable[tuple[str, Radiograph]]
"""Patient and radiograph."""
EVERY = 10
NOISES = 40
_ENDLESS = 1e9
PHOTOGRAPHS = (
    "astronaut", "brick", "camera", "cat", "cell", "clock", "coffee", "coins", "colorwheel", "grass", "gravel", "horse",
    "hubble_deep_field", "immunohistochemistry", "logo", "microaneurysms", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip
"""Those that the wheel of scikit-image holds."""


def grey(pixels: NDArray[Any]) -> Radiograph:
    """A picture of any kind as grey levels from its darkest to its brightest."""
    levels = pixels[..., :3].mean(-1) if pixels.ndim == 3 else pixels.astype(np.float64)
    return Radiograph(np.ascontiguousarray((levels - levels.min()) / np.ptp(levels), np.float32))


def of_cohort(cohort: Cohort, side: str, step: int = 1) -> Iterator[tuple[str, Radiograph]]:
    for case in cohort.on(side)[::step] if side else cohort.cases:
        yield case.patient_id, radiograph.read(cohort.file(case))


def changed(images: Images, change: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Iterator[tuple[str, Radiograph]]:
    for patient, image in images:
        yield patient, Radiograph(np.ascontiguousarray(change(image.pixels)))


def noises() -> Iterator[tuple[str, Radiograph]]:
    """White, half of it uniform and half of it Gaussian."""
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
    """The radiographs of a cohort, a folder or a file."""
    if path.suffix == ".parquet":
        yield from of_cohort(cohorts.read(path), "")
        return
    for file in sorted(list_folder(path).files) if path.is_dir() else [path]:
        yield file.name, radiograph.read(file)


def measured(reader: Reader, images: Images, name: str) -> Measured:
    found = []
    for patient, image in tqdm(images, desc=name, unit="image", disable=None):
        check = reader.read(Radiograph(image.pixels)).domain  # what DICOM says of the body part does not help
        assert check is not None
        found.append((patient, check.distance if check.lungs else _ENDLESS, not check.inside))
    return found


def row(name: str, known: Measured, there: Measured) -> dict[str, Any]:
    """The ROC-AUC of a set against the known side, and how many of it are marked as outside."""
    marked = sum(outside for *_, outside in there)
    low, high = clopper_pearson(marked, len(there))
    told = {"set": name, "images": len(there), "outside": marked, "share": marked / len(there), "low": low, "high": high}
    if there is known:
        return told
    reference = np.array([0.0] * len(known) + [1.0] * len(there))
    value = np.array([v for _, v, _ in (*known, *there)])
    patients = [f"{k}/{p}" for k, part in enumerate((known, there)) for p, *_ in part]
    weights = patient_weights(patients, DRAWS, np.random.default_rng(zlib.crc32(name.encode())))
    auc = bootstrap(roc_auc, reference, value, patients, weights)
    return {**told, "ROC-AUC": auc.value, "AUC low": auc.low, "AUC high": auc.high}


def sets(cohort: Cohort, side: str, others: Mapping[str, Path]) -> dict[str, Images]:
    """Every set that is not known, by name."""
    some = partial(of_cohort, cohort, side, EVERY)
    turned: dict[str, Images] = {f"turned by {90 * k}°": changed(some(), partial(np.rot90, k=k)) for k in (1, 2, 3)}
    return {
        **turned,
        "mirrored": changed(some(), np.fliplr),
        "inverted": changed(some(), lambda pixels: 1 - pixels),
        "noise": noises(),
        "photographs": photographs(),
        **{name: other(path) for name, path in others.items()},
    }


def main() -> None:
    arguments = parser(__doc__)
    arguments.add_argument("cohort", type=Path)
    arguments.add_argument("--side", default="test")
    arguments.add_argument("--model", default="default", help="a bundle, or default or whole")
    arguments.add_argument("--other", action="append", default=[], metavar="NAME=PATH", help="may be repeated")
    asked = arguments.parse_args()
    reader, cohort = Reader.load(SHIPPED.get(asked.model, asked.model)), cohorts.read(asked.cohort)
    known = measured(reader, of_cohort(cohort, asked.side), asked.side)
    rows = [row(f"{asked.side} side", known, known)]
    others = {name: Path(path) for name, _, path in (text.partition("=") for text in asked.other)}
    rows += [row(name, known, measured(reader, images, name)) for name, images in sets(cohort, asked.side, others).items()]
    assert reader.card.domain is not None
    split = cohort.partition.sha256[:12] if cohort.partition else ""
    print(f"{reader.card.name}, limit {reader.card.domain.distance:.3f}; split {split}")
    print(table(rows))
    write(asked.json, {"model": reader.card.name, "side": asked.side, "split": split, "rows": rows})


if __name__ == "__main__":
    main()
