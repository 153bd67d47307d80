"""Small files that ask a decoder for far more memory or time than their size says, each made here."""

import io
import struct
import zlib

import numpy as np
import openjpeg
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders.base import get_encoder
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tests.radiograph.builders import chunk, png_header

EXPLICIT_VALUE = struct.pack("<HH2sHI", 0x0009, 0x1010, b"OB", 0, 2**24)


def _dataset(rows: int, cols: int, syntax: str) -> Dataset:
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.Modality = ComputedRadiographyImageStorage, "1.2.3", "CR"
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = rows, cols, 1
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.PhotometricInterpretation, dataset.ViewPosition = "MONOCHROME2", "PA"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.file_meta.MediaStorageSOPClassUID, dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, "1.2.3"
    return dataset


def _written(dataset: Dataset) -> bytes:
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def _head(syntax: str) -> bytes:
    """A file up to the end of its File Meta Information."""
    meta = _written(_dataset(1, 1, syntax))
    return meta[: 144 + int.from_bytes(meta[140:144], "little")]


def _zeros(size: int) -> bytes:
    """A raw deflate stream of an element of zeros, repeated."""
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    block = EXPLICIT_VALUE + bytes(2**24)
    return b"".join(deflate.compress(block) for _ in range(size // 2**24)) + deflate.flush()


def deflated_with_a_wrong_group_length() -> bytes:
    """4 GiB of zeros in 4 MB; the group length of the File Meta Information points past the data set."""
    head = bytearray(_head(DeflatedExplicitVRLittleEndian))
    head[140:144] = (2**31).to_bytes(4, "little")
    return bytes(head) + _zeros(2**32)


def deflated_without_a_group_length() -> bytes:
    """4 GiB of zeros in 4 MB; the File Meta Information has no group length."""
    head = _head(DeflatedExplicitVRLittleEndian)
    return head[:132] + head[144:] + _zeros(2**32)


def jpeg_2000_larger_than_its_header() -> bytes:
    """A codestream of 30,000 × 30,000 pixels in a DICOM image of 64 × 64."""
    dataset = _dataset(64, 64, JPEG2000Lossless)
    stream = bytearray(openjpeg.encode(np.zeros((64, 64), np.uint16)))
    siz = stream.index(b"\xff\x51") + 4
    for at in (siz + 2, siz + 6, siz + 18, siz + 22):  # Xsiz, Ysiz, XTsiz, YTsiz: ITU-T T.800 A.5.1
        stream[at : at + 4] = (30_000).to_bytes(4, "big")
    dataset.PixelData = encapsulate([bytes(stream)])
    dataset["PixelData"].VR = "OB"
    return _written(dataset)


def rle(rows: int, cols: int) -> bytes:
    """Run-length encoded zeros of 16 bits."""
    run = b"\x81\x00"  # 128 zeros: PS3.5 G.3.2
    line = run * (cols // 128) + (bytes([257 - cols % 128, 0]) if cols % 128 > 1 else b"\x00\x00" if cols % 128 else b"")
    segment = line * rows
    segment += b"\x80" if len(segment) % 2 else b""
    header = struct.pack("<16I", 2, 64, 64 + len(segment), *[0] * 13)
    dataset = _dataset(rows, cols, RLELossless)
    dataset.PixelData = encapsulate([header + segment + segment])
    dataset["PixelData"].VR = "OB"
    return _written(dataset)


def png(rows: int, cols: int, depth: int = 16) -> bytes:
    """A PNG picture of zeros, but for one pixel."""
    deflate = zlib.compressobj(9)
    line = bytes(1 + cols * depth // 8)
    data = b"".join(deflate.compress(line) for _ in range(rows - 1)) + deflate.compress(line[:-1] + b"\xff") + deflate.flush()
    return png_header(cols, rows, depth) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def empty_sequence_items() -> bytes:
    """Three million empty items in a sequence of undefined length, before the pixel data."""
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 3_000_000
    end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    sequence = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 2**32 - 1) + items + end
    dataset = _dataset(16, 16, ExplicitVRLittleEndian)
    dataset.PixelData = np.arange(256, dtype=np.uint16).tobytes()
    whole, head = _written(dataset), len(_head(ExplicitVRLittleEndian))
    at = whole.index(struct.pack("<HH", 0x0008, 0x0060), head)  # behind Modality, which has 10 bytes
    return whole[: at + 10] + sequence + whole[at + 10 :]


def nested_sequences() -> bytes:
    """Sequences in sequences, 100,000 deep."""
    depth = 100_000
    begin = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, 2**32 - 1) + struct.pack("<HHI", 0xFFFE, 0xE000, 2**32 - 1)
    return _head(ExplicitVRLittleEndian) + begin * depth


def plain_elements(count: int) -> bytes:
    """Empty elements without sequences, each of another tag, instead of an image."""
    tags = (struct.pack("<HH", 0x0011 + 2 * (k // 0xF000), 0x1000 + k % 0xF000) for k in range(count))
    return _head(ExplicitVRLittleEndian) + b"".join(tag + b"LO\0\0" for tag in tags)


def truncated_jpeg_ls(rows: int = 9_000, cols: int = 9_000) -> bytes:
    """The first half of a JPEG-LS frame of noise."""
    dataset = _dataset(rows, cols, ExplicitVRLittleEndian)
    dataset.PixelData = np.random.default_rng(0).integers(0, 2**16, (rows, cols), np.uint16).tobytes()
    frame = get_encoder(JPEGLSLossless).encode(dataset, encoding_plugin="pyjpegls")
    short = _dataset(rows, cols, JPEGLSLossless)
    short.PixelData = encapsulate([frame[: len(frame) // 2]])
    short["PixelData"].VR = "OB"
    return _written(short)


def uncompressed(rows: int, cols: int) -> bytes:
    """Levels of 16 bits as they are."""
    dataset = _dataset(rows, cols, ExplicitVRLittleEndian)
    dataset.PixelData = np.arange(rows * cols).astype(np.uint16).tobytes()
    return _written(dataset)
