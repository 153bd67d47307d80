"""The page docs/performance.md and the README's figures of speed, from what the benchmarks left in docs/performance/."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pneumoscope import DISCLAIMER
from pneumoscope.export.precision import MAX_AUC, MIN_AGREEMENT, MIN_CORRELATION

FIGURES = Path(__file__).resolve().parent / "performance"
MODELS = ("default", "whole")
BULK = {"bulk": "full size", "bulk-small": "small"}
COLD_S, COLD_MIB, HELP_S, INSTALL_MB = 1.0, 300, 0.25, 400
READING_AT_MOST, XRV_AT_LEAST, RATE_AT_LEAST, FLAT = 2.0, 15, 0.85, 1.1
EXPLAIN_AT_MOST, ROOF_AT_LEAST = 1.05, 0.5
LIBRARY_AT_LEAST = {True: 8, False: 3}  # of a convolutional network, and of a transformer

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], str]]


def page() -> str:
    """The text of docs/performance.md."""
    text = (FIGURES / "page.md").read_text(encoding="utf-8")
    reading, about = figures("reading")["whole_reading"], figures("explain")["machine"]
    parts = {
        "disclaimer": DISCLAIMER,
        "machine": f"{about['cores']} cores ({about['processor']}), Python {about['python']}, "
        f"ONNX Runtime {about['onnxruntime']}, PyTorch {about['torch']}",
        "summary": _wanted(),
        "table:explain": _explain(),
        "explain_notes": _explain_notes(),
        "xrv": reading["note"],
        "table:reading": _reading(reading),
        "table:roofline": _roofline(),
        "table:bulk": _bulk(),
        "bulk_growth": _growth(),
        "table:coldstart": _coldstart(),
        "table:size": _size(),
        "table:precision": _precision(),
        "max_auc": str(MAX_AUC),
        "min_agreement": f"{MIN_AGREEMENT:.0%}",
        "min_correlation": str(MIN_CORRELATION),
        "web": _web(),
        "table:browser": _browser(),
        "split": figures("domain-default")["split"],
        "table:domain": _domain(),
    }
    for key, value in parts.items():
        text = text.replace("{{" + key + "}}", value)
    return text


def speed() -> str:
    """The README's paragraph."""
    return f"{_speed_of_graphs()} {_speed_of_commands()}\n"


def _speed_of_graphs() -> str:
    found, explain = figures("reading"), figures("explain")["rows"]
    ms = {row["way"]: row["ms"] for row in found["whole_reading"]["rows"]}
    bare = found["whole_reading"]["ratios"]["our graph/bare MobileNet-V2 score"]
    batches = " and ".join(str(batch) for batch in sorted({row["batch"] for row in explain}))
    return (
        f"On {found['machine']['cores']} cores the default's one graph (lung fields, probability, heat map, domain) reads a "
        f"shipped radiograph in {ms['our graph']:.1f} ms, {bare:.1f} times the bare score of a MobileNet-V2; `Reader.read` takes "
        f"{ms['Reader.read']:.1f} ms, TorchXRayVision's way to the same {ms['TorchXRayVision']:,.0f} ms. In the median over the "
        f"eight backbones and batches of {batches}, a Grad-CAM map costs "
        f"{median(row['ours/score only'] for row in explain):.2f} times the score alone, and the library grad-cam takes "
        f"{median(row['grad-cam/ours'] for row in explain):.1f} times as long as score and map together."
    )


def _speed_of_commands() -> str:
    cold, install = _processes(), figures("size")["sums"]["environment"]
    large, small = ([row for row in figures(name)["rows"] if row["way"] == "read"][-1] for name in BULK)
    return (
        f"`pneumoscope read` reads {large['radiographs/s']:.0f} full-size or {small['radiographs/s']:.0f} small radiographs a "
        f"second and takes {large['peak MiB']:.0f} MiB; one PNG from a cold start takes "
        f"{cold['pneumoscope read']['seconds']:.1f} s, `--help` {cold['pneumoscope --help']['seconds']:.2f} s, and the light "
        f"install {install:.0f} MB."
    )


def figures(name: str) -> dict[str, Any]:
    """What a benchmark wrote."""
    found: dict[str, Any] = json.loads((FIGURES / f"{name}.json").read_text(encoding="utf-8"))
    return found


def _table(rows: Iterable[Row], columns: Sequence[Column]) -> str:
    lines = ["| " + " | ".join(name for name, _ in columns) + " |", "|---|" + "--:|" * (len(columns) - 1)]
    lines += ["| " + " | ".join(shown(row) for _, shown in columns) + " |" for row in rows]
    return "\n".join(lines)


def _plain(key: str) -> Callable[[Row], str]:
    return lambda row: str(row[key])


def _number(key: str, form: str = ".2f") -> Callable[[Row], str]:
    return lambda row: "–" if row.get(key) is None else format(row[key], form)


