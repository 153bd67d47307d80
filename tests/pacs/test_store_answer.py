"""The answer to a C-STORE request: byte for byte what pynetdicom encodes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pynetdicom.dimse_messages import C_STORE_RSP
from pynetdicom.dimse_primitives import C_STORE

from pneumoscope.pacs.receive.bounded_dimse import store_answer


def answer(**values):
    primitive = C_STORE()
    for name, value in values.items():
        setattr(primitive, name, value)
    return primitive


def by_pynetdicom(primitive):
    message = C_STORE_RSP()
    message.primitive_to_message(primitive)
    (fragment,) = message.encode_msg(1, 16384)
    ((_, content),) = fragment.presentation_data_value_list
    assert content[:1] == b"\x03"
    return content[1:]


UIDS = st.from_regex(r"\A1(\.[1-9][0-9]{0,8}){1,5}\Z") | st.none()


@given(
    responded=st.integers(0, 2**16 - 1),
    status=st.sampled_from([0x0000, 0xA700, 0xA900, 0xC000, 0x0110, 0x0124, 0xB000]),
    sop_class=UIDS,
    instance=UIDS,
)
def test_an_answer_has_the_bytes_of_pynetdicom(responded, status, sop_class, instance):
    given_ = {"AffectedSOPClassUID": sop_class, "AffectedSOPInstanceUID": instance}
    uids = {name: uid for name, uid in given_.items() if uid is not None}
    primitive = answer(MessageIDBeingRespondedTo=responded, Status=status, **uids)
    assert store_answer(primitive) == by_pynetdicom(primitive)


@pytest.mark.parametrize(
    "values",
    [{"MessageID": 1}, {"MessageIDBeingRespondedTo": 1}, {"MessageIDBeingRespondedTo": 1, "Status": 0xA700, "ErrorComment": "x"}],
)
def test_other_messages_are_left_to_pynetdicom(values):
    assert store_answer(answer(**values)) is None
