"""What the command answers about fixed inputs, as plain values that do not depend on the form of its files."""

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pneumoscope.comparison.pairwise import pairs
from pneumoscope.comparison.summary import summaries
from tests.cli.run import run
from tests.comparison.builders import made

BUNDLES = ("default", "whole")
TILE_PX = 80
"""Edge of one overlay in the contact sheet."""
COARSE = 6
"""A heat map is summarized by the means of so many by so many blocks."""


def read_sample(bundle: str, out: Path) -> Path:
    """Read the shipped radiographs with a shipped bundle, with overlays and maps."""
    with as_file(files("pneumoscope.cohort") / "sample_files") as sample:
        ran = run("read", sample, "-o", out, "--model", bundle, "--maps")
    assert ran.code == 0, ran.err
    return out


def readings(out: Path) -> dict[str, dict[str, Any]]:
    """By the name of the radiograph: the values of its line, and its map in few numbers."""
    lines = [json.loads(text) for text in (out / "readings.jsonl").read_text(encoding="utf-8").splitlines()]
    return {line["path"]: {**reading(line), "map": coarse(out / "maps" / f"{line['path']}.npy")} for line in lines}


def reading(line: Mapping[str, Any]) -> dict[str, Any]:
    """What a line says, by the names of form 3 or those that replaced them."""
    return {
        "target": line["target"],
        "probability": line["probability"],
        "log_odds": line["log_odds"],
        "decision": line["decision"],
        "abstains": line["abstains"],
        "threshold": line["operating_point"]["threshold"],
        "domain": {key: line["domain"][key] for key in ("inside", "distance", "limit")},
        "lung_fields": {key: line["lung_fields"][key] for key in ("state", "quality", "area_share", "box")},
        "findings": [finding(one) for one in line["findings"]],
        "shape": [line["rows"], line["cols"]],
        "map_of": {key: line["map"][key] for key in ("target", "method", "scale", "threshold")},
    }


def finding(one: Mapping[str, Any]) -> dict[str, Any]:
    laterality = one["laterality"] if "laterality" in one else one["side"]
    return {**{key: one[key] for key in ("box", "peak", "area_px", "rating", "zone")}, "laterality": laterality}


def coarse(file: Path) -> dict[str, Any]:
    """The maximum, and the means of blocks, of a heat map."""
    values = np.load(file).astype(float)
    blocks = [np.array_split(row, COARSE, axis=1) for row in np.array_split(values, COARSE)]
    return {"max": float(values.max()), "blocks": [[float(block.mean()) for block in row] for row in blocks]}


