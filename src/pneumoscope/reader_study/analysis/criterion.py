"""Whether a study has reached the criterion of success that its protocol fixed, and what happened on the way."""

import math
from contextlib import closing
from pathlib import Path

from pneumoscope.reader_study.analysis.verdict import Verdict
from pneumoscope.reader_study.folder import open_study
from pneumoscope.reader_study.results import require_results
from pneumoscope.reader_study.room import OVERRIDE
from pneumoscope.reader_study.trail import EXCLUDED, UNBLINDED
from pneumoscope.statistics.table import Table

HEADING = "Criterion of the protocol"


def criterion_table(folder: Path, verdict: Verdict) -> Table:
    """Tabulate the criterion of success, whether it was reached, and the deviations that the trail holds.

    Parameters
    ----------
    folder : Path
        Folder of the study; its journal was verified by `results.table_of_study`.
    verdict : Verdict
        The answer of the fixed analysis.

    Returns
    -------
    Table
        One fact a row.

    Raises
    ------
    BlindedError
        Before the study is complete or unblinded.
    """
    study = open_study(folder)
    with closing(study.journal):
        require_results(study)
        launch = study.journal.events("frozen")[0]
        counts = {name: len(study.journal.events(kind)) for name, kind in _DEVIATIONS.items()}
        rows = [
            ("criterion of success", study.protocol.definition.analysis.criterion),
            ("result", _result(study.protocol.stage, verdict)),
            ("protocol launched", f"{launch.at[:16].replace('T', ' ')} UTC, SHA-256 {launch.body['protocol_sha256']}"),
            *((name, str(count)) for name, count in counts.items()),
        ]
        return Table.of(("of the protocol and the trail", ""), rows)


_DEVIATIONS = {
    "unblindings, each with a reason": UNBLINDED,
    "washouts overridden, each with a reason": OVERRIDE,
    "exclusions, each with a reason": EXCLUDED,
}


def _result(stage: str, verdict: Verdict) -> str:
    pilot = " (a pilot decides nothing)" if stage == "pilot" else ""
    if math.isnan(verdict.p):
        return f"undefined{pilot}"
    return ("reached" if verdict.shown else "not reached") + pilot
