"""``docs/dicom-objects.md`` says what the program does: its tables, and its example."""

import re
from pathlib import Path

from pydicom.uid import UID

from pneumoscope.dicom_objects import KINDS, Profile
from tests.dicom_objects.builders import well_formed_dx
from tests.radiograph.builders import written

PAGE = (Path(__file__).parents[2] / "docs" / "dicom-objects.md").read_text(encoding="utf-8")


def test_the_kinds_are_those_of_the_program():
    assert (
        tuple(re.findall(r"^\| `(\w+)` \| \w+ ?.* \| .* \|$", PAGE.split("## Kinds")[1].split("## Profiles")[0], re.M)) == KINDS
    )


def test_the_profiles_are_those_of_the_program():
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \| (.*) \|$", PAGE.split("## Profiles")[1].split("## What is")[0], re.M)
    assert [row[0] for row in rows] == list(Profile)
    for name, sr_class, kinds in rows:
        assert tuple(re.findall(r"`(\w+)`", kinds)) == Profile(name).kinds
        assert UID(Profile(name).sr_class_uid).name == f"{sr_class} Storage"


def test_the_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(compile(example, "dicom-objects.md", "exec"), {"content": written(well_formed_dx())})
    probability, decision = capsys.readouterr().out.split()
    assert 0 <= float(probability) <= 1
    assert decision in ("positive", "negative")
