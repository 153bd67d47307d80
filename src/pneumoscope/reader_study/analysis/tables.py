"""The results of an analysis as tables, JSON and LaTeX."""

import dataclasses
import math
from typing import Any

import numpy as np

from pneumoscope.reader_study.analysis.analyse import StudyAnalysis
from pneumoscope.reader_study.analysis.plan import POPULATIONS
from pneumoscope.statistics.estimate import plain
from pneumoscope.statistics.formatting import interval, number, p_value
from pneumoscope.statistics.multireader.inference import Inference
from pneumoscope.statistics.multireader.ratings import Bools
from pneumoscope.statistics.table import Table


def design_table(result: StudyAnalysis) -> Table:
    """Tabulate what each pair of modalities shares.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    Table
        Readers and cases of each class, for each modality and each pair.
    """
    names, found, rows = result.modalities, result.design, []
    for a in range(len(names)):
        for b in range(a, len(names)):
            pair = names[a] if a == b else f"{names[a]} and {names[b]}"
            counts = (found.shared_readers[a, b], found.shared_diseased[a, b], found.shared_nondiseased[a, b])
            rows.append([pair, *(str(int(count)) for count in counts)])
    return Table.of(["modality, or shared by a pair", "readers", "cases with the target", "cases without"], rows)


def figure_table(result: StudyAnalysis) -> Table:
    """Tabulate the figure of merit of every reader in every modality.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    Table
        One row a reader, and the mean of the readers without the model.
    """
    rows = [[reader, *map(number, column)] for reader, column in zip(result.readers, result.values.T, strict=True)]
    counts = _has_read(result) & np.array([not result.plan.model or name != result.plan.model for name in result.readers])
    means = [number(float(np.mean(row[read]))) for row, read in zip(result.values, counts, strict=True)]
    return Table.of([f"{result.figure} of reader", *result.modalities], [*rows, ["mean of readers", *means]])


def _has_read(result: StudyAnalysis) -> Bools:
    """Whether a reader has read in a modality, (modalities, readers)."""
    return np.asarray(np.any(result.ratings.read, -1))


def comparison_table(result: StudyAnalysis) -> Table:
    """Tabulate all differences of modalities, by every method that applies.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    Table
        One row a pair of modalities and method.
    """
    names, rows = result.modalities, []
    for analysis in result.analyses:
        for contrast in analysis.contrasts:
            pair = f"{names[contrast.first]} − {names[contrast.second]}"
            rows.append([pair, f"Obuchowski–Rockette, {analysis.population}", *_cells(contrast.difference)])
    if result.u_statistics:
        for a in range(len(names)):
            for b in range(a + 1, len(names)):
                found = result.u_statistics.difference(a, b, result.plan.level).result
                method = f"U-statistics, {POPULATIONS['readers and cases']}"
                rows.append([f"{names[a]} − {names[b]}", method, *_cells(found)])
    return Table.of(["difference", "method and population", "estimate", "SE", "df", "interval", "p"], rows)


def mean_table(result: StudyAnalysis) -> Table:
    """Tabulate the mean figure of each modality.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    Table
        One row a modality and population.
    """
    rows = [
        [name, f"Obuchowski–Rockette, {analysis.population}", *_cells(mean)[:-1]]
        for analysis in result.analyses
        for name, mean in zip(result.modalities, analysis.means, strict=True)
    ]
    if result.u_statistics:
        for position, name in enumerate(result.modalities):
            mean = result.u_statistics.modality(position, 0.0, result.plan.level).result
            rows.append([name, f"U-statistics, {POPULATIONS['readers and cases']}", *_cells(mean)[:-1]])
    return Table.of([f"{result.figure} of modality", "method and population", "estimate", "SE", "df", "interval"], rows)


def model_table(result: StudyAnalysis) -> Table:
    """Tabulate the difference of a model and the mean of the readers, by every method.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    Table
        One row a method; none without a model.
    """
    rows = [[method, *_cells(found.difference)] for method, found in result.model.items()]
    head = ["method and population", f"{result.plan.model} − readers", "SE", "df", "interval", "p"]
    return Table.of(head, rows)


def component_table(result: StudyAnalysis) -> Table:
    """Tabulate mean squares and variance components of Obuchowski and Rockette.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    Table
        One row a component, not clipped.
    """
    parts = result.components
    rows = {
        "MS(T)": parts.ms_modality, "MS(R)": parts.ms_reader, "MS(TR)": parts.ms_modality_reader, "VarR": parts.reader,
        "VarTR": parts.modality_reader, "Var": parts.variance, "Cov1": parts.cov1, "Cov2": parts.cov2, "Cov3": parts.cov3,
    }  # fmt: skip
    return Table.of(["component", "estimate"], [[name, number(value, decimals=8)] for name, value in rows.items()])


