"""The conformance statement says what the program does."""

from datetime import UTC, datetime

import pytest

from pneumoscope.dicom_objects import KINDS, Profile, write_objects
from pneumoscope.pacs import conformance
from pneumoscope.pacs.receive.contexts import STORED_CLASSES, TRANSFER_SYNTAXES
from pneumoscope.radiograph import read
from tests.cli.run import run
from tests.dicom_objects.builders import reading
from tests.pacs.node_parts import image


@pytest.mark.parametrize("profile", Profile)
def test_the_sop_classes_are_those_of_the_objects_that_are_written(profile):
    content = image(ImagerPixelSpacing=["0.2", "0.2"])
    objects = write_objects(content, read(content), reading(), KINDS, profile, datetime(2026, 1, 1, tzinfo=UTC))
    assert {one.kind: one.sop_class_uid for one in objects} == {kind: conformance.class_of(profile, kind) for kind in KINDS}


def test_the_command_prints_the_statement_with_every_table():
    ran = run("node", "conformance")
    assert ran.out == conformance.page()
    for uid in (*STORED_CLASSES, *TRANSFER_SYNTAXES):
        assert f"| {uid} |" in ran.out
    assert {point.answer for point in conformance.AIR} == {"met", "not met", "not known"}
    assert all(point.how for point in conformance.AIR)