def _line(what: str, measured: str, wanted: str, holds: bool) -> Row:
    return {"what": what, "measured": measured, "wanted": wanted, "holds": "yes" if holds else "**no**"}


def _span(values: Sequence[float], form: str = ".2f") -> str:
    return f"{min(values):{form}} to {max(values):{form}}"


def _wanted() -> str:
    """Every wish beside what came out."""
    explain, reading, cold = figures("explain")["rows"], figures("reading")["whole_reading"]["ratios"], _processes()
    lines = [_of_explain(explain)]
    for convolutional, least in LIBRARY_AT_LEAST.items():
        kind = "seven convolutional backbones" if convolutional else "ViT-B/16"
        ratios = [row["grad-cam/ours"] for row in explain if row["backbone"].startswith("vit") is not convolutional]
        lines.append(_line(f"the library grad-cam over ours, {kind}", _span(ratios, ".1f"), f"≥ {least}", min(ratios) >= least))
    bare, xrv = reading["our graph/bare MobileNet-V2 score"], reading["TorchXRayVision/our graph"]
    lines += [
        _line(
            "the default's whole graph over a bare MobileNet-V2",
            f"{bare:.2f}",
            f"≤ {READING_AT_MOST:.0f}",
            bare <= READING_AT_MOST,
        ),
        _line("TorchXRayVision's way over the default's graph", f"{xrv:.0f}", f"≥ {XRV_AT_LEAST}", xrv >= XRV_AT_LEAST),
    ]
    for name in ("resnet18", "resnet50"):
        rate = [row["ours/product"] for row in figures("roofline")["rows"] if row["backbone"] == name]
        told = f"{name}, arithmetic rate over a matrix product's"
        lines.append(_line(told, _span(rate), f"≥ {ROOF_AT_LEAST}", min(rate) >= ROOF_AT_LEAST))
    for name, size in BULK.items():
        rates = [row["rate/graph alone"] for row in figures(name)["rows"] if row["way"] == "read"]
        lines.append(
            _line(f"`read`, {size}, over the graph's rate", _span(rates), f"≥ {RATE_AT_LEAST}", min(rates) >= RATE_AT_LEAST)
        )
    memory = figures("bulk")["growth"]["read, peak MiB"]
    lines.append(_line("its peak memory, ten times the files", f"× {memory:.2f}", f"≤ × {FLAT}", memory <= FLAT))
    read, helping = cold["pneumoscope read"], cold["pneumoscope --help"]
    install = figures("size")["sums"]["environment"]
    lines += [
        _line("one PNG from a cold start", f"{read['seconds']:.2f} s", f"≤ {COLD_S} s", read["seconds"] <= COLD_S),
        _line("its peak memory", f"{read['peak MiB']:.0f} MiB", f"≤ {COLD_MIB} MB", read["peak MiB"] * 1.048576 <= COLD_MIB),
        _line("`pneumoscope --help`", f"{helping['seconds']:.2f} s", f"≤ {HELP_S} s", helping["seconds"] <= HELP_S),
        _line("the light install", f"{install:.0f} MB", f"≤ {INSTALL_MB} MB", install <= INSTALL_MB),
    ]
    return _table(lines, [(name, _plain(name)) for name in ("what", "measured", "wanted", "holds")])


def _of_explain(rows: Sequence[Row]) -> Row:
    ratios = [row["ours/score only"] for row in rows]
    what = f"score and map over the score alone, {len({row['backbone'] for row in rows})} backbones"
    return _line(what, _span(ratios), f"≤ {EXPLAIN_AT_MOST}", max(ratios) <= EXPLAIN_AT_MOST)


def _explain() -> str:
    rows = figures("explain")["rows"]
    times = [
        (name, _number(f"{name} ms", ".1f")) for name in ("score only", "ours", "eager score", "grad-cam", "torchcam", "hooks")
    ]
    pairs = [
        (f"{a} / {b}", _number(f"{a}/{b}"))
        for a, b in (("ours", "score only"), ("grad-cam", "ours"), ("torchcam", "ours"), ("hooks", "ours"))
    ]
    first: list[Column] = [("backbone", _plain("backbone")), ("batch", _plain("batch"))]
    return _table(rows, [*first, *times, *pairs, ("apart", _number("difference", ".0e"))])


def _explain_notes() -> str:
    far = [f"{row['backbone']}, batch {row['batch']}" for row in figures("explain")["rows"] if not row["difference"] <= 1e-4]
    return f"Further apart than 1e-4: {'; '.join(far)}." if far else "No maps are further apart than 1e-4 of their maximum."


