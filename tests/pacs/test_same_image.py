"""The same image in another transfer syntax is read once; other content with its UID is a conflict."""

import io

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian, RLELossless

from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.ledger.instances import CONFLICT, TO_COMPARE
from pneumoscope.pacs.work.same_image import same_image
from pneumoscope.pacs.work.worker import SAME_IMAGE
from pneumoscope.radiograph import read
from tests.pacs.node_parts import image, node, receive, worker


def changed(content, syntax=None, **elements):
    """The image in another transfer syntax, with other attributes."""
    dataset = dcmread(io.BytesIO(content))
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    if syntax == RLELossless:
        dataset.compress(RLELossless, generate_instance_uid=False)
    elif syntax:
        dataset.file_meta.TransferSyntaxUID = syntax
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


ONE = image(SmallestImagePixelValue=0, PatientID="A", OperatorsName="")
PIXELS = np.array(dcmread(io.BytesIO(ONE)).pixel_array)
PIXELS[3, 4] += 200


@pytest.mark.parametrize("syntax", [RLELossless, ImplicitVRLittleEndian])
def test_an_image_is_the_same_in_another_transfer_syntax(syntax):
    assert same_image(ONE, changed(ONE, syntax), read)


@pytest.mark.parametrize("elements", [{"PatientID": "B"}, {"PixelData": PIXELS.tobytes()}, {"SeriesNumber": 3}])
def test_an_image_with_another_attribute_or_pixel_is_not_the_same(elements):
    assert not same_image(ONE, changed(ONE, ImplicitVRLittleEndian, **elements), read)


@pytest.fixture
def site(tmp_path):
    made = node(tmp_path)
    with Ledger.open(made.ledger_url) as ledger:
        yield made, ledger


def received(site, second, syntax=RLELossless):
    """Receive the image, and then something with its UID; work on both; give states and reasons."""
    made, ledger = site
    receive(made, ledger, ONE)
    made.spool_folder.joinpath("1.dcm").rename(made.spool_folder / "first.dcm")
    with ledger.write() as connection:
        connection.exec_driver_sql("UPDATE instances SET path = 'first.dcm'")
    receive(made, ledger, second, transfer_syntax=str(syntax))
    return made, ledger


def worked(made, ledger):
    working = worker(made, ledger)
    while working.step("work/0"):
        pass
    return [(one.state, one.reason) for one in ledger.instances()]


def test_the_same_image_in_another_transfer_syntax_is_skipped(site):
    made, ledger = received(site, changed(ONE, RLELossless))
    assert [(one.state, one.reason) for one in ledger.instances()] == [("received", ""), ("received", TO_COMPARE)]
    assert worked(made, ledger) == [("read", ""), ("skipped", SAME_IMAGE)]
    assert len(ledger.deliveries()) == 1


@pytest.mark.parametrize(
    "second", [changed(ONE, RLELossless, PatientID="B"), b"\0" * 128 + b"DICM" + changed(ONE, RLELossless)[132:900]]
)
def test_other_content_in_another_transfer_syntax_is_a_conflict(site, second):
    made, ledger = received(site, second)
    assert worked(made, ledger) == [("read", ""), ("conflict", CONFLICT)]


def test_what_can_no_longer_be_compared_is_a_conflict(site):
    made, ledger = received(site, changed(ONE, RLELossless))
    (made.spool_folder / "first.dcm").unlink()
    ledger.finish_instance(ledger.claim_instance("work/0", 60), "skipped", "by a rule")
    assert worked(made, ledger) == [("skipped", "by a rule"), ("conflict", CONFLICT)]


def test_a_conflict_that_is_requeued_is_read_without_being_compared_again(site):
    made, ledger = received(site, changed(ONE, RLELossless, PatientID="B"))
    ledger.finish_instance(ledger.claim_instance("work/0", 60), "skipped", "by a rule")
    assert worked(made, ledger)[1] == ("conflict", CONFLICT)
    ledger.requeue("instances", [2])
    assert worked(made, ledger)[1] == ("read", "")


def test_other_content_in_the_same_transfer_syntax_is_a_conflict_at_once(site):
    _, ledger = received(site, changed(ONE, PatientID="B"), "1.2.840.10008.1.2.1")
    assert [(one.state, one.reason) for one in ledger.instances()] == [("received", ""), ("conflict", CONFLICT)]
