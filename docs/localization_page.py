"""Make docs/localization.md and its picture from the figures of `pneumoscope localize` in docs/localization/."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pneumoscope import DISCLAIMER, radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.radiograph import Radiograph
from pneumoscope.reader import Reader
from pneumoscope.reader.shipped import SHIPPED
from pneumoscope.readings import ModelReading
from pneumoscope.reports.overlay import blend

HERE = Path(__file__).resolve().parent
FIGURES = HERE / "localization"
PICTURE = HERE / "localization.jpg"
SETS = {
    "rsna": "RSNA, adults",
    "covid": "COVID-19, adults",
    "kermany320": "Kermany, children with lung masks",
    "kermany": "Kermany, children",
    "methods": "RSNA, adults",
}
MODELS = {"whole": "whole image, Grad-CAM (as published)", "default": "lungs, evidence (default)"}
_PANEL = 300


def page() -> str:
    """Make the text of docs/localization.md."""
    text = (FIGURES / "page.md").read_text(encoding="utf-8")
    parts = {
        "disclaimer": DISCLAIMER,
        "summary": summary(),
        **{f"tables:{name}": _tables(name) for name in SETS if name != "methods"},
        "methods": _more("methods"),
        "seeds": _seeds(),
        "ablation": _ablation(),
        "cases": "; ".join(f"`{path}` ({why})" for path, why in chosen()),
    }
    for key, value in parts.items():
        text = text.replace("{{" + key + "}}", value)
    return text


def figures(name: str, model: str) -> dict[str, Any]:
    """Read the figures of `localize`; an empty dictionary if it was not run."""
    path = FIGURES / f"{name}-{model}.json"
    measured: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return measured


def shown(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "undefined"
    if estimate["low"] is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f}–{estimate['high']:.3f})"


HEADLINE = (
    ("kermany", "image", "ROC-AUC"),
    ("kermany", "ROC-AUC when parts of the image are hidden", "lungs removed"),
    ("kermany320", "anatomy", "peak in the lungs"),
    ("rsna", "image", "ROC-AUC"),
    ("rsna", "against_regions", "hit"),
    ("rsna", "against_regions", "pixel AP"),
)


def headline() -> str:
    """Make the README's table, with one column per model."""
    return _rows(HEADLINE)


def summary() -> str:
    """Make the table of the most important figures, with one column per model."""
    return _rows(SUMMARY)


SUMMARY = (
    ("kermany", "image", "ROC-AUC"),
    ("kermany", "ROC-AUC when parts of the image are hidden", "lungs removed"),
    ("kermany", "ROC-AUC when parts of the image are hidden", "outer tenth only"),
    ("kermany320", "anatomy", "energy in the lungs"),
    ("kermany320", "anatomy", "peak in the lungs"),
    ("rsna", "image", "ROC-AUC"),
    ("rsna", "against_regions", "hit"),
    ("rsna", "against_regions", "pixel AP"),
    ("rsna", "against_regions", "hit, smaller half"),
    ("rsna", "anatomy", "correct laterality (one-sided cases)"),
    ("rsna", "free_response", "sensitivity at 1 false marks per image"),
    ("covid", "against_regions", "hit"),
    ("covid", "against_regions", "pixel AP"),
)


def _rows(rows: Sequence[tuple[str, str, str]]) -> str:
    lines = [f"| set (held-out or test split) | figure | {MODELS['whole']} | {MODELS['default']} |", "|---|---|--:|--:|"]
    for name, group, key in rows:
        measured = [figures(name, model) for model in MODELS]
        both = [own[group][key] if group in own else own["further"][group][key] for own in measured]
        label = key if group in measured[0] else f"ROC-AUC, {key}"
        n = f"{measured[0]['n_images']} images, {measured[0]['n_patients']} patients"
        lines.append(f"| {SETS[name]} ({n}) | {label} | {shown(both[0])} | {shown(both[1])} |")
    return "\n".join(lines)


def _tables(name: str) -> str:
    """Make all tables of one set, with one column per model."""
    both = {model: figures(name, model) for model in MODELS}
    first = both["default"]
    lines = [
        f"{first['n_images']} images of {first['n_patients']} patients, {first['n_with_regions']} with reference regions; "
        f"{first['split']} split of partition `{first['split_sha256'][:12]}`.",
        "",
    ]
    for model, title in MODELS.items():
        lines.append(f"- {title}: {both[model]['verdict']}")
    groups = {
        "against the reference regions": "against_regions",
        "free response": "free_response",
        "against anatomy": "anatomy",
        "whole images": "image",
    }
    for title, group in groups.items():
        lines += _side_by_side(title, {model: both[model][group] for model in MODELS})
    for title in first["further"]:
        lines += _side_by_side(title, {model: both[model]["further"].get(title, {}) for model in MODELS})
    for figure in first["uninformed"]:
        lines += _uninformed(figure, both)
    return "\n".join(lines)


def _more(name: str) -> str:
    """Make the additional tables of a run only."""
    both = {model: figures(name, model).get("further", {}) for model in MODELS}
    lines: list[str] = []
    for title in both["default"]:
        lines += _side_by_side(title, {model: both[model].get(title, {}) for model in MODELS})
    return "\n".join(lines)


