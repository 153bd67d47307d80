"""Plan a run over an archive by numbers: machines, hours, bytes and cost from the measured rates and stated assumptions.

    python docs/scale_page.py RADIOGRAPHS HOURS

The measured rates are those of ``benchmarks/scale.py`` in docs/performance/scale.json; docs/scale.md is made from the same
functions.
"""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

FIGURES = Path(__file__).resolve().parent / "performance" / "scale.json"
SECONDS_AN_HOUR = 3600.0
ROWS_A_MANIFEST = 10_000_000
CASES = ((377_110, 8.0), (10_000_000, 24.0), (1_000_000_000, 168.0))
"""Radiographs and hours: MIMIC-CXR in a night, ten million in a day, a thousand million in a week."""
ENGINE_AT_LEAST, DRIVER_GROWTH_AT_MOST, RESUME_AT_MOST_S = 0.9, 1.1, 60.0
"""What is wanted of the measured figures."""


@dataclass(frozen=True)
class Measured:
    """What the program needs for a radiograph, measured.

    Parameters
    ----------
    per_core : float
        Radiographs that a reader on one core reads in a second, > 0.
    result_bytes, manifest_bytes : float
        Bytes of a radiograph in the data set and in the manifest.
    rows_a_shard : float
        Mean number of radiographs of a shard.
    driver_seconds : float
        Processor time of the driver for a shard, in seconds, with its share of starting and ending.
    """

    per_core: float
    result_bytes: float
    manifest_bytes: float
    rows_a_shard: float
    driver_seconds: float


@dataclass(frozen=True)
class Assumed:
    """What is assumed of machines and archive; replace it by what you have.

    Parameters
    ----------
    cores : int
        Cores of a machine.
    network_bytes : float
        Bytes that a machine receives in a second.
    image_bytes : float
        Mean size of a file.
    efficiency : float
        Share of the time that a core reads, in (0, 1].
    price : float
        Price of a core for an hour, in any currency.
    request_price : float
        Price of a thousand requests for reading from the object store.
    """

    cores: int = 16
    network_bytes: float = 1.25e9
    image_bytes: float = 1.5e6
    efficiency: float = 0.9
    price: float = 0.05
    request_price: float = 0.0004


@dataclass(frozen=True)
class RunPlan:
    """A run in numbers.

    Parameters
    ----------
    radiographs : int
        Their number.
    hours : float
        Wanted time.
    machines : int
        Machines that keep to it.
    bound : str
        What limits a machine: ``cores`` or ``network``.
    machine_hours, cost : float
        Sum over all machines, and its price with that of the requests.
    read_bytes, result_bytes, manifest_bytes : float
        Bytes that are read and written.
    manifests, shards : int
        Manifests of at most ten million rows, and shards.
    driver_cores : float
        Cores that the driver keeps busy.
    """

    radiographs: int
    hours: float
    machines: int
    bound: str
    machine_hours: float
    cost: float
    read_bytes: float
    result_bytes: float
    manifest_bytes: float
    manifests: int
    shards: int
    driver_cores: float


def plan(radiographs: int, hours: float, measured: Measured, assumed: Assumed) -> RunPlan:
    """Compute a plan.

    Parameters
    ----------
    radiographs : int
        Their number.
    hours : float
        Wanted time.
    measured : Measured
        What the program needs.
    assumed : Assumed
        What machines and archive are like.

    Returns
    -------
    RunPlan
        The plan. A machine reads min(cores · rate of a core · efficiency, network / mean size) radiographs a second; machines are
        rounded up; the price is machine hours · cores · price of a core hour, and two requests a radiograph.
    """
    by_cores = assumed.cores * measured.per_core * assumed.efficiency
    by_network = assumed.network_bytes / assumed.image_bytes
    a_machine = min(by_cores, by_network) * SECONDS_AN_HOUR
    machine_hours = radiographs / a_machine
    return RunPlan(
        radiographs,
        hours,
        math.ceil(machine_hours / hours),
        "cores" if by_cores <= by_network else "network",
        machine_hours,
        machine_hours * assumed.cores * assumed.price + 2 * radiographs / 1000 * assumed.request_price,
        radiographs * assumed.image_bytes,
        radiographs * measured.result_bytes,
        radiographs * measured.manifest_bytes,
        math.ceil(radiographs / ROWS_A_MANIFEST),
        math.ceil(radiographs / measured.rows_a_shard),
        radiographs / measured.rows_a_shard * measured.driver_seconds / (hours * SECONDS_AN_HOUR),
    )


def figures() -> dict[str, Any]:
    """Read what ``benchmarks/scale.py`` measured."""
    read: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return read


def measured_of(said: Mapping[str, Any]) -> Measured:
    """Take the rates from the benchmark's figures: those of as many readers as the machine has cores, and of the most rows."""
    cores = said["machine"]["cores"]
    rates = next(row for row in said["rates"] if row["workers"] == cores)
    most = max(said["rows"], key=lambda row: row["rows"])
    timed = max((row for row in said["rows"] if "driver processor s" in row), key=lambda row: row["rows"])
    return Measured(
        rates["Ray, radiographs/s"] / cores,
        said["result_bytes_a_radiograph"],
        most["manifest MB"] * 1e6 / most["rows"],
        most["rows"] / most["shards"],
        timed["driver processor s"] / timed["shards"],
    )


