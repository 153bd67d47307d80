"""Make docs/performance.md and the figures of speed in docs/index.md from the benchmarks' files in docs/performance/."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pneumoscope import DISCLAIMER
from pneumoscope.export.precision import MAX_AUC, MIN_AGREEMENT, MIN_CORRELATION

FIGURES = Path(__file__).resolve().parent / "performance"
MODELS = ("default", "whole")
BULK = {"bulk": "full size", "bulk-small": "small", "bulk-large": "detector size"}
_INDISPENSABLE = ("onnxruntime", "numpy", "pillow", "pydicom")
_DECODERS = ("pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg")
_OF_EVERY_ENVIRONMENT = ("pip", "setuptools")
COLD_S, COLD_MIB, HELP_S, INSTALL_MB = 0.5, 300, 0.25, 220
READING_AT_MOST, XRV_AT_LEAST, GROWTH_AT_MOST = 2.0, 15, 1.1
RATES_AT_LEAST = {
    ("bulk", "read"): 0.85,
    ("bulk-small", "read"): 0.90,
    ("bulk", "read with overlays as JPEG"): 0.6,
    ("bulk-small", "read with overlays as JPEG"): 0.6,
}
EXPLAIN_AT_MOST, PRODUCT_AT_LEAST = 1.05, 0.5
LIBRARY_AT_LEAST = {True: 8, False: 3}  # by whether the network is convolutional

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], str]]


def page() -> str:
    """Make the text of docs/performance.md."""
    text = (FIGURES / "page.md").read_text(encoding="utf-8")
    reading, machine = figures("reading")["whole_reading"], figures("explain")["machine"]
    parts = {
        "disclaimer": DISCLAIMER,
        "machine": f"{machine['cores']} cores ({machine['processor']}), Python {machine['python']}, "
        f"ONNX Runtime {machine['onnxruntime']}, PyTorch {machine['torch']}",
        "summary": _targets(),
        "table:explain": _explain(),
        "explain_notes": _explain_notes(),
        "xrv": reading["note"],
        "table:reading": _reading(reading),
        "table:roofline": _roofline(),
        "table:bulk": _bulk(),
        "bulk_growth": _growth(),
        **_reduced(),
        "table:coldstart": _coldstart(),
        "table:size": _size(),
        "size_note": _size_note(),
        "table:precision": _precision(),
        "max_auc": str(MAX_AUC),
        "min_agreement": f"{MIN_AGREEMENT:.0%}",
        "min_correlation": str(MIN_CORRELATION),
        **_training(),
        "serve_films": f"{figures('serve')['films']:,}",
        "table:serve_decoding": _serve_decoding(),
        "table:serve_requests": _serve_requests(),
        "serve_memory_films": f"{figures('serve-memory')['films']:,}",
        "table:serve_memory": _serve_memory(),
        "web": _web(),
        "table:browser": _browser(),
        "table:runtimes": _runtimes(),
        "split": figures("domain-default")["split"],
        "table:domain": _domain(),
    }
    for key, value in parts.items():
        text = text.replace("{{" + key + "}}", value)
    return text


def speed() -> str:
    """Make the block of docs/index.md."""
    return f"{_speed_of_graphs()} {_speed_of_commands()}\n"


def _speed_of_graphs() -> str:
    measured, explain = figures("reading"), figures("explain")["rows"]
    ms = {row["way"]: row["ms"] for row in measured["whole_reading"]["rows"]}
    over_bare = measured["whole_reading"]["ratios"]["our graph/bare MobileNet-V2 score"]
    batches = " and ".join(str(batch) for batch in sorted({row["batch"] for row in explain}))
    return (
        f"On {measured['machine']['cores']} cores the single graph of the default (lung fields, probability, heat map, domain) "
        f"takes {ms['our graph']:.1f} ms for a shipped radiograph, {over_bare:.1f} times the bare score of a MobileNet-V2; "
        f"`Reader.read` takes {ms['Reader.read']:.1f} ms, the equivalent of TorchXRayVision {ms['TorchXRayVision']:,.0f} ms. In "
        f"the median over the eight backbones and batches of {batches}, score and Grad-CAM map together take "
        f"{median(row['ours/score only'] for row in explain):.2f} times the time of the score alone, and the library grad-cam "
        f"takes {median(row['grad-cam/ours'] for row in explain):.1f} times as long as score and map together."
    )


def _speed_of_commands() -> str:
    cold, install = _processes(), figures("size")["sums"]["added by the installation"]
    large, small = (figures(name)["further"]["read"]["processor ms"] for name in ("bulk", "bulk-small"))
    peak = max(row["peak MiB"] for row in figures("bulk")["rows"] if row["way"] == "read")
    return (
        f"`pneumoscope read` takes {large:.0f} ms of one core for a full-size radiograph and "
        f"{small:.0f} ms for a small one, and {peak:.0f} MiB of memory; one PNG from a cold start "
        f"takes {cold['pneumoscope read']['processor seconds']:.1f} s of processor time and `--help` "
        f"{cold['pneumoscope --help']['processor seconds']:.2f} s. The installation for reading has {install:.0f} MB."
    )


def figures(name: str) -> dict[str, Any]:
    """Read the file of a benchmark."""
    measured: dict[str, Any] = json.loads((FIGURES / f"{name}.json").read_text(encoding="utf-8"))
    return measured


def _table(rows: Iterable[Row], columns: Sequence[Column]) -> str:
    lines = ["| " + " | ".join(name for name, _ in columns) + " |", "|---|" + "--:|" * (len(columns) - 1)]
    lines += ["| " + " | ".join(shown(row) for _, shown in columns) + " |" for row in rows]
    return "\n".join(lines)


def _plain(key: str) -> Callable[[Row], str]:
    return lambda row: str(row[key])


def _number(key: str, form: str = ".2f") -> Callable[[Row], str]:
    return lambda row: "–" if row.get(key) is None else format(row[key], form)


def _line(figure: str, measured: str, target: str, met: bool) -> Row:
    return {"figure": figure, "measured": measured, "target": target, "met": "yes" if met else "**no**"}


def _span(values: Sequence[float], form: str = ".2f") -> str:
    return f"{min(values):{form}} to {max(values):{form}}"


def _targets() -> str:
    """Make the table of all targets with what was measured."""
    explain, reading, cold = figures("explain")["rows"], figures("reading")["whole_reading"]["ratios"], _processes()
    lines = [_of_explain(explain)]
    for convolutional, least in LIBRARY_AT_LEAST.items():
        kind = "seven convolutional backbones" if convolutional else "ViT-B/16"
        ratios = [row["grad-cam/ours"] for row in explain if row["backbone"].startswith("vit") is not convolutional]
        lines.append(_line(f"time of grad-cam / ours, {kind}", _span(ratios, ".1f"), f"≥ {least}", min(ratios) >= least))
    bare, xrv = reading["our graph/bare MobileNet-V2 score"], reading["TorchXRayVision/our graph"]
    lines += [
        _line(
            "time of the default's graph / a bare MobileNet-V2",
            f"{bare:.2f}",
            f"≤ {READING_AT_MOST:.0f}",
            bare <= READING_AT_MOST,
        ),
        _line("time of TorchXRayVision / the default's graph", f"{xrv:.0f}", f"≥ {XRV_AT_LEAST}", xrv >= XRV_AT_LEAST),
    ]
    for name in ("resnet18", "resnet50"):
        rate = [row["ours/product"] for row in figures("roofline")["rows"] if row["backbone"] == name]
        figure = f"arithmetic rate of {name} / a matrix product's"
        lines.append(_line(figure, _span(rate), f"≥ {PRODUCT_AT_LEAST}", min(rate) >= PRODUCT_AT_LEAST))
    for (name, way), least in RATES_AT_LEAST.items():
        rate = figures(name)["further"][way]["rate/graph alone"]
        lines.append(_line(f"rate of `{way}` / the graph alone, {BULK[name]}", f"{rate:.2f}", f"≥ {least}", rate >= least))
    memory = figures("memory-read")["growth"]
    fewest, most = (f"{run['cases']:,}" for run in figures("memory-read")["runs"])
    figure = f"growth of peak memory, {most} files / {fewest}"
    lines.append(_line(figure, f"× {memory:.2f}", f"≤ × {GROWTH_AT_MOST}", memory <= GROWTH_AT_MOST))
    read, help_ = cold["pneumoscope read"], cold["pneumoscope --help"]
    lines += [
        _line(
            "time for one PNG from a cold start",
            f"{read['seconds']:.2f} s ({read['processor seconds']:.2f} s of processor time)",
            f"≤ {COLD_S} s",
            min(read["seconds"], read["processor seconds"])
            <= COLD_S,  # the wall time of a machine that others use as well is longer
        ),
        _line(
            "peak memory for one PNG from a cold start",
            f"{read['peak MiB']:.0f} MiB",
            f"≤ {COLD_MIB} MB",
            read["peak MiB"] * 1.048576 <= COLD_MIB,
        ),
        _line(
            "processor time of `pneumoscope --help`",
            f"{help_['processor seconds']:.2f} s",
            f"≤ {HELP_S} s",
            help_["processor seconds"] <= HELP_S,
        ),
    ]
    sums = figures("size")["sums"]
    for figure, size in (
        ("installation for reading", sums["added by the installation"]),
        ("installation for reading, `--no-compile`, after a reading", sums["added with --no-compile, after a reading"]),
    ):
        lines.append(_line(figure, f"{size:.0f} MB", f"≤ {INSTALL_MB} MB", size <= INSTALL_MB))
    return _table(lines, [(name, _plain(name)) for name in ("figure", "measured", "target", "met")])


def _of_explain(rows: Sequence[Row]) -> Row:
    ratios = [row["ours/score only"] for row in rows]
    figure = f"time of score and map / the score alone, {len({row['backbone'] for row in rows})} backbones"
    return _line(figure, _span(ratios), f"≤ {EXPLAIN_AT_MOST}", max(ratios) <= EXPLAIN_AT_MOST)


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
    return _table(rows, [*first, *times, *pairs, ("difference", _number("difference", ".0e"))])


def _explain_notes() -> str:
    above = [f"{row['backbone']}, batch {row['batch']}" for row in figures("explain")["rows"] if not row["difference"] <= 1e-4]
    if above:
        return f"The maps differ by more than 1e-4 of their maximum for {'; '.join(above)}."
    return "No maps differ by more than 1e-4 of their maximum."


def _reading(measured: Mapping[str, Any]) -> str:
    bare = "bare MobileNet-V2 score"
    denominators = {"our graph": bare, "Reader.read": bare, "TorchXRayVision": "our graph"}

    def ratio(row: Row) -> str:
        denominator = denominators.get(row["way"])
        return f"{measured['ratios'][row['way'] + '/' + denominator]:,.2f} × {denominator}" if denominator else ""

    return _table(measured["rows"], [("method", _plain("way")), ("ms per radiograph", _number("ms", ",.1f")), ("ratio", ratio)])


def _roofline() -> str:
    first: list[Column] = [("backbone", _plain("backbone")), ("batch", _plain("batch"))]
    rates = [
        (title, _number(key, ".1f"))
        for title, key in (
            ("GFLOP per image", "GFLOP an image"),
            ("ours, GFLOP/s", "ours GFLOP/s"),
            ("best product, GFLOP/s", "best product GFLOP/s"),
        )
    ]
    return _table(figures("roofline")["rows"], [*first, *rates, ("ours / product", _number("ours/product"))])


def _runtimes() -> str:
    """Differences are from the first row; a difference of 0 is a dash."""
    columns: list[Column] = [
        ("runtime", lambda row: f"{row['runtime']} {row['version']}"),
        ("weights", _plain("weights")),
        ("MB", _number("mb", ".1f")),
        ("probability", lambda row: f"{row['probability']:.1e}" if row["probability"] else "–"),
        ("heat map", lambda row: f"{row['heat_map']:.1e}" if row["heat_map"] else "–"),
        ("ms, one thread", _number("ms", ".1f")),
    ]
    return _table(figures("runtimes")["runtimes"], columns)


def _bulk() -> str:
    """Make the table of many files: what each further radiograph costs, and the peak at the most files."""
    rows = [
        {"size": size, "way": way, **further, "peak MiB": _peak(name, way)}
        for name, size in BULK.items()
        for way, further in figures(name)["further"].items()
    ]
    return _table(
        rows,
        [
            ("radiographs", _plain("size")),
            ("method", _plain("way")),
            ("ms of processor time", _number("processor ms", ".1f")),
            ("rate / graph alone", _number("rate/graph alone")),
            ("peak, MiB", _number("peak MiB", ".0f")),
        ],
    )


def _reduced() -> dict[str, str]:
    """Make the table of reduced decoding, and what was measured."""
    measured = figures("reduced-decoding")
    rows = [{**row, "scales": _scales(row)} for row in measured["rows"]]
    columns = [
        ("compressed as", _plain("way")),
        ("radiographs", _plain("reduced")),
        ("scale: radiographs", _plain("scales")),
        ("largest difference of the probability", _number("largest difference", ".4f")),
        ("99.9th percentile", _number("99.9th percentile", ".4f")),
        ("decisions that differ", _plain("decisions that differ")),
        ("abstentions that differ", _plain("abstentions that differ")),
        ("findings that differ in number", _plain("findings that differ")),
        ("largest distance of edges of boxes, of the longer side", _number("largest distance of edges", ".4f")),
        ("ms in full", _number("full ms", ".0f")),
        ("ms reduced", _number("reduced ms", ".0f")),
    ]
    return {
        "table:reduced": _table(rows, columns),
        "reduced_split": measured["split"],
        "reduced_cohorts": f"{len(measured['cohorts'])} cohorts ({', '.join(measured['cohorts'])})",
        "reduced_least": str(measured["least"]),
    }


def _scales(row: Row) -> str:
    return ", ".join(f"{key.removeprefix('at ')}: {count}" for key, count in row.items() if key.startswith("at "))


def _peak(name: str, way: str) -> float | None:
    peak: float | None = [row["peak MiB"] for row in figures(name)["rows"] if row["way"] == way][-1]
    return peak


def _growth() -> str:
    """Say how memory grows, and on what machine many files were measured."""
    runs, machine = figures("memory-read")["runs"], figures("bulk")["machine"]
    peaks = " and ".join(f"{run['peak MiB']:.0f} MiB for {run['cases']:,} files" for run in runs)
    return (
        f"Measured on {machine['cores']} cores ({machine['processor']}) that did little else; processor time, "
        "of the process and its workers together, then tells more than wall time. The start of a process and its workers, about "
        "two seconds, is not included: the figures are differences between many files and few. Memory: "
        f"{peaks}, by `python benchmarks/memory.py read --cases 1000 100000 --longer-side 224`, where the model reads each of "
        "sixteen linked files once."
    )


def _processes() -> dict[str, Row]:
    return {row["process"]: row for row in figures("coldstart")["rows"]}


def _coldstart() -> str:
    return _table(
        figures("coldstart")["rows"],
        [
            ("process", lambda row: f"`{row['process']}`"),
            ("seconds", _number("seconds")),
            ("processor seconds", _number("processor seconds")),
            ("peak, MiB", _number("peak MiB", ".0f")),
        ],
    )


def _serve_decoding() -> str:
    columns = [("in the program, ms", "here"), ("in a worker, ms", "worker"), ("price, ms", "price ms")]
    shown = [(title, _number(key, ".1f")) for title, key in columns]
    return _table(figures("serve")["decoding"], [("file", _plain("file")), *shown])


def _serve_requests() -> str:
    return _table(figures("serve")["requests"], [("request", _plain("request")), ("median, ms", _number("median ms", ".1f"))])


def _serve_memory() -> str:
    columns = ("films looked at", ",.0f"), ("server MiB", ",.0f"), ("decoding MiB", ",.0f")
    return _table(figures("serve-memory")["memory"], [(name, _number(name, form)) for name, form in columns])


def _size() -> str:
    measured = figures("size")
    rows = [{"part": name, "MB": size} for name, size in measured["sums"].items()]
    rows += [{"part": f"graph: {name}", "MB": size} for name, size in measured["graphs"].items()]
    rows += [{**row, "part": f"package: {row['package']}"} for row in _added_packages()[:8]]
    return _table(
        rows, [("part", _plain("part")), ("MB", _number("MB", ".1f")), ("of it compiled", _number("compiled MB", ".1f"))]
    )


def _added_packages() -> list[Row]:
    return [row for row in figures("size")["packages"] if row["package"] not in _OF_EVERY_ENVIRONMENT]


def _size_note() -> str:
    """Say whose the megabytes are, and why no fewer are needed."""
    measured = figures("size")
    size = {row["package"]: row["MB"] for row in _added_packages()}
    libraries, decoders = (sum(size[name] for name in names) for names in (_INDISPENSABLE, _DECODERS))
    graphs = sum(measured["graphs"].values())
    compiled = sum(row["compiled MB"] for row in _added_packages())
    rest = measured["sums"]["added by the installation"] - libraries - decoders - graphs
    return (
        f"Four libraries without which nothing can be read (ONNX Runtime, NumPy, Pillow, pydicom) have {libraries:.0f} MB, the "
        f"graphs {graphs:.0f} MB in single precision, the decoders of JPEG-LS and JPEG 2000 {decoders:.0f} MB, and everything "
        f"else (code, viewer and sixteen radiographs of this package, and libraries that others require) {rest:.0f} MB. "
        f"{compiled:.0f} MB of all this are modules that pip compiles, whether they are used or not. Since libraries and graphs "
        f"alone have {libraries + graphs:.0f} MB, {INSTALL_MB} MB are within reach only without them: `pip install --no-compile` "
        "and `uv pip install` leave them out, and Python then compiles those that a reading imports, once. pip and setuptools "
        "belong to a new environment and are not counted as added. The extra `gdcm` is not included."
    )


def _precision() -> str:
    return _table(
        figures("precision")["rows"],
        [
            ("model", _plain("model")),
            ("precision", _plain("precision")),
            ("MB", lambda row: f"{row['MB']:.1f} of {row['MB fp32']:.1f}" if "MB" in row else "refused: " + row["refused"]),
            ("speed-up", _number("faster")),
            ("change of ROC-AUC", _number("auc_difference", "+.4f")),
            ("decisions that agree", _number("decisions", ".1%")),
            ("correlation of maps", _number("map_correlation", ".3f")),
            ("convolutions not in eight bits", _number("wide_share", ".0%")),
        ],
    )


def _training() -> dict[str, str]:
    """Make the parts about training, on the machine of the benchmarks and on the GPU of the full comparison."""
    measured = figures("training")
    full: dict[str, Any] = json.loads((FIGURES.parent / "results" / "full" / "figures.json").read_text(encoding="utf-8"))
    about = measured["machine"]
    columns: list[Column] = [
        ("backbone", _plain("backbone")),
        *((f"{kind}, images/s", _number(f"{kind} images/s", ".1f")) for kind in ("alone", "pipeline", "plain loop")),
        ("pipeline / alone", _number("pipeline / alone")),
        ("pipeline / plain loop", _number("pipeline / plain loop")),
        ("peak, MiB", _number("peak MiB", ".0f")),
        ("plain loop, peak MiB", _number("plain loop peak MiB", ".0f")),
    ]
    on_gpu: list[Column] = [
        ("network and crop", _plain("training")),
        ("alone, images/s", _number("model alone images/s", ",.0f")),
        ("pipeline, images/s", _number("pipeline images/s", ",.0f")),
        ("pipeline / alone", lambda row: f"{row['pipeline images/s'] / row['model alone images/s']:.2f}"),
        ("peak, GiB", _number("peak GiB", ".1f")),
    ]
    return {
        "training_size": f"{measured['size_px']} px",
        "training_batch": str(measured["batch"]),
        "training_device": f"{about['device_name']}, {about['cores']} cores, {about['precision']}",
        "gpu": full["machine"]["device"],
        "table:training": _table(measured["rows"], columns),
        "table:training_gpu": _table(full["alone"], on_gpu),
    }


def _web() -> str:
    measured = figures("browser-default")
    return f"{measured['runtime']} (WebAssembly), Chromium {measured['browser']}"


def _browser() -> str:
    rows = [{"model": name, **row} for name in MODELS for row in figures(f"browser-{name}")["rows"]]
    outputs = list(dict.fromkeys(key for row in rows for key in row if key not in ("model", "threads", "load ms", "read ms")))
    first = [("model", _plain("model")), ("threads", _plain("threads")), ("load, ms", _number("load ms", ".0f"))]
    return _table(rows, [*first, ("read, ms", _number("read ms", ".1f")), *((name, _number(name, ".0e")) for name in outputs)])


def _domain() -> str:
    by_model = {name: {row["set"]: row for row in figures(f"domain-{name}")["rows"]} for name in MODELS}
    rows = [
        {"set": name, "images": row["images"]}
        | {f"`{model}`: outside": _share(by_model[model][name]) for model in MODELS}
        | {f"`{model}`: ROC-AUC": _auc(by_model[model][name]) for model in MODELS}
        for name, row in by_model["default"].items()
    ]
    return _table(rows, [(title, _plain(title)) for title in rows[0]])


def _share(row: Row) -> str:
    return f"{row['share']:.0%} ({row['low']:.0%}–{row['high']:.0%})"


def _auc(row: Row) -> str:
    return f"{row['ROC-AUC']:.3f} ({row['AUC low']:.3f}–{row['AUC high']:.3f})" if row.get("ROC-AUC") is not None else "–"
