"""The examples of notifications: the configuration is accepted, and the messages are those of the program."""

import json
import re
from pathlib import Path

from pneumoscope.pacs.notifications import fhir, hl7
from tests.dicom_objects.builders import reading
from tests.pacs.node_parts import BASE, node
from tests.pacs.notices import ABSTAINS, FHIR, HL7, REPORT, notice

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "pacs.md").read_text(encoding="utf-8")
_SHOWN = ("MSH", "PID", "OBR", "OBX|1|", "OBX|2|", "OBX|4|", "OBX|7|", "OBX|10|", "OBX|12|")


def one_finding():
    return notice(objects=[REPORT], findings=reading().findings[:1])


def resources():
    return [entry["resource"] for entry in json.loads(fhir.write(one_finding(), FHIR))["entry"]]


def shown(resource, *without):
    """A resource as the page shows it: a line for each element."""
    lines = [f'  "{name}": {json.dumps(value, ensure_ascii=False)}' for name, value in resource.items() if name not in without]
    return "{\n" + ",\n".join(lines) + "\n}"


def report():
    return shown(resources()[-1], "text")


def region():
    return shown(resources()[2], "subject", "basedOn", "issued")


def example():
    lines = hl7.write(one_finding(), HL7).decode().split("\r")
    return "\n".join(line for line in lines if line.startswith(_SHOWN))


def abstaining_row():
    return next(row for row in hl7.write(notice(**ABSTAINS), HL7).decode().split("\r") if "|233604007^" in row)


def test_the_page_shows_messages_of_the_program():
    for text in (report(), region(), example(), abstaining_row()):
        assert text in PAGE
    assert json.loads(region())["instance"][0]["imageRegion2D"]


def test_the_example_of_the_configuration_is_accepted(tmp_path):
    more = (ROOT / "examples" / "pacs" / "notifications.toml").read_text(encoding="utf-8")
    made = node(tmp_path, more, base=BASE.replace('name = "pacs"', 'name = "orthanc"'))
    assert [one.protocol for one in made.notifications] == ["fhir", "hl7"]
    assert {one.after for one in made.notifications} == {("orthanc",)}


def test_the_page_says_what_is_installed():
    assert re.search(r"pip install 'pneumoscope\[notify\]'", PAGE)
