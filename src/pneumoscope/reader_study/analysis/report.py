"""Write the analysis of a study: an HTML page, LaTeX tables and JSON."""

import json
from pathlib import Path

import jinja2
from markupsafe import Markup

from pneumoscope import DISCLAIMER, __version__, atomic_files
from pneumoscope.reader_study.analysis import curves, tables
from pneumoscope.reader_study.analysis.analyse import StudyAnalysis


def write(folder: Path, result: StudyAnalysis, title: str) -> None:
    """Write ``report.html``, ``tables.tex`` and ``results.json``, each whole or not at all.

    Parameters
    ----------
    folder : Path
        Folder for the files.
    result : StudyAnalysis
        The analysis.
    title : str
        Title of the page.
    """
    environment = jinja2.Environment(loader=jinja2.PackageLoader("pneumoscope.reader_study.analysis"), autoescape=True)
    pictures = {
        f"{curves.kind(result)} curves of the readers": curves.curves(result),
        "FROC curves of the readers": curves.froc_curves(result),
        "Differences of the readers": curves.forest(result),
    }
    page = environment.get_template("analysis.html").render(
        title=title,
        disclaimer=DISCLAIMER,
        version=__version__,
        result=result,
        tables=tables.all_tables(result),
        pictures={heading: Markup(svg) for heading, svg in pictures.items() if svg},
    )
    texts = {
        "report.html": page,
        "tables.tex": tables.as_latex(result),
        "results.json": json.dumps(tables.as_json(result), indent=2) + "\n",
    }
    for name, text in texts.items():
        with atomic_files.text(folder / name) as stream:
            stream.write(text)