def _seeds() -> str:
    """Compare the maps of the short training with those of another seed and of shuffled labels."""
    tables: dict[str, Any] = json.loads((FIGURES / "seeds.json").read_text(encoding="utf-8"))["further"]
    lines = ["| the short training's maps compared with | SSIM, rank correlation |", "|---|--:|"]
    for table in tables.values():
        lines += [f"| {key} | {shown(value)} |" for key, value in table.items() if "layers random" not in key]
    return "\n".join(lines)


def _side_by_side(title: str, both: dict[str, dict[str, Any]]) -> list[str]:
    if not any(both.values()):
        return []
    lines = ["", f"| {title} | {MODELS['whole']} | {MODELS['default']} |", "|---|--:|--:|"]
    plain = {model: {_plain(key): value for key, value in both[model].items()} for model in MODELS}
    for key in plain["default"]:
        cells = [shown(plain[model][key]) if key in plain[model] else "–" for model in MODELS]
        lines.append(f"| {key} | {cells[0]} | {cells[1]} |")
    return lines


def _plain(key: str) -> str:
    """Remove the time from the name of a method, because it differs between models."""
    return key.rsplit(" (", 1)[0] if key.endswith(" s)") else key


def _uninformed(figure: str, both: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        "",
        f"| {figure} of uninformed baselines | value | {MODELS['whole']} − baseline | {MODELS['default']} − baseline |",
        "|---|--:|--:|--:|",
    ]
    for rule, baseline in both["default"]["uninformed"][figure].items():
        other = both["whole"]["uninformed"][figure][rule]["difference"]
        lines.append(f"| {rule} | {baseline['value']['value']:.3f} | {shown(other)} | {shown(baseline['difference'])} |")
    return lines


def _ablation() -> str:
    """Make one row for each run: the part that was left out, and the figures on tune splits."""
    lines = [
        "| left out | Kermany ROC-AUC | lung energy | lung peak | RSNA ROC-AUC, hit, pixel AP | | | COVID hit, pixel AP | |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for path in sorted((FIGURES / "ablation").glob("*.json")):
        row = json.loads(path.read_text(encoding="utf-8"))
        cells = [math.nan if v is None else v for v in row["figures"].values()]
        lines.append(f"| {row['left out']} | " + " | ".join(f"{v:.3f}" for v in cells) + " |")
    return "\n".join(lines)


def chosen() -> list[tuple[str, str]]:
    """Choose shipped radiographs by rule, not by hand."""
    reader = Reader.load()
    threshold = reader.card.operating_point.threshold
    with sample() as cohort:
        read = {c.path: (c.reference, reader.read(radiograph.read(cohort.file(c))).score.probability) for c in cohort.cases}
    positive = {path: p for path, (reference, p) in read.items() if reference}
    negative = {path: p for path, (reference, p) in read.items() if not reference}
    picks = [
        (max(positive, key=lambda k: positive[k]), "pneumonia, the most probable"),
        (min(positive, key=lambda k: positive[k]), "pneumonia, the least probable"),
        (max(negative, key=lambda k: negative[k]), "normal, the most probable pneumonia"),
        (min(read, key=lambda k: abs(read[k][1] - threshold)), "nearest to the threshold"),
    ]
    seen: dict[str, str] = {}
    for path, why in picks:
        seen[path] = f"{seen[path]}; {why}" if path in seen else why
    return list(seen.items())


def picture() -> None:
    """Draw the chosen radiographs without a map, with the published map and with the default map."""
    readers = [Reader.load(SHIPPED[name]) for name in MODELS]
    rows = []
    with sample() as cohort:
        for path, _ in chosen():
            image = radiograph.read(cohort.file(next(c for c in cohort.cases if c.path == path)))
            rows.append(_row(image, [reader.read(image) for reader in readers]))
    width = max(r.width for r in rows)
    sheet = Image.new("RGB", (width, sum(r.height for r in rows)), (18, 18, 18))
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    sheet.save(PICTURE, quality=86)


def _row(image: Radiograph, readings: list[ModelReading]) -> Image.Image:
    size = (round(_PANEL * image.cols / image.rows), _PANEL)
    small = Radiograph(np.asarray(Image.fromarray(image.pixels).resize(size, Image.Resampling.BILINEAR), np.float32))
    grey = np.repeat(np.rint(small.pixels * 255).astype(np.uint8)[..., None], 3, 2)
    panels = [(Image.fromarray(grey), "")]
    for reading in readings:
        values = np.asarray(Image.fromarray(reading.heatmap.values).resize(size, Image.Resampling.BILINEAR), np.float32)
        panels.append((Image.fromarray(blend(small, values)), f"{reading.heatmap.method}: {reading.score.probability:.3f}"))
    sheet = Image.new("RGB", (3 * (size[0] + 8), _PANEL + 30), (18, 18, 18))
    draw = ImageDraw.Draw(sheet)
    for k, (panel, label) in enumerate(panels):
        sheet.paste(panel, (k * (size[0] + 8), 4))
        draw.text((k * (size[0] + 8) + 4, _PANEL + 8), label, fill=(230, 230, 230), font=ImageFont.load_default(15))
    return sheet
