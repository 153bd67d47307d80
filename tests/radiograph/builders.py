"""Radiographs made in memory: pictures written byte by byte, DICOM instances written by pydicom."""

import io
import struct
import zlib
from pathlib import Path

import gdcm
import numpy as np
import pydicom
from hypothesis import settings
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

PATIENT = {"PatientName": "Doe^Jane", "PatientID": "SECRET-4711", "AccessionNumber": "ACC-0815"}
GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
"""Colour types of PNG, ISO/IEC 15948 table 11.1."""

property_test = settings(max_examples=30, deadline=None, derandomize=True)


def chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk: length, kind, body, checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(cols: int, rows: int, depth: int = 8, colour: int = GREY) -> bytes:
    """The signature and the header chunk of a PNG file."""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", cols, rows, depth, colour, 0, 0, 0))


def png(samples, depth: int = 8, colour: int = GREY, extra: bytes = b"") -> bytes:
    """A PNG file of the samples, shape (rows, cols) or (rows, cols, channels), written without an imaging library."""
    array = np.asarray(samples)
    bits = (array.reshape(len(array), -1, 1) >> np.arange(depth)[::-1]) & 1
    lines = np.packbits(bits.reshape(len(array), -1).astype(np.uint8), axis=1)
    data = b"".join(b"\0" + line.tobytes() for line in lines)
    return (
        png_header(array.shape[1], array.shape[0], depth, colour)
        + extra
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def exif(orientation: int) -> bytes:
    """An Exif block (big-endian TIFF) with the one tag Orientation."""
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def jpeg(samples, **options) -> bytes:
    """A JPEG file of 8 bit samples."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(samples, np.uint8)).save(file, "JPEG", **options)
    return file.getvalue()


def cr(stored, *, bits: int = 12, signed: bool = False, syntax=ExplicitVRLittleEndian, **elements) -> Dataset:
    """The smallest CR instance of the stored values, shape (rows, cols); `elements` are added or replaced by keyword."""
    values = np.asarray(stored)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    allocated = 8 if bits == 8 else 16
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    dataset.Modality = "CR"
    dataset.Rows, dataset.Columns = values.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = allocated, bits, bits - 1
    dataset.PixelRepresentation = int(signed)
    data = values.astype(f"{order}{'i' if signed else 'u'}{allocated // 8}").tobytes()
    dataset.add_new("PixelData", "OB" if bits == 8 else "OW", data + b"\0" * (len(data) % 2))
    for keyword, value in (PATIENT | elements).items():
        setattr(dataset, keyword, value)
    return dataset


def show_stored(bits: int) -> dict:
    """The window that shows stored value v as v / 2**bits exactly: LINEAR_EXACT, PS3.3 C.11.2.1.3.2."""
    return {"WindowCenter": 2 ** (bits - 1), "WindowWidth": 2**bits, "VOILUTFunction": "LINEAR_EXACT"}


def lut(first: int, entries, bits: int = 16, vr: str = "US", count: int | None = None) -> list[Dataset]:
    """A Modality or VOI LUT Sequence of one item; `entries` are numbers for VR US, bytes for OW."""
    item = Dataset()
    number = len(entries) if count is None else count
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [number, first, bits])
    item.add_new("LUTData", vr, entries)
    item.ModalityLUTType = "US"
    return [item]


def written(dataset: Dataset) -> bytes:
    """The instance as a file."""
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def without_meta(dataset: Dataset) -> bytes:
    """The data set alone: no preamble, no prefix, no File Meta Information."""
    file, syntax = io.BytesIO(), dataset.file_meta.TransferSyntaxUID
    bare = Dataset({element.tag: element for element in dataset})
    bare.save_as(file, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=syntax != ExplicitVRBigEndian, overwrite=True)
    return file.getvalue()


def framed(dataset: Dataset, frame: bytes, syntax) -> Dataset:
    """The instance with one already compressed frame as its Pixel Data."""
    dataset.add_new("PixelData", "OB", encapsulate([frame]))
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = syntax
    return dataset


def encoded_by_gdcm(dataset: Dataset, process: str, folder: Path) -> bytes:
    """The instance compressed by GDCM to one of its named transfer syntaxes."""
    plain, packed = folder / "plain.dcm", folder / "packed.dcm"
    plain.write_bytes(written(dataset))
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, process)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFileName(str(packed))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    return packed.read_bytes()


def real(name: str) -> Path:
    """A file that ships with pydicom or pydicom-data."""
    return Path(get_testdata_file(name, download=False))


def real_as_cr(name: str, **elements) -> bytes:
    """A real file of another modality, called CR, with elements replaced."""
    dataset = pydicom.dcmread(real(name))
    dataset.Modality = "CR"
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    file = io.BytesIO()
    dataset.save_as(file)
    return file.getvalue()
