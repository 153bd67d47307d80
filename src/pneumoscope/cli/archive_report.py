"""``pneumoscope archive status|summary|verify``: what a data set of results holds."""

import json
import math
import time
from dataclasses import asdict
from pathlib import Path

import click
import numpy as np

from pneumoscope import DISCLAIMER
from pneumoscope.archive import data_set, decoding, locations, verification
from pneumoscope.archive.data_set import Summary
from pneumoscope.archive.store import Store
from pneumoscope.cli.archive_options import FiniteRange, place_of, site_key_of
from pneumoscope.cli.main import SOME_FILES_FAILED
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.counted import counted
from pneumoscope.reader import Reader

_AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_BARS = 10
_LONGEST_BAR = 40


@click.command("status")
@click.argument("out", metavar="OUT")
@_AS_JSON
def status(out: str, as_json: bool) -> int:
    """Print how far a run is: shards and radiographs done, failures by kind, rate, time left.

    The exit code is 1, with a list, if the results are not one row of each file of the manifest.
    """
    now = data_set.status(place_of(out))
    code = SOME_FILES_FAILED if now.problems else 0
    if as_json:
        click.echo(json.dumps(asdict(now) | {"seconds_left": now.seconds_left}))
        return code
    click.echo(f"{now.shards} of {now.n_shards} shards, {now.rows} of {now.n_rows} radiographs: {locations.shown(out)}")
    for line in filter(None, (*now.problems, now.manifest_note)):
        click.echo(f"  {line}")
    for kind, count in now.failed.items():
        click.echo(f"  not read: {count} {kind}")
    if now.rows_a_second is not None:
        click.echo(f"  {_three_digits(now.rows_a_second)} radiographs a second by the last commits")
    if now.last_commit is not None and now.shards < now.n_shards:
        left = "unknown" if now.seconds_left is None else _duration(now.seconds_left)
        click.echo(f"  time left: {left}; last commit {_duration(max(0.0, time.time() - now.last_commit))} ago")
    return code


def _three_digits(number: float) -> str:
    """Write a number with three significant digits and no exponent."""
    rounded = float(f"{number:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else np.format_float_positional(rounded, trim="-")


def _duration(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{seconds:.0f} s" if minutes == 0 else f"{minutes // 60} h {minutes % 60} min"


@click.command("summary")
@click.argument("out", metavar="OUT")
@click.option("--cost-an-hour", type=FiniteRange(0), help="Price of a machine for an hour, in any currency.")
@click.option("--readers-a-machine", type=click.IntRange(1), default=1, show_default=True, help="ray: readers of one machine.")
@_AS_JSON
def summary(out: str, cost_an_hour: float | None, readers_a_machine: int, as_json: bool) -> None:
    """Print what came of a run: counts, failures by kind, probabilities, domain by site and device, throughput and cost."""
    made = data_set.summarize(place_of(out))
    cost = None if cost_an_hour is None else made.reader_seconds / 3600 / readers_a_machine * cost_an_hour
    if as_json:
        click.echo(json.dumps(_plain(made) | {"cost": cost, "disclaimer": DISCLAIMER}, allow_nan=False))
        return
    click.echo(f"{made.run.run.model.name} ({made.run.run.model.sha256[:12]}): {made.rows} of {made.run.n_rows} radiographs")
    click.echo(f"{made.read} read, {made.positive} positive, {made.unsure} unsure, {made.outside} outside the model's domain")
    for kind, count in made.failed.items():
        click.echo(f"  not read: {count} {kind}")
    if made.read:
        _show_probabilities(made)
        _show_groups(made)
    if made.reader_seconds:
        _show_time(made, cost)
    click.echo(DISCLAIMER)


def _plain(made: Summary) -> dict[str, object]:
    quantiles = {str(share): made.quantile(share) for share in (0.05, 0.25, 0.5, 0.75, 0.95)} if made.read else {}
    rate = made.rows_a_reader_hour
    return asdict(made) | {"quantiles": quantiles, "rows_a_reader_hour": None if math.isnan(rate) else rate}


def _show_probabilities(made: Summary) -> None:
    shown = ", ".join(f"{made.quantile(share):.3f}" for share in (0.05, 0.25, 0.5, 0.75, 0.95))
    click.echo(f"probability, quantiles 5, 25, 50, 75, 95 %: {shown}")
    width = data_set.BINS // _BARS
    bars = [sum(made.histogram[k * width : (k + 1) * width]) for k in range(_BARS)]
    for k, count in enumerate(bars):
        click.echo(f"  {k / _BARS:.1f}–{(k + 1) / _BARS:.1f} {'█' * math.ceil(count / max(bars) * _LONGEST_BAR)} {count}")


def _show_groups(made: Summary) -> None:
    click.echo("outside the model's domain, by site and device:")
    for group in made.groups:
        device = " ".join(filter(None, (group.manufacturer, group.device_model))) or "device not stated"
        where = f"site {group.site}, " if group.site else ""
        click.echo(f"  {where}{device}: {group.outside} of {group.read} ({group.outside / group.read:.1%})")


def _show_time(made: Summary, cost: float | None) -> None:
    click.echo(
        f"{_three_digits(made.reader_seconds / 3600)} hours of readers, {made.rows_a_reader_hour:,.0f} radiographs an hour each"
    )
    if cost is not None:
        left = (made.run.n_rows - made.rows) * cost / made.rows
        click.echo(
            f"cost {cost:,.2f}, {_three_digits(cost / made.rows * 1000)} per 1,000 radiographs; the rest costs about {left:,.2f}"
        )


@click.command("verify")
@click.argument("out", metavar="OUT")
@click.option("--manifest", metavar="FILE", default="", show_default="the one that OUT names", help="Manifest to check against.")
@click.option("--sample", type=click.IntRange(0), default=20, show_default=True, help="Radiographs that are read again.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed by which they are chosen.")
@click.option("--model", type=ModelFolder(), default="default", show_default=True, help="Bundle that read the results.")
@click.option("--site-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="As for  archive read.")
def verify(out: str, manifest: str, sample: int, seed: int, model: Path, site_key: Path | None) -> int:
    """Check that every radiograph of the manifest has exactly one intact result, and read a sample again.

    The sample must agree to the bit. The exit code is 1, with a list, if anything is wrong.
    """
    place = place_of(out)
    run = data_set.record_of(Store(place)).run
    reader = Reader.load(model, threads=1, policy=run.policy) if sample else None
    with decoding.decoder(bool(sample), 1, decoding.seen_px(reader, run.options) if reader else 0) as decode:
        checked = verification.verify(
            place,
            place_of(manifest) if manifest else "",
            reader,
            decode,
            sample=sample,
            seed=seed,
            site_key=site_key_of(site_key),
        )
    for problem in checked.problems:
        click.echo(problem)
    good = "" if checked.problems else ", everything as it was written"
    rows, n_shards = counted(checked.rows, "row"), counted(checked.shards, "shard")
    click.echo(f"{rows} in {n_shards} checked, {counted(checked.read_again, 'radiograph')} read again{good}")
    return SOME_FILES_FAILED if checked.problems else 0