def _reading(found: Mapping[str, Any]) -> str:
    over = {"our graph": "bare MobileNet-V2 score", "Reader.read": "bare MobileNet-V2 score", "TorchXRayVision": "our graph"}

    def ratio(row: Row) -> str:
        under = over.get(row["way"])
        return f"{found['ratios'][row['way'] + '/' + under]:,.2f} × {under}" if under else ""

    return _table(found["rows"], [("way", _plain("way")), ("ms a radiograph", _number("ms", ",.1f")), ("ratio", ratio)])


def _roofline() -> str:
    first: list[Column] = [("backbone", _plain("backbone")), ("batch", _plain("batch"))]
    rates = [(key, _number(key, ".1f")) for key in ("GFLOP an image", "ours GFLOP/s", "best product GFLOP/s")]
    return _table(figures("roofline")["rows"], [*first, *rates, ("ours / product", _number("ours/product"))])


def _bulk() -> str:
    rows = [{"size": size, **row} for name, size in BULK.items() for row in figures(name)["rows"]]
    return _table(
        rows,
        [
            ("radiographs", lambda row: f"{row['radiographs']:,}, {row['size']}"),
            ("way", _plain("way")),
            ("radiographs a second", _number("radiographs/s", ".1f")),
            ("over the graph's rate", _number("rate/graph alone")),
            ("peak, MiB", _number("peak MiB", ".0f")),
        ],
    )


def _growth() -> str:
    told = []
    for name, size in BULK.items():
        counts = sorted({row["radiographs"] for row in figures(name)["rows"]})
        grown = figures(name)["growth"]
        told.append(
            f"{size.capitalize()}, {counts[-1]:,} over {counts[0]:,} radiographs: time of each × {grown['read, ms each']:.2f}, "
            f"peak memory × {grown['read, peak MiB']:.2f} (with overlays × {grown['read with overlays, ms each']:.2f} and "
            f"× {grown['read with overlays, peak MiB']:.2f})."
        )
    return " ".join(told)


def _processes() -> dict[str, Row]:
    return {row["process"]: row for row in figures("coldstart")["rows"]}


def _coldstart() -> str:
    return _table(
        figures("coldstart")["rows"],
        [
            ("process", lambda row: f"`{row['process']}`"),
            ("seconds", _number("seconds")),
            ("peak, MiB", _number("peak MiB", ".0f")),
        ],
    )


def _size() -> str:
    found = figures("size")
    rows = [{"what": name, "MB": size} for name, size in found["sums"].items()]
    rows += [{"what": f"graph: {name}", "MB": size} for name, size in found["graphs"].items()]
    rows += [{"what": f"package: {row['package']}", "MB": row["MB"]} for row in found["packages"][:8]]
    return _table(rows, [("what", _plain("what")), ("MB", _number("MB", ".1f"))])


def _precision() -> str:
    return _table(
        figures("precision")["rows"],
        [
            ("model", _plain("model")),
            ("precision", _plain("precision")),
            ("MB", lambda row: f"{row['MB']:.1f} of {row['MB fp32']:.1f}" if "MB" in row else "refused: " + row["refused"]),
            ("faster", _number("faster")),
            ("ROC-AUC moves by", _number("auc_difference", "+.4f")),
            ("decisions agree", _number("decisions", ".1%")),
            ("maps correlate by", _number("map_correlation", ".3f")),
            ("convolutions kept wide", _number("wide_share", ".0%")),
        ],
    )


def _web() -> str:
    found = figures("browser-default")
    return f"{found['runtime']} (WebAssembly), Chromium {found['browser']}"


def _browser() -> str:
    found = {name: figures(f"browser-{name}") for name in MODELS}
    rows = [{"model": name, **row} for name, told in found.items() for row in told["rows"]]
    outputs = list(dict.fromkeys(key for row in rows for key in row if key not in ("model", "threads", "load ms", "read ms")))
    first = [("model", _plain("model")), ("threads", _plain("threads")), ("load, ms", _number("load ms", ".0f"))]
    return _table(rows, [*first, ("read, ms", _number("read ms", ".1f")), *((name, _number(name, ".0e")) for name in outputs)])


def _domain() -> str:
    both = {name: {row["set"]: row for row in figures(f"domain-{name}")["rows"]} for name in MODELS}
    rows = [
        {"set": known, "images": row["images"]}
        | {f"`{name}`: outside": _share(both[name][known]) for name in MODELS}
        | {f"`{name}`: ROC-AUC": _auc(both[name][known]) for name in MODELS}
        for known, row in both["default"].items()
    ]
    return _table(rows, [(name, _plain(name)) for name in rows[0]])


def _share(row: Row) -> str:
    return f"{row['share']:.0%} ({row['low']:.0%}–{row['high']:.0%})"


def _auc(row: Row) -> str:
    return f"{row['ROC-AUC']:.3f} ({row['AUC low']:.3f}–{row['AUC high']:.3f})" if row.get("ROC-AUC") is not None else "–"
