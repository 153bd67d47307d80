"""The device that made an image is named by a pseudonym, or its sender is."""

import json

import pytest

from pneumoscope.pacs.device import device_of, device_or_sender
from pneumoscope.pacs.explain import explain
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.reading_totals import ReadingTotals
from pneumoscope.pacs.status import details
from tests.pacs.node_parts import image, node, receive, worker

SALT = "0123456789abcdef"
STATED = {"DeviceSerialNumber": "SN-4711", "Manufacturer": "Maker", "ManufacturerModelName": "Model 9"}


def test_a_device_is_its_serial_number_with_its_manufacturer_and_model():
    assert device_of(image(**STATED), SALT) == pseudonym(SALT, "SN-4711\nMaker\nModel 9")
    assert device_of(image(**STATED | {"Manufacturer": "Other"}), SALT) != device_of(image(**STATED), SALT)
    assert device_of(image(number=2, **STATED), "another salt of a site") != device_of(image(**STATED), SALT)


def test_padding_does_not_make_another_device():
    assert device_of(image(**STATED | {"DeviceSerialNumber": " SN-4711 "}), SALT) == device_of(image(**STATED), SALT)


@pytest.mark.parametrize("content", [image(), image(**STATED | {"DeviceSerialNumber": ""}), b"", b"no DICOM" * 100])
def test_without_a_serial_number_the_sender_counts(content):
    assert device_of(content, SALT) == ""
    assert device_or_sender("", "CR1", SALT) == pseudonym(SALT, "CR1")


def test_the_node_records_the_device_and_counts_by_it(tmp_path, ledger):
    site = node(tmp_path)
    for number, sender in ((1, "CR1"), (2, "PACS")):
        receive(site, ledger, image(number, **STATED), number, sender=sender)
        assert worker(site, ledger).step("work")
    device = device_of(image(**STATED), SALT)
    assert {one.device for one in ledger.instances()} == {device}
    _, weeks = ReadingTotals(ledger, SALT).count()
    assert {key[1]: week.readings for key, week in weeks.items()} == {device: 2}
    shown = "\n".join(details(site, ledger, ledger.instances()[0]))
    assert f"made by the device {device}" in shown
    assert "4711" not in shown + json.dumps([vars(one) for one in ledger.instances()])


def test_explain_names_the_device(tmp_path):
    assert f"device: {device_of(image(**STATED), SALT)}" in explain(node(tmp_path), image(**STATED), "CR1")
    assert any("the sender counts" in line for line in explain(node(tmp_path), image(), "CR1"))
