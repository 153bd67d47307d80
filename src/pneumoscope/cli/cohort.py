"""``pneumoscope cohort``: build, split, audit."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from pneumoscope import atomic_files
from pneumoscope.cli.main import SOME_FILES_FAILED
from pneumoscope.cohort import Cohort, build, shortcut_features, split, table
from pneumoscope.cohort.audit import Audit, Pair, audit
from pneumoscope.cohort.build import Columns
from pneumoscope.evaluation import shortcut_baseline as trivial
from pneumoscope.evaluation import tables
from pneumoscope.statistics.estimate import Estimate

_FILE = click.Path(path_type=Path)


@click.group("cohort")
def command() -> None:
    """Build, split and audit a cohort of radiographs."""


@command.command("build")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--out", type=_FILE, required=True, help="Cohort table to write: .parquet or .csv.")
@click.option(
    "--layout",
    type=click.Choice(["kermany", "folders", "csv", "dicom"]),
    help="What SOURCE is; by default csv for a file and kermany for a folder.",
)
@click.option(
    "--positive",
    multiple=True,
    default=("PNEUMONIA",),
    show_default=True,
    help="Label that means the target is present; may be repeated.",
)
@click.option(
    "--patient-rule",
    type=click.Choice(["person", "person-subtype"]),
    default="person",
    show_default=True,
    help="kermany: whether bacterial and viral files of one person number are one patient.",
)
@click.option(
    "--patient-pattern", default="", help="folders: regular expression with a group (?P<patient>…) at the name's start."
)
@click.option("--patient-per-file", is_flag=True, help="Take every file whose name tells no patient for a patient of its own.")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="csv: folder that the paths start from; by default the CSV's own.",
)
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="dicom: CSV with the labels, by SOP Instance UID or path.",
)
@click.option(
    "--only", multiple=True, metavar="COLUMN=VALUE", help="csv: take the rows with this value; a column's values add up."
)
@click.option("--path-column", default="", show_default="path, or sop_instance_uid for dicom", help="csv, dicom: key of a row.")
@click.option("--label-column", default="label", show_default=True, help="csv, dicom.")
@click.option("--patient-column", default="patient_id", show_default=True, help="csv, dicom.")
@click.option("--subtype-column", default="subtype", show_default=True, help="csv, dicom; may be absent.")
@click.option("--official-column", default="official_split", show_default=True, help="csv; may be absent.")
def build_(
    source: Path,
    out: Path,
    layout: str | None,
    positive: tuple[str, ...],
    patient_rule: str,
    patient_pattern: str,
    patient_per_file: bool,
    root: Path | None,
    labels: Path | None,
    only: tuple[str, ...],
    path_column: str,
    label_column: str,
    patient_column: str,
    subtype_column: str,
    official_column: str,
) -> int:
    """Build a cohort table from SOURCE, opening every file once."""
    layout = layout or ("csv" if source.is_file() else "kermany")
    columns = Columns(
        path_column or ("sop_instance_uid" if layout == "dicom" else "path"),
        label_column,
        patient_column,
        subtype_column,
        official_column,
    )
    if layout == "kermany":
        cohort = build.from_kermany(
            source,
            rule="person" if patient_rule == "person" else "person-subtype",
            patient_per_file=patient_per_file,
            show_progress=True,
        )
    elif layout == "folders":
        cohort = build.from_folders(
            source, positive=positive, patient_pattern=patient_pattern, patient_per_file=patient_per_file, show_progress=True
        )
    elif layout == "csv":
        cohort = build.from_csv(
            source,
            root=root,
            positive=positive,
            columns=columns,
            only=_only(only),
            patient_per_file=patient_per_file,
            show_progress=True,
        )
    elif labels is None:
        raise click.UsageError("--layout dicom needs --labels FILE.csv")
    else:
        cohort = build.from_dicom(source, labels, positive=positive, columns=columns, show_progress=True)
    table.write(cohort, out)
    click.echo(f"{_counts(cohort)}: {out}")
    for line in cohort.unreadable:
        click.echo(f"  not read: {line}", err=True)
    return SOME_FILES_FAILED if cohort.unreadable else 0


@command.command("split")
@click.argument("cohort_", metavar="COHORT", type=_FILE)
@click.option("-o", "--out", type=_FILE, help="Where to write; by default COHORT itself.")
@click.option("--ratios", default="70/15/15", show_default=True, help="Percent of train/tune/test images.")
@click.option("--seed", default=split.PUBLISHED_SEED, show_default=True)
@click.option(
    "--fix",
    multiple=True,
    metavar="FILE:SIDE",
    help="CSV with a column patient_id whose patients go to that side; may be repeated.",
)
@click.option("--like", type=_FILE, help="Split cohort of the same patients: each goes to the side that it has there.")
@click.option("--official", is_flag=True, help="Take the source's own split as it is.")
@click.option(
    "--tune",
    default=0.0,
    type=click.FloatRange(0, 99),
    help="With --official: keep its test side alone and draw so many percent of the rest as tune, by patient.",
)
def split_(
    cohort_: Path, out: Path | None, ratios: str, seed: int, fix: tuple[str, ...], like: Path | None, official: bool, tune: float
) -> None:
    """Split by patient, stratified by label; the same on every platform."""
    cohort = table.read(cohort_)
    if official:
        done = split.official(cohort, tune=tune / 100, seed=seed)
    elif tune:
        raise click.UsageError("--tune is for --official; without it --ratios says how large the tune side is")
    else:
        given = [split.sides_of(table.read(like))] if like else []
        fixed = split.agreed([*given, *(split.read_fixed(text) for text in fix)])
        done = split.by_ratio(cohort, ratios=_ratios(ratios), seed=seed, fixed=fixed)
    table.write(done, out or cohort_)
    assert done.partition is not None
    for side in ("train", "tune", "test"):
        cases = [c for c in done.cases if c.split == side]
        click.echo(
            f"{side:<6}{len(cases):>7} images, {len({c.patient_id for c in cases})} patients, "
            f"{sum(c.reference for c in cases)} positive images"
        )
    click.echo(f"split {done.partition.sha256[:12]} ({done.partition.rule}): {out or cohort_}")


@command.command("audit")
@click.argument("cohort_", metavar="COHORT", type=_FILE)
@click.option("-o", "--out", type=_FILE, required=True, help="JSON file for everything that was found.")
@click.option("--draws", default=500, show_default=True, help="Bootstrap draws of the shortcut audit's intervals.")
def audit_(cohort_: Path, out: Path, draws: int) -> int:
    """Look for leaks, duplicates, conflicts and shortcuts.

    Exit code 1 where a patient or an identical image lies on two sides of the split.
    """
    if draws < 1:
        raise click.UsageError("--draws must be at least 1")
    cohort = table.read(cohort_)
    found = audit(cohort, show_progress=True)
    shortcut = trivial.audit(cohort, shortcut_features.features(cohort, show_progress=True), draws=draws)
    record = tables.plain({**asdict(found), "shortcuts": {k: asdict(v) for k, v in shortcut.items()}})
    with atomic_files.text(out) as stream:
        stream.write(json.dumps(record, indent=2) + "\n")
    click.echo("\n".join(_audit_lines(found)))
    click.echo("shortcut audit: ROC-AUC of classifiers that never see a lung (patient-grouped five-fold cross-validation)")
    for name, estimate in shortcut.items():
        click.echo(f"  {name:<20}{_short(estimate)}")
    click.echo(f"everything that was found: {out}")
    return SOME_FILES_FAILED if found.leaks else 0


def _short(estimate: Estimate) -> str:
    return f"{estimate} n = {estimate.n} patients"


def _audit_lines(found: Audit) -> list[str]:
    def pairs(name: str, several: tuple[Pair, ...]) -> str:
        across, patients = sum(len(set(p.sides)) > 1 for p in several), sum(not p.same_patient for p in several)
        labels = sum(not p.same_label for p in several)
        return f"{name}: {len(several)} pairs, {patients} under two patient ids, {labels} under two labels, {across} on two sides"

    lines = [f"{found.n_images} images of {found.n_patients} patients"]
    lines += [f"  {label:<24}{', '.join(f'{k} {v}' for k, v in row.items())}" for label, row in found.by_label.items()]
    lines += [f"  {label:<24}median {', '.join(f'{k} {v:.4g}' for k, v in row.items())}" for label, row in found.by_size.items()]
    lines += [
        f"patients on two sides: {len(found.patients_on_two_sides)}",
        pairs("identical images", found.identical),
        pairs("near-duplicates", found.near),
        f"patients with both labels: {len(found.patients_with_both_labels)}",
        f"unreadable files: {len(found.unreadable)}",
        *found.notes,
    ]
    return lines


def _only(texts: tuple[str, ...]) -> dict[str, set[str]]:
    wanted: dict[str, set[str]] = {}
    for text in texts:
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise click.UsageError(f"--only '{text}' should be COLUMN=VALUE")
        wanted.setdefault(column, set()).add(value)
    return wanted


def _ratios(text: str) -> tuple[float, float, float]:
    try:
        train, tune, test = (float(part) / 100 for part in text.split("/"))
    except ValueError as error:
        raise click.UsageError(f"--ratios '{text}' should be three percentages such as 70/15/15") from error
    if round(train + tune + test, 9) != 1:
        raise click.UsageError(f"--ratios '{text}' should add up to 100 percent")
    return train, tune, test


def _counts(cohort: Cohort) -> str:
    return (
        f"{len(cohort.cases)} images of {len({c.patient_id for c in cohort.cases})} patients, "
        f"{sum(c.reference for c in cohort.cases)} positive"
    )
