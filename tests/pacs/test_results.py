"""Result files in the spool: a file that lies there under the name of an object is used only if it holds the object."""

import pytest

from pneumoscope.dicom_objects import DicomObject
from pneumoscope.pacs.work import results
from tests.pacs.fake_pacs import SR
from tests.pacs.result_files import result_content


@pytest.mark.parametrize("left", [None, b"", result_content()[:-40], result_content(text="b result")])
def test_a_damaged_file_of_the_same_name_is_written_again(tmp_path, left):
    made = DicomObject("sr", SR, "2.25.1001", result_content())
    file = tmp_path / results.path_of(made)
    file.parent.mkdir(parents=True)
    if left is not None:
        file.write_bytes(left)
    assert results.save(tmp_path, made, "general", ()).sop_instance_uid == "2.25.1001"
    assert file.read_bytes() == made.content
