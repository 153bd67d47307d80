"""The header of an instance: read from the file as it is, whatever stands in it."""

import hashlib
import zlib

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from pneumoscope.pacs.errors import NotUnderstoodError
from pneumoscope.pacs.receive.header import read_header
from tests.pacs.receiving import instance
from tests.radiograph.builders import without_meta, written


def header_of(content, folder):
    (folder / "one.dcm").write_bytes(content)
    return read_header(folder / "one.dcm")


@pytest.mark.parametrize("syntax", [None, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_uids_and_hash_are_those_of_the_data_set(tmp_path, syntax):
    made = instance(7, **({"syntax": syntax} if syntax else {}))
    header = header_of(written(made), tmp_path)
    uids = (header.sop_class_uid, header.sop_instance_uid, header.study_uid, header.series_uid, header.transfer_syntax)
    assert uids == (made.SOPClassUID, "1.2.3.7", "1.2.3.7.8", "1.2.3.7.9", made.file_meta.TransferSyntaxUID)
    assert header.sha256 == hashlib.sha256(without_meta(made)).hexdigest()
    assert header.size == len(written(made))


def test_the_hash_does_not_depend_on_who_wrote_the_file(tmp_path):
    mine, other = instance(1), instance(1)
    other.file_meta.ImplementationVersionName = "OTHER"
    assert written(mine) != written(other)
    assert header_of(written(mine), tmp_path).sha256 == header_of(written(other), tmp_path).sha256


def deflated(made, padding=b""):
    meta = written(made)[: -len(without_meta(made))]
    syntax = made.file_meta.TransferSyntaxUID.encode()
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(without_meta(made) + padding) + packer.flush()
    new = DeflatedExplicitVRLittleEndian.encode()
    old = b"UI" + len(syntax + b"\0").to_bytes(2, "little") + syntax + b"\0"
    return meta.replace(old, b"UI" + len(new).to_bytes(2, "little") + new) + packed


def test_a_deflated_data_set_is_read_only_as_far_as_its_uids(tmp_path):
    bomb = deflated(instance(3), padding=bytes(20_000_000))
    assert len(bomb) < 10**5
    header = header_of(bomb, tmp_path)
    assert (header.transfer_syntax, header.sop_instance_uid) == (DeflatedExplicitVRLittleEndian, "1.2.3.3")


META_WITHOUT_VR = bytes(128) + b"DICM" + b"\2\0\x10\0U\0\4\0" + bytes(4)


@pytest.mark.parametrize(
    "content",
    [b"", b"noise", bytes(128) + b"DICM", META_WITHOUT_VR, written(instance(1))[:230], b"x" * 10_000],
    ids=["nothing", "noise", "no meta", "unknown VR", "cut", "long noise"],
)
def test_what_is_no_instance_is_one_sentence(tmp_path, content):
    with pytest.raises(NotUnderstoodError, match=r"no DICOM file|transfer syntax|damaged|no valid SOP"):
        header_of(content, tmp_path)


def test_an_instance_without_a_valid_uid_is_not_understood(tmp_path):
    content = written(instance(1)).replace(b"\x08\0\x18\0UI\x08\x001.2.3.1\0", b"\x08\0\x18\0UI\x08\x001.2.X.1\0")
    with pytest.raises(NotUnderstoodError, match="no valid SOP Class UID and SOP Instance UID") as error:
        header_of(content, tmp_path)
    assert "1.2" not in str(error.value)
