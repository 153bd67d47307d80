"""``pneumoscope cohort split``."""

from pathlib import Path

import click

from pneumoscope.cohort import split, table
from pneumoscope.cohort.case import SPLITS

_FILE = click.Path(path_type=Path)


@click.command("split")
@click.argument("cohort_", metavar="COHORT", type=_FILE)
@click.option("-o", "--out", type=_FILE, help="Where to write; by default COHORT itself.")
@click.option("--ratios", default="70/15/15", show_default=True, help="Percent of train/tune/test images.")
@click.option("--seed", default=split.PUBLISHED_SEED, show_default=True, help="Other seeds give other draws.")
@click.option(
    "--fix", multiple=True, metavar="FILE:SPLIT", help="CSV with a column patient_id whose patients go to that split; repeatable."
)
@click.option("--like", type=_FILE, help="Split cohort of the same patients: each goes to the split that it has there.")
@click.option("--official", is_flag=True, help="Take the source's own split as it is.")
@click.option(
    "--tune",
    default=0.0,
    type=click.FloatRange(0, 99),
    help="With --official: keep its test split and draw this percentage of the rest as tune, by patient.",
)
def command(
    cohort_: Path, out: Path | None, ratios: str, seed: int, fix: tuple[str, ...], like: Path | None, official: bool, tune: float
) -> None:
    """Split by patient, stratified by label; the same on every platform."""
    cohort = table.read(cohort_)
    if official:
        divided = split.official(cohort, tune=tune / 100, seed=seed)
    elif tune:
        raise click.UsageError("--tune is for --official; without it --ratios says how large the tune split is")
    else:
        given = [split.splits_of(table.read(like))] if like else []
        fixed = split.agreed([*given, *(split.read_fixed(text) for text in fix)])
        divided = split.by_ratio(cohort, ratios=split.parse_ratios(ratios), seed=seed, fixed=fixed)
    table.write(divided, out or cohort_)
    assert divided.partition is not None
    for name in SPLITS:
        cases = [case for case in divided.cases if case.split == name]
        patients = len({case.patient_id for case in cases})
        positive = sum(case.reference for case in cases)
        click.echo(f"{name:<6}{len(cases):>7} images, {patients} patients, {positive} positive images")
    for warning in split.warnings_about(divided):
        click.echo(f"warning: {warning}", err=True)
    click.echo(f"split {divided.partition.sha256[:12]} ({divided.partition.rule}): {out or cohort_}")
