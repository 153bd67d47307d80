"""Write the generated parts of README and docs/: commands, form of a reading, localization, performance, results, pictures.

    python docs/generate.py

A test calls `texts()` and fails if a file differs from it.
"""

import json
from pathlib import Path
from typing import Any

import adults_page
import architecture_picture
import click
import localization_page
import performance_page
import recipes_table
import results_page
import scale_page

from pneumoscope import DISCLAIMER, radiograph
from pneumoscope.archive import result_table
from pneumoscope.classifier import card as cards
from pneumoscope.cli.main import VERBS, pneumoscope
from pneumoscope.cohort.sample import sample
from pneumoscope.pacs import conformance
from pneumoscope.reader import DEFAULT_BUNDLE, Reader
from pneumoscope.readings import form
from pneumoscope.reports.overlay import paint

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "overlay.jpg"
PICTURED_CASE = "PNEUMONIA/person1946_bacteria_4874.jpeg"
BLOCKS = {
    "results": ("<!-- results: made by docs/generate.py -->", "<!-- end of results -->"),
    "adults": ("<!-- adults: made by docs/generate.py -->", "<!-- end of adults -->"),
    "maps": ("<!-- maps: made by docs/generate.py -->", "<!-- end of maps -->"),
    "comparison": ("<!-- comparison: made by docs/generate.py -->", "<!-- end of comparison -->"),
    "recipes": ("<!-- recipes: made by docs/generate.py -->", "<!-- end of recipes -->"),
    "columns": ("<!-- columns: made by docs/generate.py -->", "<!-- end of columns -->"),
    "speed": ("<!-- speed: made by docs/generate.py -->", "<!-- end of speed -->"),
    "scale_measured": ("<!-- scale_measured: made by docs/generate.py -->", "<!-- end of scale_measured -->"),
    "scale_plan": ("<!-- scale_plan: made by docs/generate.py -->", "<!-- end of scale_plan -->"),
}
_SHOWN = ("ROC-AUC", "PR-AUC", "accuracy", "balanced accuracy", "sensitivity", "specificity", "PPV", "NPV", "F1", "MCC",
          "Brier", "ECE", "calibration slope", "calibration intercept")  # fmt: skip


def texts() -> dict[Path, str]:
    """Make every generated text, by its file; in hand-written pages only the generated blocks are replaced."""
    blocks = {
        "README.md": {"maps": localization_page.headline() + "\n"},
        "docs/model.md": {"results": results(), "adults": adults_page.tables()},
        "docs/how-to/archive.md": {"columns": _columns()},
        "docs/how-to/train.md": {"recipes": recipes_table.tables()},
        "docs/comparison.md": {"comparison": results_page.headline()},
        "docs/index.md": {"speed": performance_page.speed()},
        "docs/scale.md": scale_page.blocks(),
    }
    return {
        ROOT / "docs" / "architecture.svg": architecture_picture.picture(),
        ROOT / "docs" / "commands.md": _commands(),
        ROOT / "docs" / "conformance.md": conformance.page(),
        ROOT / "docs" / "readings.md": _readings(),
        ROOT / "docs" / "localization.md": localization_page.page(),
        ROOT / "docs" / "performance.md": performance_page.page(),
        ROOT / "docs" / "results.md": results_page.page(),
        **{ROOT / name: _with_blocks(ROOT / name, block) for name, block in blocks.items()},
    }


def _with_blocks(file: Path, blocks: dict[str, str]) -> str:
    text = file.read_text(encoding="utf-8")
    for name, block in blocks.items():
        begin, end = BLOCKS[name]
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{block}{end}{rest.split(end)[1]}"
    return text


def _columns() -> str:
    """The columns of a data set of results."""
    rows = [f"| `{column.name}` | {column.kind} | {column.meaning} |" for column in result_table.COLUMNS]
    return "\n".join(["| column | type | meaning |", "|---|---|---|", *rows]) + "\n"


