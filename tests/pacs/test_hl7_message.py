"""The HL7 v2.5.1 message of a reading: two other libraries parse it and get what the reading says."""

import re
import warnings

import hl7 as python_hl7
import pytest
from hl7apy import consts, parser
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope import DISCLAIMER
from pneumoscope.classifier import OperatingPoint
from pneumoscope.pacs.notifications import hl7
from pneumoscope.pacs.notifications.hl7_text import composite, escaped, fields_of, segment
from pneumoscope.readings import DomainCheck, ModelIdentity
from tests.dicom_objects.builders import SOURCES, cr_without_ids, well_formed_dx, with_raw
from tests.pacs.notices import ABSTAINS, HL7, REPORT, notice

LATER = {"model": ModelIdentity("newer", "cd" * 32)}
ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]))


def message(*arguments, settings=HL7, **changes):
    return hl7.write(notice(*arguments, **changes), settings)


def parsed(content):
    return python_hl7.parse(content.decode())


def observations(content):
    """Observations as python-hl7 parses them: value and status by code and sub-ID."""
    return {(str(one[3][0][0]), str(one[4])): (str(one[5]), str(one[11])) for one in parsed(content).segments("OBX")}


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("changes", [{}, {"findings": (), "decision": "negative", "domain": None}], ids=["positive", "negative"])
def test_every_message_is_valid_by_the_tables_of_the_standard(name, changes):
    content = message(SOURCES[name], [REPORT], [notice(**LATER).line], **changes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = parser.parse_message(content.decode(), validation_level=consts.VALIDATION_LEVEL.STRICT)
    assert made.validate()
    assert made.name == "ORU_R01"


def test_the_header_says_who_what_and_in_which_characters():
    made = parsed(message())
    head = made.segment("MSH")
    assert [str(head[k]) for k in (3, 5, 6, 9, 11, 12, 18)] == [
        "PNEUMOSCOPE", "RIS", "HOSPITAL", "ORU^R01^ORU_R01", "P", "2.5.1", "UNICODE UTF-8",
    ]  # fmt: skip
    assert re.fullmatch(r"[A-Z2-7]{20}", str(head[10]))
    assert hl7.control_id(message()) == str(head[10])
    assert str(head[7]) == "20260304063607+0130"


def test_the_same_reading_gives_the_same_bytes_and_another_system_another_message_control_id():
    other = hl7.control_id(message(settings=type(HL7)("other", "hl7", host="127.0.0.1", port=1)))
    assert message() == message()
    assert hl7.control_id(message()) != other != hl7.control_id(message(**LATER))


def test_results_are_preliminary_and_hold_what_the_reading_says():
    made = observations(message(objects=[REPORT], domain=DomainCheck(9.0, 2.5, lungs=True)))
    assert made["113014", ""] == ("1.2.3.1", "O")
    assert made["122157", ""] == ("0.9", "P")
    assert made["233604007", ""] == ("52101004^Present^SCT", "P")
    assert made["ABSTENTION", ""] == ("373067005^No^SCT", "P")
    assert made["DOMAIN", ""] == ("OUTSIDE^Outside of the domain of the model^99PNEUMOSCOPE", "P")
    assert (made["111012", "1"], made["111012", "2"]) == (("81.0", "P"), ("63.0", "P"))
    assert made["272741003", "2"] == ("7771000^Left^SCT", "P")
    assert (made["121324", ""], made["RESULT_OBJECT", "1"]) == (("1.2.3.3", "O"), ("2.25.7", "O"))
    text, _ = made["59776-5", ""]
    assert text.split("~")[-2:] == ["Not confirmed by a physician.", DISCLAIMER]


@pytest.mark.parametrize("decision", ["positive", "negative"])
def test_where_the_model_abstains_the_row_of_the_decision_alone_says_so(decision):
    content = message(decision=decision, **ABSTAINS)
    assert parser.parse_message(content.decode(), validation_level=consts.VALIDATION_LEVEL.STRICT).validate()
    made = observations(content)
    assert made["233604007", ""] == ("82334004^Indeterminate^SCT", "P")
    assert made["ABSTENTION", ""] == ("373066001^Yes^SCT", "P")
    text = made["59776-5", ""][0]
    assert text.startswith("Pneumonia: indeterminate, probability 0.500 (threshold 0.550).~The model abstains: ")
    assert not re.search("positive|negative|Present|Absent", content.decode())


def test_the_order_has_accession_number_and_the_time_of_the_image():
    order = parsed(message()).segment("OBR")
    assert [str(order[k]) for k in (4, 7, 18, 24, 25)] == ["36554-4^XR Chest Single view^LN", "20260102101112", "A1", "RAD", "P"]


def test_a_source_without_patient_id_has_no_patient_segment():
    assert [str(one[0]) for one in parsed(message(with_raw(cr_without_ids(), PatientName="Doe^Jane")))][:2] == ["MSH", "OBR"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Doe^Jane^Q^Dr.^Jr.", "Doe^Jane^Q^Jr.^Dr."),  # XPN has the suffix before the prefix
        ("", "^^^^^^U"),
        ("^^", "^^^^^^U"),
        ("O&Neil~|^J", r"O\T\Neil\R\\F\^J"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada^Tarou^^^^^^A~山田^太郎^^^^^^I~やまだ^たろう^^^^^^P"),
        ("Иванов^Пётр", "Иванов^Пётр"),
    ],
)
def test_names_keep_their_parts_and_their_letters(name, expected):
    source = with_raw(well_formed_dx(), SpecificCharacterSet="ISO_IR 192", PatientName=name)
    fields = message(source).decode().split("\r")[1].split("|")
    assert fields[5] == expected


def test_a_later_model_corrects_the_order_of_the_earlier_one_and_takes_back_what_it_does_not_see():
    before = notice()
    first, later = hl7.write(before, HL7), message(earlier=[before.line], findings=(), **LATER)
    assert str(parsed(first).segment("OBR")[3]) == str(parsed(later).segment("OBR")[3])
    assert str(parsed(later).segment("OBR")[25]) == "C"
    made = observations(later)
    assert made["122157", ""] == ("0.9", "C")
    assert (made["111012", "1"], made["272741003", "2"]) == (('""', "D"), ('""', "D"))
    assert observations(first).keys() <= made.keys()


@given(ANY_TEXT)
def test_any_text_comes_back_through_another_parser(text):
    line = segment("OBX", {1: "1", 5: composite(text, "x")})
    assert not re.search(r"[\x00-\x1f\x7f]", line)
    message = python_hl7.parse(f"MSH|^~\\&|A|B|C|D|2026||ORU^R01|1|P|2.5.1\r{line}\r")
    component = str(message.segment("OBX")[5][0][0])
    assert message.unescape(component) == text
    assert str(message.segment("OBX")[5][0][1]) == "x"


@given(st.binary())
def test_anything_is_split_into_fields(content):
    for one in fields_of(b"MSH|" + content):
        assert all(isinstance(text, str) for text in one)


def test_escaped_text_has_no_delimiter():
    assert escaped("a^b&c~d\\e|f\x0b\x1c\r") == r"a\S\b\T\c\R\d\E\e\F\f\X0B\\X1C\\X0D" + "\\"


@pytest.mark.parametrize("value", [0.0, 1e-7, 0.1, 1.0])
def test_numbers_have_no_exponent(value):
    made = observations(message(findings=(), operating_point=OperatingPoint(value, "r", "tune", "ef" * 32)))
    assert float(made["122411", ""][0]) == value
    assert "e" not in made["122411", ""][0].lower()