def overlays(out: Path) -> Image.Image:
    """The overlays of the sample in small, in the order of their names, eight in a row."""
    pictures = sorted((out / "overlays").rglob("*.png"))
    sheet = Image.new("RGB", (8 * TILE_PX, math.ceil(len(pictures) / 8) * TILE_PX))
    for k, file in enumerate(pictures):
        with Image.open(file) as picture:
            tile = picture.convert("RGB").resize((TILE_PX, TILE_PX), Image.Resampling.BOX)
        sheet.paste(tile, (k % 8 * TILE_PX, k // 8 * TILE_PX))
    return sheet


def scattered(n: int, start: float) -> np.ndarray:
    """Numbers in (0, 1), evenly scattered and in no order: multiples of the golden ratio; no generator of random numbers."""
    return (start + np.arange(1, n + 1) * (math.sqrt(5) - 1) / 2) % 1


def probabilities(reference: np.ndarray, start: float, separation: float) -> np.ndarray:
    """Logistic scores, of which those of the positives lie higher by `separation`."""
    u = scattered(len(reference), start)
    return 1 / (1 + (1 - u) / u * np.exp(-separation * (reference - 0.5)))


def evaluation(folder: Path, images_per_patient: int) -> dict[str, Any]:
    """`evaluate` on stored predictions of 80 images."""
    folder.mkdir(parents=True, exist_ok=True)
    reference = np.repeat(np.arange(80 // images_per_patient) % 2, images_per_patient)
    with (folder / "predictions.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["path", "patient_id", "label", "subtype", "reference", "log_odds", "probability"])
        for k, (r, p) in enumerate(zip(reference, probabilities(reference, 0.3, 2.0), strict=True)):
            label, subtype = ("PNEUMONIA", ("bacteria", "virus")[k // 4 % 2]) if r else ("NORMAL", "normal")
            writer.writerow([f"{k}.png", f"p{k // images_per_patient}", label, subtype, r, float(np.log(p / (1 - p))), float(p)])
    point = {"threshold": 0.5, "rule": "youden", "side": "tune", "split_sha256": "abc"}
    head = {"side": "test", "split_sha256": "abc", "model": "model", "operating_points": [point], "calibrated_on": ""}
    (folder / "predictions.json").write_text(json.dumps(head), encoding="utf-8")
    ran = run("evaluate", "--predictions", folder / "predictions.csv", "-o", folder / "out", "--draws", 200)
    assert ran.code == 0, ran.err
    metrics = json.loads((folder / "out" / "metrics.json").read_text(encoding="utf-8"))
    return {
        **{key: metrics[key] for key in ("n_images", "n_patients", "n_positive", "confusion")},
        "threshold": metrics["operating_point"]["threshold"],
        "figures": {name: estimate(e) for name, e in metrics["figures"].items()},
        "subgroups": {group: {name: estimate(e) for name, e in own.items()} for group, own in metrics["subgroups"].items()},
    }


def estimate(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tree[key] for key in ("value", "low", "high", "n")}


def synthetic_comparison() -> dict[str, Any]:
    """Figures and paired tests of three members with made-up probabilities of 60 cases."""
    reference = (np.arange(60) % 2).astype(float)
    strengths = {"mobilenet_v2": (0.1, 3.0), "resnet18": (0.6, 2.0), "densenet121": (0.4, 0.5)}
    members = [
        made(name, probabilities(reference, start + 0.05, by), probabilities(reference, start, by), reference)
        for name, (start, by) in strengths.items()
    ]
    found = pairs(members, 100)
    return {
        "members": {name: {k: spread(asdict(s)) for k, s in own.items()} for name, own in summaries(members, 100).items()},
        "pairs": [pair(asdict(one)) for one in found],
    }


def spread(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {key: finite(summary[key]) for key in ("value", "low", "high")}


def pair(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **{key: one[key] for key in ("first", "second")},
        **{key: finite(one[key]) for key in ("p", "adjusted", "mcnemar", "mcnemar_adjusted")},
        "ROC-AUC by DeLong": spread(one["roc_auc"]),
        "by bootstrap": {name: spread(own) for name, own in one["bootstrap"].items()},
    }


def finite(value: float | None) -> float | None:
    """A number, or None where it is undefined, as in JSON."""
    return None if value is None or math.isnan(value) else value


def trained_comparison(cohort_file: Path, out: Path) -> dict[str, Any]:
    """`compare` of two tiny networks that it trains from scratch; times left out."""
    ran = run(
        "compare", cohort_file, "-o", out, "--cache", out / "cache", "--init", "scratch", "--side-px", 32, "--batch", 8,
        "--epochs", 2, "--warmup-epochs", 0, "--draws", 100, "--intervene", 2,
        "--backbones", "mobilenet_v2,efficientnet_lite0", "--ensemble", "mobilenet_v2,efficientnet_lite0",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    tree = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    return {
        "test": tree["test"],
        "members": {name: {k: spread(s) for k, s in own.items()} for name, own in tree["members"].items()},
        "pairs": [pair(one) for one in tree["pairs"]],
        "shortcuts": {name: spread(own) for name, own in tree["shortcuts"].items()},
        "size": {
            name: [own["parameters, million"], own["multiply-adds, million"], own["epochs"]]
            for name, own in tree["costs"].items()
        },
    }


def without_training(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Of a comparison, what does not depend on the weights that training ends in."""
    return {
        **{key: tree[key] for key in ("test", "size", "shortcuts")},
        "figures": {name: sorted(own) for name, own in tree["members"].items()},
        "pairs": [[one["first"], one["second"], sorted(one["by bootstrap"])] for one in tree["pairs"]],
        "lungs": {name: own["share of the image that is lung"] for name, own in tree["members"].items() if name in tree["size"]},
    }
