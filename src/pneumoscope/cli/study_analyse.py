"""``pneumoscope study analyse``."""

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import click

from pneumoscope import DISCLAIMER
from pneumoscope.reader_study import formats
from pneumoscope.reader_study.analysis import conduct, criterion, report, tables
from pneumoscope.reader_study.analysis.analyse import analyse
from pneumoscope.reader_study.analysis.plan import POPULATIONS, Covariance, FigureName, Method, Plan, of_study
from pneumoscope.reader_study.definition import Hypothesis
from pneumoscope.reader_study.folder import is_study
from pneumoscope.reader_study.results import table_of_study


# fmt: off
@click.command("analyse")
@click.argument("table", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path),
              help="Folder for report.html, tables.tex and results.json.")
@click.option("--figure", type=click.Choice(get_args(FigureName)),
              help="Figure of merit; by default AUC of ratings, ALROC of ratings with a location, wAFROC of marks.")
@click.option("--method", type=click.Choice(get_args(Method)),
              help="By default Obuchowski-Rockette; U-statistics for the AUC of a design that is not fully crossed.")
@click.option("--covariance", type=click.Choice(get_args(Covariance)), default="jackknife", show_default=True,
              help="Covariance of Obuchowski-Rockette; DeLong and unbiased for AUC only.")
@click.option("--first", default="", help="First modality: differences are first − second.")
@click.option("--second", default="", help="Second modality.")
@click.option("--population", type=click.Choice(list(POPULATIONS)), default="readers and cases", show_default=True,
              help="What is random: to what the result is to be generalised.")
@click.option("--hypothesis", type=click.Choice(get_args(Hypothesis)), default="difference", show_default=True,
              help="What is to be shown of first − second.")
@click.option("--margin", type=click.FloatRange(0), default=0.0, help="Margin of non-inferiority or equivalence.")
@click.option("--alpha", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.05, show_default=True,
              help="Significance level: two-sided for a difference, else one-sided.")
@click.option("--threshold", type=float, help="Lowest rating called positive, for sensitivity and specificity.")
@click.option("--at", type=float,
              help="Parameter of the figure: the specificity or sensitivity to read at, the lower end of a partial AUC, the "
                   "slope of expected utility (1), the false-positive fraction of PCL or up to which ALROC goes (1).")
@click.option("--null", type=float, help="Value to test the mean figure against, in a table of one modality.")
@click.option("--model", default="", help="Reader that is a model: compare it with the mean of the others (one modality).")
def command(table: Path, out: Path | None, **asked: Any) -> None:
    # fmt: on
    """Analyse TABLE: a .csv of readings, an .imrmc file, a JAFROC workbook (.xlsx), marks (…marks.csv), or a study's folder.

    A .csv has one row for each reading and the columns reader, modality (or arm), case, truth (1 for a case with the target) and
    rating (larger for more suspicious). For LROC it has a column located too (1 if the marked place is right), or, instead of
    rating and located, the columns rating_if_correctly_located and rating_if_not. Marks have the columns reader, modality, case,
    lesion (0 for a mark on no lesion) and rating, with …cases.csv (case, truth) and …lesions.csv (case, lesion, weight) in the
    same folder.

    The design (fully crossed, split-plot, nested, partially paired, missing readings) is recognised from the table and printed
    with the number of readers and cases that each pair of modalities shares. A study's folder is analysed as its protocol has
    fixed it.
    """
    if is_study(table):
        _refuse_options()
        readings, fixed, title = table_of_study(table)
        result = analyse(readings, of_study(fixed))
        reached = {criterion.HEADING: criterion.criterion_table(table, result.verdict)}
        result = replace(result, further={**reached, **conduct.of_study(table)})
    else:
        title = f"Reader study '{table.stem}'"
        result = analyse(formats.read(table), Plan(**asked))
    click.echo(tables.as_markdown(result))
    if out:
        report.write(out, result, title)
        click.echo(f"report, tables and JSON: {out}. {DISCLAIMER}")
    else:
        click.echo(DISCLAIMER)


def _refuse_options() -> None:
    context = click.get_current_context()
    given = [
        name
        for name in context.params
        if name not in ("table", "out") and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(
            f"--{given[0]} cannot be chosen for a study whose protocol has fixed the analysis; "
            "export the study and analyse its table for a further analysis"
        )
