"""The CSV table of readings, by hand."""

import csv
import dataclasses

from pneumoscope.readings.line import SeverityLine
from pneumoscope.readings.severity import SEVERITY_NAME
from pneumoscope.reports.csv_table import write_csv
from tests.readings.test_form import FAILED, LINE, POPULATIONS


def test_csv_has_one_row_a_line(tmp_path):
    severity = SeverityLine(SEVERITY_NAME, 5.25, None, None, 0.9, 11, "masks", "no interval", ())
    line = dataclasses.replace(LINE, cautions=("lateral view", "x"), population=POPULATIONS[0], severity=severity)
    write_csv(tmp_path / "r.csv", [line, FAILED])
    with (tmp_path / "r.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    header = (
        "path target probability decision threshold abstains population population_source population_settings outside_domain "
        "cautions findings boxes severity severity_low severity_high model error"
    )
    assert rows[0] == header.split()
    assert rows[1:] == [
        [
            "a/b.png",
            "pneumonia",
            "0.812346",
            "positive",
            "0.5",
            "False",
            "child",
            "age",
            "child",
            "",
            "lateral view; x",
            "2",
            "1 2 30 40 0.7 right lower; 50 60 70.5 80 0",
            "5.25",
            "",
            "",
            "m",
            "",
        ],
        ["c.dcm", "pneumonia", "", "", "", "", "", "", "", "", "", "0", "", "", "", "", "m", 'cut, "short"'],
    ]
