"""What the trainings are worth: calibration and thresholds from tune, figures of test with their intervals by patient."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from full_comparison.archive import SOURCE_PX, Archive
from pneumoscope.classifier import Calibration, Preprocessing
from pneumoscope.classifier.preprocessing import place
from pneumoscope.evaluation import calibration
from pneumoscope.localization.figures import block_mean, energy_inside, hit, pixel_average_precision, reduction_factor
from pneumoscope.statistics import metrics
from pneumoscope.statistics.estimate import Estimate
from pneumoscope.statistics.patient_bootstrap import Bootstrap

DRAWS = 2000
Maps = NDArray[np.float32]
Masks = Sequence[NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Shown:
    """The cases of one source whose maps are measured, on grids of at most 320 pixels a side.

    Attributes
    ----------
    numbers: of the archive's entries.
    lungs: where the finder found both, else all false.
    regions: what radiologists marked; all false where nothing.
    """

    numbers: NDArray[np.intp]
    lungs: Masks
    regions: Masks


def shown(archive: Archive, numbers: NDArray[np.intp]) -> Shown:
    """Read the lungs and the regions of entries."""
    lungs, regions = [], []
    for number in numbers:
        image = archive.radiograph(int(number))
        fields = archive.lung_fields(int(number), image)
        factor = reduction_factor(image.pixels.shape)
        nothing = np.zeros(image.pixels.shape, bool)
        lungs.append(_sampled(fields.mask if fields.state == "found" else nothing, factor))
        regions.append(_sampled(archive.regions.get(int(number), nothing), factor))
    return Shown(numbers, lungs, regions)


def _sampled(mask: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    share = block_mean(mask.astype(np.float32), factor)
    return np.asarray(share >= 0.5 if (share >= 0.5).any() else share > 0)


def on_radiographs(archive: Archive, crop: str, numbers: NDArray[np.intp], cells: Maps) -> list[Maps]:
    """Spread the cells of maps over the radiographs that they are of, as means over blocks."""
    spread = []
    for number, values in zip(numbers, cells, strict=True):
        image = archive.radiograph(int(number))
        fields = archive.lung_fields(int(number), image)
        seen_as = Preprocessing(SOURCE_PX, "lungs", source_px=SOURCE_PX, lungs=archive.lungs_sha256)
        placement = place(image, seen_as if crop == "lungs" else Preprocessing(SOURCE_PX), fields).placement
        spread.append(block_mean(placement.map_to_radiograph(values), reduction_factor(image.pixels.shape)))
    return spread


class Measure:
    """Measures trainings of one archive.

    Parameters
    ----------
    archive: what was packed.
    predictions: by crop, what `train` left.
    draws: of patients.
    """

    def __init__(self, archive: Archive, predictions: Mapping[str, Mapping[str, NDArray[Any]]], draws: int = DRAWS) -> None:
        self.archive, self.predictions = archive, predictions
        self.reference = np.array([e.reference for e in archive.entries], np.float64)
        self.patients = np.array([e.patient_id for e in archive.entries])
        test = archive.of("kermany", "test")
        self.shown = {
            "kermany": shown(archive, test[self.reference[test] == 1]),
            "rsna": shown(archive, archive.of("rsna", "test")),
            "covid": shown(archive, archive.of("covid", "test")),
        }
        self.boots = {name: Bootstrap.of_patients(self.patients[s.numbers].tolist(), draws) for name, s in self.shown.items()}
        self.test_boot = Bootstrap.of_patients(self.patients[test].tolist(), draws)

    def log_odds(self, record: Mapping[str, Any], source: str, split: str, mirrored: bool) -> NDArray[np.float64]:
        """Return a training's log-odds of a source's split, or the mean of those and of the mirrored images'."""
        kept, name = self.predictions[record["job"]["crop"]], record["job"]["name"]
        plain = kept[f"{name} log_odds {source} {split}"].astype(np.float64)
        return (plain + kept[f"{name} mirrored {source} {split}"]) / 2 if mirrored else plain

    def calibrated(self, record: Mapping[str, Any], mirrored: bool) -> tuple[Calibration, float, float]:
        """Return the calibration, Youden's threshold and that of the highest accuracy, all from tune."""
        tune = self.archive.of("kermany", "tune")
        reference, log_odds = self.reference[tune], self.log_odds(record, "kermany", "tune", mirrored)
        sha = self.archive.split_sha256["kermany"]
        fitted = calibration.fit("temperature", reference, log_odds, "tune", sha)
        probability = np.asarray(fitted(log_odds), np.float64)
        youden = calibration.choose("youden", reference, probability, "tune", sha).threshold
        return fitted, youden, most_accurate(reference, probability)

    def classification(self, record: Mapping[str, Any], mirrored: bool) -> dict[str, Any]:
        """Measure the decisions on the test split of Kermany."""
        test = self.archive.of("kermany", "test")
        fitted, youden, accurate = self.calibrated(record, mirrored)
        reference = self.reference[test]
        probability = np.asarray(fitted(self.log_odds(record, "kermany", "test", mirrored)), np.float64)
        tune = self.archive.of("kermany", "tune")
        tune_auc = metrics.roc_auc(self.reference[tune], self.log_odds(record, "kermany", "tune", mirrored))
        boot, everything = self.test_boot, np.ones(len(test), bool)
        decided = {"Youden": (probability >= youden).astype(float), "highest accuracy": (probability >= accurate).astype(float)}
        return {
            "tune ROC-AUC": float(tune_auc),
            "ROC-AUC": as_json(boot.estimate(metrics.roc_auc, reference, probability)),
            "PR-AUC": as_json(boot.estimate(metrics.pr_auc, reference, probability)),
            "temperature": fitted.temperature,
            "threshold": {"Youden": youden, "highest accuracy": accurate},
            **{
                f"{name} ({rule} on tune)": as_json(
                    boot.estimate(metric, reference, positive, share_of=everything if name == "accuracy" else None)
                )
                for rule, positive in decided.items()
                for name, metric in (
                    ("accuracy", metrics.accuracy),
                    ("F1", metrics.f1),
                    ("sensitivity", metrics.sensitivity),
                    ("specificity", metrics.specificity),
                )
            },
        }

    def localization(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Measure where the maps lie; empty for a training that left none."""
        kept, name, crop = self.predictions[record["job"]["crop"]], record["job"]["name"], record["job"]["crop"]
        if f"{name} kermany test maps" not in kept:
            return {}
        fitted, _, _ = self.calibrated(record, False)
        found: dict[str, Any] = {}
        for source, cases in self.shown.items():
            raw = kept[f"{name} {source} test maps"]
            cells = np.asarray(fitted(raw.astype(np.float64)), np.float32) if crop == "lungs" else raw
            maps = on_radiographs(self.archive, crop, cases.numbers, cells)
            boot = self.boots[source]
            if source == "kermany":
                found["peak in the lungs"] = as_json(boot.mean(_each(hit, maps, cases.lungs), share=True))
                found["energy in the lungs"] = as_json(boot.mean(_each(energy_inside, maps, cases.lungs)))
                continue
            found[f"{source} hit"] = as_json(boot.mean(_each(hit, maps, cases.regions), share=True))
            found[f"{source} pixel AP"] = as_json(boot.mean(_each(pixel_average_precision, maps, cases.regions)))
            log_odds = self.log_odds(record, source, "test", False)
            found[f"{source} ROC-AUC"] = as_json(boot.estimate(metrics.roc_auc, self.reference[cases.numbers], log_odds))
        return found

    def of(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return all figures of a training."""
        mirrored = self.classification(record, True)
        return {
            **{k: v for k, v in record.items() if k != "curve"},
            "images_per_s": float(np.median([row["images_per_s"] for row in record["curve"]])),
            "images_an_epoch": len(self.archive.of("kermany", "train")) // record["batch"] * record["batch"],
            "test": self.classification(record, False),
            "test, mean with the mirrored image": mirrored,
            "maps": self.localization(record),
        }


def _each(metric: Any, maps: Sequence[Maps], masks: Masks) -> list[float]:
    return [metric(values, mask) if mask.any() else float("nan") for values, mask in zip(maps, masks, strict=True)]


def as_json(estimate: Estimate) -> dict[str, Any]:
    """Return an estimate for JSON, NaN as null."""
    return {k: None if isinstance(v, float) and np.isnan(v) else v for k, v in asdict(estimate).items()}


def most_accurate(reference: NDArray[np.float64], probability: NDArray[np.float64]) -> float:
    """Return the threshold of the highest accuracy, halfway to the next lower probability; of equal ones the lowest."""
    values = np.unique(probability)
    between = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2, [np.nextafter(values[-1], 2)]])
    right = [float(((probability >= t) == (reference == 1)).mean()) for t in between]
    return float(between[int(np.argmax(right))])


