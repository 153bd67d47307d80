"""``pneumoscope archive read``: from a manifest to a data set of results, on this machine or on many."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
from tqdm import tqdm

from pneumoscope import DISCLAIMER, MissingExtraError
from pneumoscope.archive import counting, local_engine, locations, manifest_building, shards
from pneumoscope.archive.entries import UNREAD
from pneumoscope.archive.errors import MissingSourceError, RefusedSourceError, UnavailableSourceError
from pneumoscope.archive.journal import Options
from pneumoscope.archive.manifest_table import open_manifest
from pneumoscope.archive.removed_results import Removed
from pneumoscope.archive.shards import Plan, ShardCount
from pneumoscope.archive.store import Store
from pneumoscope.classifier import Population
from pneumoscope.cli import archive_manifest
from pneumoscope.cli.acceptance_options import acceptance_options, policy_of
from pneumoscope.cli.archive_options import (
    Engine,
    EngineOptions,
    check_engine,
    decode_option,
    engine_options,
    place_of,
    site_key_of,
)
from pneumoscope.cli.main import SOME_FILES_FAILED
from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.counted import counted
from pneumoscope.radiograph.acceptance import Choice
from pneumoscope.radiograph.reduction import Decoding
from pneumoscope.reader import Reader

OnShard = Callable[[ShardCount], object]
MANIFEST = "manifest.parquet"
"""Name of the manifest that ``read`` builds in a data set."""
_PASSING = {kind.__name__ for kind in (MissingSourceError, RefusedSourceError, UnavailableSourceError)}
"""Errors whose cause lies outside the file and may pass; that of a changed file passes by an update of the manifest."""


@click.command("read")
@click.argument("manifest", metavar="MANIFEST")
@click.option("-o", "--out", metavar="OUT", required=True, help="Folder, or prefix of an object store, for the results.")
@click.option("--engine", type=click.Choice(get_args(Engine)), default="local", show_default=True, help="ray: on many machines.")
@click.option("--model", type=ModelFolder(), default="default", show_default=True, help="Bundle to read with.")
@click.option("--maps", is_flag=True, help="Keep heat maps, compressed, in the column heat_map.")
@click.option("--target", default="", show_default="the model's target", help="Class whose evidence the heat map shows.")
@click.option("--method", default="", show_default="the model's own", help="Heat map method, one of those that the card names.")
@click.option("--population", type=click.Choice(get_args(Population)), help="Population where a file does not tell the age.")
@decode_option
@click.option(
    "--again",
    multiple=True,
    metavar="KIND",
    help="Read shards with an error of this kind again, such as UnavailableSourceError; may be repeated.",
)
@click.option(
    "--remove-results",
    is_flag=True,
    help="Remove the results of files that are no longer in MANIFEST even if they are more than 10 % of all.",
)
@engine_options
@acceptance_options
def command(
    manifest: str,
    out: str,
    engine: Engine,
    model: Path,
    maps: bool,
    target: str,
    method: str,
    population: Population | None,
    decode: Decoding,
    again: tuple[str, ...],
    remove_results: bool,
    workers: int,
    isolate: bool,
    ray_address: str,
    cpus_a_reader: float,
    site_key: Path | None,
    **policy_said: Choice,
) -> int:
    """Read the radiographs of MANIFEST into the data set OUT: Parquet, one row a radiograph, also for those with an error.

    Run the same command again to go on where it stopped, or after the manifest was updated: what has a result is not read again.
    The exit code is 1 if a file could not be read, or if the results are not one row of each file.
    """
    check_engine(click.get_current_context(), engine)
    options = Options(target, method, "none", maps, population, decode=decode)
    how = EngineOptions(engine, workers, isolate, ray_address, cpus_a_reader)
    reader = Reader.load(model, threads=1, policy=policy_of(policy_said))
    store = Store(place_of(out))
    with store.only_writer():
        key = site_key_of(site_key)
        plan = shards.make_plan(
            place_of(manifest),
            store.root,
            reader,
            options,
            bundle=model,
            site_key=key,
            remove_results=remove_results,
            on_removed=_say_removed,
        )
        if again:
            _remove_failed(plan, again)
        return read_plan(plan, reader, how)


def _remove_failed(plan: Plan, kinds: tuple[str, ...]) -> None:
    number, found = shards.remove_failed(plan, kinds)
    click.echo(f"{counted(number, 'shard')} {'is' if number == 1 else 'are'} read again", err=True)
    for kind in dict.fromkeys(kinds):
        if kind not in found:
            click.echo(f"no file has an error of the kind {kind};  pneumoscope archive status  lists the kinds", err=True)


def read_sources(
    sources: tuple[str, ...], out: str, reader: Reader, model: Path, options: Options, how: EngineOptions, site_key: Path | None
) -> int:
    """Read sources without a manifest: it is built, or brought up to date, in the data set.

    Parameters
    ----------
    sources : tuple of str
        Paths and URLs.
    out : str
        Path or URL of the data set.
    reader : Reader
        The model.
    model : Path
        Its bundle.
    options : Options
        What is asked of every file.
    how : EngineOptions
        The engine.
    site_key : Path, optional
        File with the secret of the sites.

    Returns
    -------
    int
        Exit code.
    """
    store = Store(place_of(out))
    with store.only_writer():
        key = site_key_of(site_key)
        shards.check_place(store.location(MANIFEST), store.root, reader, options, key)
        updated, manifest = store.exists(MANIFEST), store.location(MANIFEST)
        without = frozenset({store.folder.resolve()} if store.folder else ())
        built = manifest_building.build(sources, manifest, update=updated, without=without, show_progress=True)
        archive_manifest.report(built, sources, updated=updated)
        plan = shards.make_plan(manifest, store.root, reader, options, bundle=model, site_key=key, on_removed=_say_removed)
        return read_plan(plan, reader, how)


def _say_removed(removed: Removed) -> None:
    again = f"{removed.radiographs - removed.gone} radiograph(s) of {removed.shards} shard(s) are read again"
    click.echo(f"the manifest was updated: {again}, and results of {removed.gone} that it no longer has are removed", err=True)


def read_plan(plan: Plan, reader: Reader, how: EngineOptions) -> int:
    """Read the shards of a run that have no results, and report all that it has.

    Parameters
    ----------
    plan : Plan
        The run.
    reader : Reader
        Its model.
    how : EngineOptions
        The engine.

    Returns
    -------
    int
        Exit code: 1 if a file could not be read, an archive or a folder could not be opened for the manifest, or the results are
        not exactly one row of each file of the manifest.
    """
    table, committed = open_manifest(plan.manifest), shards.committed(plan.store)
    if committed:
        click.echo(f"{len(committed)} of {plan.n_shards} shards were read before; going on", err=True)
    read_now = 0
    done = sum(rows for shard, rows in zip(table.shards, table.rows_of_shard, strict=True) if shard in committed)
    with tqdm(total=plan.n_rows, initial=done, unit="file", disable=None) as progress:
        engine = _by_ray if how.engine == "ray" else _by_threads

        def on_shard(count: ShardCount) -> None:
            nonlocal read_now
            progress.update(count.rows)
            read_now += count.rows - sum(count.failed.values()) if count.written else 0

        engine(plan, reader, how, on_shard)
    committed = shards.committed(plan.store)
    now = counting.count(plan.store, committed, table)
    failed = sum(now.failed.values())
    before = f" ({read_now} now)" if done else ""
    click.echo(
        f"{counted(now.rows - failed, 'radiograph')} read{before}, {failed} not read: {locations.shown(plan.out)}. {DISCLAIMER}"
    )
    for kind, number in now.failed.items():
        click.echo(f"  not read: {number} {kind}", err=True)
    unread = {kind: table.left_out[kind] for kind in UNREAD if kind in table.left_out}
    for kind, number in unread.items():
        click.echo(f"  not in the manifest: {number} {kind}", err=True)
    passing = " ".join(f"--again {kind}" for kind in now.failed if kind in _PASSING)
    if passing:
        how_again = f"pneumoscope archive read {locations.shown(plan.manifest)} -o {locations.shown(plan.out)} {passing}"
        click.echo(f"once these files can be read, read them again with the same options:  {how_again}", err=True)
    problems = [*now.problems]
    if len(committed) < plan.n_shards:
        problems.append(f"{plan.n_shards - len(committed)} of {plan.n_shards} shards have no results; run the same command again")
    for problem in problems:
        click.echo(problem, err=True)
    return SOME_FILES_FAILED if failed or unread or problems else 0


def _by_threads(plan: Plan, reader: Reader, how: EngineOptions, on_shard: OnShard) -> None:
    for count in local_engine.read_shards(plan, reader, workers=how.workers, isolate=how.isolate):
        on_shard(count)


def _by_ray(plan: Plan, reader: Reader, how: EngineOptions, on_shard: OnShard) -> None:
    try:
        ray_engine: Any = importlib.import_module("pneumoscope.archive.ray_engine")
    except ModuleNotFoundError as error:
        raise MissingExtraError("--engine ray", "scale") from error
    options = ray_engine.RayOptions(how.ray_address, how.workers, how.cpus_a_reader, how.isolate)
    ray_engine.read_shards(plan, options, on_shard, lambda notice: click.echo(notice, err=True))
