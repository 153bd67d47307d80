"""Files of results as the node writes them."""

import io

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from pneumoscope.pacs.send.result_file import data_set_sha256, open_result
from tests.pacs.fake_pacs import SR


def result_content(number=1, sop_class=SR, text="a result"):
    """The bytes of a small object."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = f"2.25.{1000 + number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"2.25.{number + 1}", f"2.25.{number + 1}00"
    dataset.PatientID, dataset.PatientName = "SECRET-4711", "Doe^Jane"
    dataset.TextValue = text
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def result_file(folder, number=1, sop_class=SR):
    """A small object on the disk, opened."""
    file = folder / f"{number}.dcm"
    file.write_bytes(result_content(number, sop_class))
    return open_result(file, data_set_sha256(file))