def all_tables(result: StudyAnalysis) -> dict[str, Table]:
    """Make all tables of a report.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    dict of str to Table
        By heading; tables without a row are left out.
    """
    found = {
        "Design": design_table(result),
        "Figure of merit": figure_table(result),
        "Modalities": mean_table(result),
        "Differences": comparison_table(result),
        "Model against readers": model_table(result),
        "Variance components": component_table(result),
        **result.further,
    }
    return {heading: table for heading, table in found.items() if table}


def _cells(found: Inference) -> list[str]:
    if found.reason:
        return [number(found.estimate), "–", "–", found.reason, "–"]
    df = "∞" if math.isinf(found.df) else number(found.df, decimals=2)
    return [
        number(found.estimate),
        number(found.standard_error, decimals=5),
        df,
        interval(found.low, found.high),
        p_value(found.p),
    ]


def as_markdown(result: StudyAnalysis) -> str:
    """Write the analysis as Markdown.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    str
        Sentence, notes and tables.
    """
    parts = [f"## {heading}\n\n{table.markdown()}" for heading, table in all_tables(result).items()]
    notes = "".join(f"- {note}\n" for note in result.notes)
    return "\n".join([f"{result.verdict.sentence}\n", *([notes] if notes else []), *parts])


def as_latex(result: StudyAnalysis) -> str:
    """Write the tables as LaTeX.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    str
        One ``tabular`` a table, with its heading as a comment.
    """
    return "\n".join(f"% {heading}\n{table.latex()}" for heading, table in all_tables(result).items())


def as_json(result: StudyAnalysis) -> dict[str, Any]:
    """Write the analysis as JSON values, in full precision.

    Parameters
    ----------
    result : StudyAnalysis
        The analysis.

    Returns
    -------
    dict
        NaN is None; infinite degrees of freedom (the normal distribution) are None.
    """
    names, found = result.modalities, result.design
    tree = {
        "plan": {**dataclasses.asdict(result.plan), "figure": result.figure, "method": result.method},
        "design": {
            "crossing": str(found.crossing),
            "groups": found.groups,
            "cases": len(result.ratings.cases),
            "diseased": result.ratings.n_diseased,
            "modalities": names,
            "readers": result.readers,
            "shared_readers": found.shared_readers.tolist(),
            "shared_diseased": found.shared_diseased.tolist(),
            "shared_nondiseased": found.shared_nondiseased.tolist(),
        },
        "figures": _figures(result),
        "components": dataclasses.asdict(result.components)
        | {"reader": result.components.reader, "modality_reader": result.components.modality_reader},
        "obuchowski_rockette": [_analysis(result, k) for k in range(len(result.analyses))],
        "u_statistics": _u_statistics(result),
        "model": {method: _inference(found.difference) for method, found in result.model.items()},
        "verdict": {**_inference(result.verdict.difference), "p": result.verdict.p, "first": result.verdict.first,
                    "second": result.verdict.second, "shown": result.verdict.shown, "sentence": result.verdict.sentence},
        "notes": result.notes,
        "further": {heading: {"head": table.head, "rows": table.rows} for heading, table in result.further.items()},
    }  # fmt: skip
    value: dict[str, Any] = plain(tree)
    return value


def _figures(result: StudyAnalysis) -> dict[str, dict[str, float]]:
    rows = zip(result.modalities, result.values.tolist(), strict=True)
    return {name: dict(zip(result.readers, row, strict=True)) for name, row in rows}


def _inference(found: Inference) -> dict[str, Any]:
    df = math.nan if math.isinf(found.df) else found.df
    return {
        "estimate": found.estimate, "standard_error": found.standard_error, "df": df, "low": found.low, "high": found.high,
        "level": found.level, "p": found.p, "reason": found.reason,
    }  # fmt: skip


def _analysis(result: StudyAnalysis, position: int) -> dict[str, Any]:
    analysis, names = result.analyses[position], result.modalities
    test = dataclasses.asdict(analysis.overall)
    return {
        "population": str(analysis.population),
        "test": {**test, "df2": math.nan if math.isinf(test["df2"]) else test["df2"]},
        "means": {name: _inference(mean) for name, mean in zip(names, analysis.means, strict=True)},
        "differences": [
            {"first": names[one.first], "second": names[one.second], **_inference(one.difference)} for one in analysis.contrasts
        ],
    }


def _u_statistics(result: StudyAnalysis) -> dict[str, Any] | None:
    study, names, level = result.u_statistics, result.modalities, result.plan.level
    if study is None:
        return None
    pairs = [(a, b) for a in range(len(names)) for b in range(a + 1, len(names))]
    return {
        "means": {name: _inference(study.modality(k, 0.0, level).result) for k, name in enumerate(names)},
        "differences": [
            {"first": names[a], "second": names[b], "variance": study.variance_of_difference(a, b)}
            | _inference(study.difference(a, b, level).result)
            for a, b in pairs
        ],
    }