def results() -> str:
    """Make the table of the default model's figures on the children of the test split from its card."""
    card = cards.read(DEFAULT_BUNDLE)
    test: dict[str, Any] = card.results["test, child"]
    point = test["operating_point"]
    tn, fp, fn, tp = test["confusion"]
    lines = [
        f"`{card.name}`, {card.preprocessing.crop} crop, {card.preprocessing.size_px} px; "
        f"test split of partition `{test['split_sha256'][:12]}`: "
        f"{test['n_images']:,} images of {test['n_patients']:,} patients, {test['n_positive']} images with pneumonia. "
        f"Children's threshold {point['threshold']:.3f} ({point['rule']}) and calibration fixed on tune.",
        "",
        "| figure | value | 95 % interval |",
        "|---|--:|:-:|",
    ]
    for name in _SHOWN:
        figure = test["figures"][name]
        lines.append(f"| {name} | {figure['value']:.4f} | {figure['low']:.4f}–{figure['high']:.4f} |")
    groups = "; ".join(
        f"{name}: ROC-AUC {g['ROC-AUC']['value']:.4f} ({g['ROC-AUC']['low']:.4f}–{g['ROC-AUC']['high']:.4f}), "
        f"sensitivity {g['sensitivity']['value']:.3f} ({g['sensitivity']['low']:.3f}–{g['sensitivity']['high']:.3f})"
        for name, g in test["subgroups"].items()
    )
    lines += ["", f"Confusion: TN {tn}, FP {fp}, FN {fn}, TP {tp}. Against all normals: {groups}. Intervals resample patients."]
    return "\n".join(lines) + "\n"


def _commands() -> str:
    parts = ["# Commands", "", f"{DISCLAIMER} `make docs` makes this page from the program.", ""]
    root = click.Context(pneumoscope, info_name="pneumoscope", **pneumoscope.context_settings)
    for name in VERBS:
        command = pneumoscope.get_command(root, name)
        assert command is not None
        parts += _help(command, click.Context(command, parent=root, info_name=name), 2)
    return "\n".join(parts)


def _help(command: click.Command, context: click.Context, depth: int) -> list[str]:
    context.terminal_width = context.max_content_width = 100
    parts = [f"{'#' * depth} `{context.command_path}`", "", "```text", command.get_help(context), "```", ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            parts += _help(child, click.Context(child, parent=context, info_name=name), depth + 1)
    return parts


def _readings() -> str:
    schema = form.schema()
    intro = f"{schema['title']}. {schema['description']} `make docs` makes this page from the program."
    lines = ["# The form of a reading", "", intro, "", "| key | type | meaning |", "|---|---|---|"]
    lines += _keys("", schema["properties"])
    lines += ["", "The JSON Schema (2020-12), shipped as `pneumoscope/readings/form.schema.json`:", "", "```json",
              json.dumps(schema, indent=2, ensure_ascii=False), "```", ""]  # fmt: skip
    return "\n".join(lines)


def _keys(prefix: str, properties: dict[str, Any]) -> list[str]:
    lines = []
    for name, part in properties.items():
        kind = part.get("type") or " or ".join(json.dumps(v) for v in part.get("enum", [part.get("const")]))
        shown = " or ".join(kind) if isinstance(kind, list) else kind
        lines.append(f"| `{prefix}{name}` | {shown} | {part.get('description', '')} |")
        lines += _keys(f"{prefix}{name}.", part.get("properties", {}))
        lines += _keys(f"{prefix}{name}[].", part.get("items", {}).get("properties", {}))
    return lines


def picture() -> None:
    """Draw the overlay of one shipped radiograph, as `pneumoscope demo` does."""
    with sample() as cohort:
        case = next(c for c in cohort.cases if c.path == PICTURED_CASE)
        image = radiograph.read(cohort.file(case))
        paint(image, Reader.load().read(image)).save(PICTURE, quality=88)


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))
    picture()
    localization_page.picture()
    print(PICTURE.relative_to(ROOT))
