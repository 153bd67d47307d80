"""What becomes of an HL7 message by its acknowledgement; ERR-3 by table 0357 of HL7 v2.5.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.pacs.send.acknowledgement import outcome_of
from pneumoscope.pacs.send.outcome import Fate

HEAD = "MSH|^~\\&|RIS|H|PNEUMOSCOPE||20260101||ACK^R01^ACK|9|P|2.5.1\r"
WHO = "the notification 'ris'"


def fate(text, control="ID1"):
    return outcome_of(text.encode(), control, WHO).fate


@pytest.mark.parametrize(
    ("code", "error", "expected"),
    [
        ("AA", "", Fate.SENT),
        ("CA", "", Fate.SENT),
        ("AE", "101^Required field missing^HL70357", Fate.NEVER),
        ("AE", "102", Fate.NEVER),
        ("AE", "103", Fate.NEVER),
        ("CE", "100", Fate.NEVER),
        ("AE", "204", Fate.LATER),
        ("AE", "205", Fate.SENT),
        ("CE", "206", Fate.LATER),
        ("AE", "207", Fate.LATER),
        ("AE", "", Fate.LATER),
        ("AE", "999", Fate.LATER),
        ("AR", "", Fate.NEVER),
        ("CR", "200", Fate.NEVER),
        ("AR", "207", Fate.LATER),
    ],
)
def test_the_condition_decides(code, error, expected):
    segment = f"ERR||PID^1|{error}|E\r" if error else ""
    assert fate(f"{HEAD}MSA|{code}|ID1\r{segment}") is expected


@pytest.mark.parametrize("answer", ["MSA|AE|ID1\rERR|PID^1^5^101&Required&HL70357\r", "MSA|AE|ID1||||101^Required\r"])
def test_systems_before_version_2_5_state_the_condition_elsewhere(answer):
    assert fate(HEAD + answer) is Fate.NEVER


def test_other_delimiters_and_line_ends_are_understood():
    assert fate("MSH#*~\\&#RIS\nMSA#AE#ID1\nERR##PID*1#103*Table\n") is Fate.NEVER


@pytest.mark.parametrize(
    "text", ["", "HTTP/1.1 200 OK", HEAD, HEAD + "MSA|", HEAD + "MSA|XX|ID1\r", HEAD + "MSA|AA|ID2\r", "MSH"]
)
def test_what_is_no_acknowledgement_of_this_message_is_in_doubt(text):
    assert fate(text) is Fate.DOUBT


def test_the_sentence_quotes_no_text_of_the_answer():
    outcome = outcome_of(f"{HEAD}MSA|AE|ID1|Doe^Jane\rERR||PID^1^3|103^Doe|E||||Doe\r".encode(), "ID1", WHO)
    assert outcome.reason == f"{WHO} answers AE, 103 (table value not found)"


@given(st.one_of(st.binary(), st.text(alphabet="MSHAERR|^~\\&\r123").map(lambda text: (HEAD + text).encode())))
def test_any_answer_has_an_outcome(content):
    assert outcome_of(content, "ID1", WHO).fate in Fate