def load(folder: Path) -> tuple[dict[str, Any], dict[str, dict[str, NDArray[Any]]]]:
    """Read the records and the predictions that `train` left."""
    predictions = {}
    for crop in ("whole", "lungs"):
        with np.load(folder / f"predictions-{crop}.npz") as kept:
            predictions[crop] = {name: kept[name] for name in kept.files}
    return json.loads((folder / "records.json").read_text()), predictions


def measure(archive: Archive, results: Path, out: Path, draws: int = DRAWS) -> None:
    """Write ``figures.json``, ``predictions.csv`` and ``curves.csv`` of what `train` left."""
    records, predictions = load(results)
    meter = Measure(archive, predictions, draws)
    figures = {name: meter.of(record) for name, record in records["trainings"].items()}
    probe = json.loads((results / "probe.json").read_text()) if (results / "probe.json").exists() else None
    told = {
        "machine": records["machine"],
        "workers": int(records["asked"]["workers"]),
        "minutes": float(records["asked"]["minutes"]),
        "seconds": records["seconds"],
        "failures": records["failures"],
        "split_sha256": dict(archive.split_sha256),
        "cases": cases(archive),
        "draws": draws,
        "alone": probe["rows"] if probe else [],
        "trainings": figures,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "figures.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "predictions.csv").write_text(predictions_table(meter, records["trainings"]), encoding="utf-8")
    (out / "curves.csv").write_text(curves_table(records["trainings"]), encoding="utf-8")


def cases(archive: Archive) -> dict[str, Any]:
    """Count images, patients and positives of each source's splits."""
    counted = {}
    for source in archive.split_sha256:
        for split in ("train", "tune", "test"):
            chosen = [archive.entries[k] for k in archive.of(source, split)]
            if chosen:
                positive = sum(e.reference for e in chosen)
                counted[f"{source} {split}"] = [len(chosen), len({e.patient_id for e in chosen}), positive]
    return counted


def predictions_table(meter: Measure, records: Mapping[str, Any]) -> str:
    """Return the log-odds of tune and test of Kermany as CSV, a column a training."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["path", "patient_id", "split", "reference", *records])
    for split in ("tune", "test"):
        columns = [meter.log_odds(record, "kermany", split, False) for record in records.values()]
        for row, number in enumerate(meter.archive.of("kermany", split)):
            entry = meter.archive.entries[number]
            values = [f"{column[row]:.3f}" for column in columns]
            writer.writerow([entry.path, entry.patient_id, split, entry.reference, *values])
    return stream.getvalue()


def curves_table(records: Mapping[str, Any]) -> str:
    """Return the learning curves as CSV, a line an epoch."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["training", "epoch", "loss", "tune_auc", "rate", "seconds", "images_per_s"])
    for name, record in records.items():
        for row in record["curve"]:
            numbers = f"{row['loss']:.5f}", f"{row['tune_auc']:.5f}", f"{row['rate']:.3e}"
            writer.writerow([name, row["epoch"], *numbers, f"{row['seconds']:.3f}", f"{row['images_per_s']:.0f}"])
    return stream.getvalue()