def blocks() -> dict[str, str]:
    """Make the generated parts of docs/scale.md."""
    said = figures()
    return {"scale_measured": _measured(said), "scale_plan": _plans(measured_of(said))}


def _measured(said: Mapping[str, Any]) -> str:
    machine = said["machine"]
    lines = [
        f"Measured on {machine['cores']} cores ({machine['processor']}) with Ray {machine['ray']} and ONNX Runtime "
        f"{machine['onnxruntime']}; medians of {said['rounds']} rounds of {said['files']} radiographs{_note(said)}.",
        "",
        "| readers | one process, radiographs/s | Ray, radiographs/s | Ray / one process | start and end, Ray |",
        "|--:|--:|--:|--:|--:|",
    ]
    for row in said["rates"]:
        name = f"{row['workers']}, sharing {machine['cores']} cores" if row["oversubscribed"] else str(row["workers"])
        lines.append(
            f"| {name} | {row['one process, radiographs/s']:.1f} | {row['Ray, radiographs/s']:.1f} | "
            f"{row['Ray/one process']:.2f} | {row['Ray, rest s']:.0f} s |"
        )
    equal = [row["Ray/one process"] for row in said["rates"] if not row["oversubscribed"]]
    lines += ["", f"Wanted is a ratio of at least {ENGINE_AT_LEAST}: {_kept(min(equal) >= ENGINE_AT_LEAST)}.", ""]
    lines += [
        "| rows of the manifest | shards | manifest | memory of the driver | rows/s, nothing decoded | going on, all done |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for row in said["rows"]:
        lines.append(
            f"| {row['rows']:,} | {row['shards']:,} | {row['manifest MB']:.1f} MB | {row['driver peak MiB']:.0f} MiB | "
            f"{row['rows/s']:,.0f} | {row['resume s']:.1f} s |"
        )
    first, last = (pick(said["rows"], key=lambda row: row["rows"]) for pick in (min, max))
    growth = last["driver peak MiB"] / first["driver peak MiB"]
    lines += [
        "",
        f"The driver's memory grows by a factor of {growth:.2f} from {first['rows']:,} to {last['rows']:,} rows (wanted at most "
        f"{DRIVER_GROWTH_AT_MOST}: {_kept(growth <= DRIVER_GROWTH_AT_MOST)}); going on with {last['rows']:,} finished rows takes "
        f"{last['resume s']:.1f} s (wanted at most {RESUME_AT_MOST_S:.0f} s: {_kept(last['resume s'] <= RESUME_AT_MOST_S)}).",
    ]
    return "\n".join(lines) + "\n"


def _note(said: Mapping[str, Any]) -> str:
    return f"; {said['note']}" if "note" in said else ""


def _kept(kept: bool) -> str:
    return "met" if kept else "**not met**"


def _plans(measured: Measured) -> str:
    jpeg = Assumed()
    dicom = replace(jpeg, image_bytes=12.5e6)
    lines = [
        f"Measured: {measured.per_core:.1f} radiographs a second and core, {measured.result_bytes:,.0f} bytes of result and "
        f"{measured.manifest_bytes:.0f} bytes of manifest a radiograph. **Assumed**: machines of {jpeg.cores} cores with "
        f"{jpeg.network_bytes * 8 / 1e9:.0f} Gbit/s, {jpeg.efficiency:.0%} of the time spent reading, and prices of {jpeg.price} "
        f"a core hour and {jpeg.request_price} per thousand requests, in any currency.",
        "",
        "| radiographs | mean size | in | machines | limited by | machine hours | cost | read | results | manifests | shards |",
        "|--:|--:|--:|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for radiographs, hours in CASES:
        for assumed in (jpeg, dicom):
            made = plan(radiographs, hours, measured, assumed)
            cells = [
                f"{radiographs:,}", f"{assumed.image_bytes / 1e6:g} MB", f"{hours:g} h", f"{made.machines:,}", made.bound,
                f"{made.machine_hours:,.1f}", f"{made.cost:,.0f}", f"{made.read_bytes / 1e12:,.2f} TB",
                f"{made.result_bytes / 1e9:,.2f} GB", f"{made.manifests} × {made.manifest_bytes / made.manifests / 1e6:,.0f} MB",
                f"{made.shards:,}",
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    busiest = max(plan(*case, measured, jpeg).driver_cores for case in CASES)
    lines += [
        "",
        f"The driver needs {measured.driver_seconds * 1000:.0f} ms of processor time for a shard: {busiest:.2f} cores in the "
        "busiest of these runs.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for one in (Assumed(), replace(Assumed(), image_bytes=12.5e6)):
        print(plan(int(float(sys.argv[1])), float(sys.argv[2]), measured_of(figures()), one))
