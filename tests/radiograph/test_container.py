"""Facts of files that were written with known settings, and colour profiles that no pixel follows."""

import io

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

from pneumoscope.radiograph import read
from pneumoscope.radiograph.container import Container, container_of, jpeg_quality
from tests.radiograph.builders import GREY_ALPHA, PALETTE, RGB, chunk, cr, jpeg, png, written
from tests.radiograph.grey_vectors import ramp, resolution

EIGHT = ramp(0, 255)
COLOUR = np.stack([EIGHT, EIGHT[::-1], EIGHT[:, ::-1]], -1).astype(np.uint8)


def profile() -> bytes:
    """A profile far from sRGB: CIE Lab, which a colour-managed decoder could not ignore unseen."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def gamma_profile() -> bytes:
    """sRGB, with the tone curve of every channel a gamma of 4 in its place: it moves every middle grey."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(int.from_bytes(content[128:132], "big")):
        at = 132 + 12 * entry
        if content[at : at + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            start = int.from_bytes(content[at + 4 : at + 8], "big")
            content[start : start + 14] = b"curv\0\0\0\0\0\0\0\1\4\0"
            content[at + 8 : at + 12] = (14).to_bytes(4, "big")
    return bytes(content)


def saved(kind: str, pixels=COLOUR, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("quality", [5, 25, 49, 50, 51, 75, 90, 95, 100])
def test_the_quality_of_a_jpeg_is_the_one_it_was_saved_with(quality):
    assert container_of(jpeg(EIGHT, quality=quality)).jpeg_quality == quality


def test_the_quality_of_a_table_of_another_encoder_is_the_nearest():
    # Twice the standard table is quality 25 exactly; one step more in one place is nearest to it.
    table = np.array(Image.open(io.BytesIO(jpeg(EIGHT, quality=25))).quantization[0])
    table[63] += 1
    assert jpeg_quality(table) == 25


@pytest.mark.parametrize(("subsampling", "share"), [("4:4:4", 1), ("4:2:2", 0.5), ("4:2:0", 0.25)])
def test_chroma_samples_of_a_jpeg(subsampling, share):
    assert container_of(saved("JPEG", subsampling=subsampling)).chroma_share == share


def test_a_grey_jpeg_has_no_chroma_and_a_progressive_one_says_so():
    plain, progressive = container_of(jpeg(EIGHT)), container_of(jpeg(EIGHT, progressive=True))
    assert plain == Container(
        "JPEG", 8, 1, jpeg_quality=75, jpeg_step=plain.jpeg_step, chroma_share=0, jfif=True
    )  # Pillow's default quality
    assert (plain.progressive, progressive.progressive) == (False, True)
    assert plain.jpeg_step == pytest.approx(np.mean(Image.open(io.BytesIO(jpeg(EIGHT))).quantization[0]))


def test_metadata_of_a_jpeg():
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = "An editor"
    found = container_of(saved("JPEG", exif=exif, icc_profile=profile(), comment="made up", dpi=(72, 72)))
    assert (found.software, found.text, found.resolution, found.channels) == (True, True, True, 3)
    assert found.exif_bytes == len(exif.tobytes())
    assert found.colour_profile_bytes == len(profile())
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><xmp:CreatorTool>An editor</xmp:CreatorTool></x:xmpmeta>'
    assert container_of(saved("JPEG", xmp=packet)).software


def test_damaged_exif_is_present_and_names_no_program():
    found = container_of(saved("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x31"))
    assert found.exif_bytes > 0
    assert not found.software


@pytest.mark.parametrize(
    ("content", "bits", "channels"),
    [
        (png(EIGHT), 8, 1),
        (png(EIGHT >> 4, 4), 4, 1),
        (png(ramp(0, 65535), 16), 16, 1),
        (png(COLOUR, 8, RGB), 8, 3),
        (png(np.stack([EIGHT, EIGHT], -1), 8, GREY_ALPHA), 8, 2),
        (png(EIGHT, 8, PALETTE, chunk(b"PLTE", bytes(768))), 8, 3),
    ],
)
def test_bits_and_channels_of_a_png(content, bits, channels):
    assert container_of(content) == Container("PNG", bits, channels)


def test_metadata_of_a_png():
    found = container_of(png(EIGHT, 8, extra=resolution(3000, 3000) + chunk(b"tEXt", b"Software\0An editor")))
    assert (found.resolution, found.text, found.software, found.jpeg_quality) == (True, True, True, None)
    assert container_of(saved("PNG", icc_profile=profile())).colour_profile_bytes == len(profile())


def test_facts_of_a_dicom_file():
    plain = container_of(written(cr(ramp(0, 4095), SoftwareVersions="7")))
    assert plain == Container("DICOM", 12, 1, ExplicitVRLittleEndian, software=True)
    packed = cr(ramp(0, 4095))
    packed.compress(RLELossless, generate_instance_uid=False)
    assert container_of(written(packed)).transfer_syntax == RLELossless
    packed.ICCProfile = profile()
    assert container_of(written(packed)).colour_profile_bytes == len(profile())


# Colour profiles


def with_profile(kind: str, icc: bytes | None) -> bytes:
    if kind == "DICOM":
        return written(cr(EIGHT, bits=8, **({"ICCProfile": icc} if icc else {})))
    file, colour = kind.split()
    return saved(file, COLOUR if colour == "colour" else EIGHT, **({"icc_profile": icc} if icc else {}))


def test_the_profile_of_these_tests_would_move_a_colour_managed_decoder():
    managed = ImageCms.profileToProfile(
        Image.fromarray(COLOUR), ImageCms.ImageCmsProfile(io.BytesIO(gamma_profile())), ImageCms.createProfile("sRGB")
    )
    assert np.abs(np.asarray(managed, int) - COLOUR).max() > 50


@pytest.mark.parametrize("icc", [profile(), gamma_profile(), b"damaged"], ids=["Lab", "gamma", "damaged"])
@pytest.mark.parametrize("kind", ["JPEG grey", "JPEG colour", "PNG grey", "PNG colour", "DICOM"])
def test_a_colour_profile_moves_no_pixel(kind, icc):
    assert read(with_profile(kind, icc)).pixels.tobytes() == read(with_profile(kind, None)).pixels.tobytes()


@pytest.mark.parametrize("extra", [chunk(b"gAMA", (22727).to_bytes(4, "big")), chunk(b"sRGB", b"\0"), chunk(b"cHRM", bytes(32))])
def test_gamma_and_chromaticities_of_a_png_move_no_pixel(extra):
    assert read(png(EIGHT, 8, extra=extra)).pixels.tobytes() == read(png(EIGHT)).pixels.tobytes()
