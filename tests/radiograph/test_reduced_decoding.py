"""Decoding at a reduced scale: which files, to which samples, and what a model then sees."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openjpeg.utils import encode_array
from PIL import Image
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless

from pneumoscope.radiograph import EmptyImageError, RadiographError, UnreadableFileError, read
from pneumoscope.radiograph.errors import ReducedError
from pneumoscope.radiograph.placement import Placement, on_whole
from pneumoscope.radiograph.reduced_frames import Codestream
from pneumoscope.radiograph.region import Region
from tests.radiograph.builders import cr, framed, jpeg, png, property_test, show_stored, written

ROWS, COLS = 250, 310
SEEN_PX = 30


def chest(top, rows=ROWS, cols=COLS):
    """Smooth waves with an edge and a bright mark, from 0 to `top`."""
    at_rows, at_cols = np.indices((rows, cols))
    picture = (np.sin(at_rows / 23) + np.cos(at_cols / 31 + at_rows / 40) + 2) / 5
    picture[rows // 2 : rows // 2 + 9, cols // 3 : cols // 3 + 4] = 1
    picture[:, : cols // 20] = 0
    return np.rint(picture * top).astype(int)


def codestream(values, bits, signed=False, **options):
    dtype = f"{'i' if signed else 'u'}{1 if bits == 8 else 2}"
    return encode_array(values.astype(dtype), bits_stored=bits, photometric_interpretation=2, **options)


def jpeg_2000(values=None, bits=12, *, signed=False, syntax=JPEG2000Lossless, options=None, frame=b"", **elements):
    values = chest(2**bits - 1) - signed * 2 ** (bits - 1) if values is None else values
    window = {"WindowCenter": 0 if signed else 2 ** (bits - 1), "WindowWidth": 2**bits, "VOILUTFunction": "LINEAR_EXACT"}
    frame = frame or codestream(values, bits, signed, **(options or {}))
    return written(framed(cr(values, bits=bits, signed=signed, **(window | elements)), frame, syntax))


def jpeg_baseline(values=None, **elements):
    values = chest(255) if values is None else values
    return written(framed(cr(values, bits=8, **(show_stored(8) | elements)), jpeg(values, quality=95), JPEGBaseline8Bit))


def seen(image, size_px=SEEN_PX):
    return on_whole(image, size_px).pixels_to_square(image)


REDUCED = {
    "12 bits without loss": (jpeg_2000, SEEN_PX, 0.5),
    "8 bits without loss": (lambda: jpeg_2000(bits=8), SEEN_PX, 0.5),
    "16 bits without loss": (lambda: jpeg_2000(bits=16), SEEN_PX, 0.5),
    "signed": (lambda: jpeg_2000(signed=True), SEEN_PX, 0.5),
    "12 bits with loss": (lambda: jpeg_2000(syntax=JPEG2000, options={"compression_ratios": [8]}), SEEN_PX, 0.5),
    "to a quarter": (jpeg_2000, 15, 0.25),
    "to an eighth": (lambda: jpeg_2000(chest(4095, 256, 312)), 8, 0.125),
    "JPEG 2000 with a SIGMOID window": (lambda: jpeg_2000(VOILUTFunction="SIGMOID"), SEEN_PX, 0.5),
}


@pytest.mark.parametrize("name", REDUCED)
def test_a_model_sees_the_same_on_the_grid_of_the_file(name):
    make, seen_px, scale = REDUCED[name]
    content = make()
    full, reduced = read(content), read(content, seen_px)
    assert (full.decoded_scale, reduced.decoded_scale) == (1, scale)
    assert reduced.shape == full.shape == full.pixels.shape
    assert reduced.looked_up.levels.size < 0.6 * scale * full.pixels.size
    assert np.abs(seen(reduced, seen_px) - seen(full, seen_px)).max() < 0.03
    part = Region(30.5, 40, 200, 290.25)
    squares = (Placement.of(image, part, seen_px).pixels_to_square(image) for image in (reduced, full))
    assert np.abs(np.subtract(*squares)).max() < 0.05


@pytest.mark.parametrize(("bits", "signed"), [(8, False), (12, False), (12, True), (16, False), (16, True)])
def test_samples_of_jpeg_2000_are_the_low_band_of_the_stored_values(bits, signed):
    """Against the low-pass filter of ITU-T T.800 F.4.8.1 (5/3, reversible), computed here step by step on integers."""
    values = chest(2**bits - 1) - signed * 2 ** (bits - 1)

    def low(x):  # along the first axis, of even length
        odd = x[1::2] - (x[0::2] + np.concatenate([x[2::2], x[-2:-1]])) // 2
        return x[0::2] + (np.concatenate([odd[:1], odd[:-1]]) + odd + 2) // 4

    # The encoder shifts unsigned values to around zero, and transforms the columns first (F.4.2).
    shift = 0 if signed else 2 ** (bits - 1)
    band = low(low(values - shift).T).T + shift
    bounds = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    image = read(jpeg_2000(values, bits, signed=signed), SEEN_PX)
    found = image.looked_up.levels.astype(int)
    expected = np.clip(band, *bounds)
    assert (found == expected - expected.min()).all()


def test_the_pixels_of_a_reduced_radiograph_are_not_given():
    reduced = read(jpeg_2000(), SEEN_PX)
    with pytest.raises(ReducedError, match=r"decoded at 0\.5 of its scale, so that its pixels are not known; decode it in full"):
        _ = reduced.pixels


@pytest.mark.parametrize("orientation", [("R", "F"), ("L", "H"), ("F", "L"), ("H", "R")])
def test_a_turned_radiograph_is_seen_upright(orientation):
    content = jpeg_2000(PatientOrientation=list(orientation))
    full, reduced = read(content), read(content, SEEN_PX)
    assert reduced.decoded_scale == 0.5
    assert np.abs(seen(reduced) - seen(full)).max() < 0.03


FULL = {
    "no window": lambda: jpeg_2000(WindowCenter=None, WindowWidth=None),
    "padding": lambda: jpeg_2000(PixelPaddingValue=0),
    "no reduced scale": lambda: written(cr(chest(4095), **show_stored(12))),
    "JPEG-LS": lambda: _compressed(JPEGLSLossless),
    "PNG": lambda: png(chest(255)),
    "JPEG": lambda: jpeg(chest(255)),
    "JPEG in DICOM": jpeg_baseline,
    "narrow": lambda: jpeg_2000(chest(4095, 110, 900)),
    "several tiles": lambda: jpeg_2000(frame=_by_pillow(tile_size=(128, 128))),
    "several components": lambda: jpeg_2000(frame=_by_pillow(channels=3), bits=8, values=chest(255)),
    "a JP2 file around the codestream": lambda: jpeg_2000(frame=_by_pillow(no_jp2=False), bits=8, values=chest(255)),
    "bits that the header does not state": lambda: jpeg_2000(frame=codestream(chest(1023), 10)),
    "few grey levels": lambda: jpeg_2000(chest(4095) // 4 + 1000),
    "a window far wider than the data": lambda: jpeg_2000(WindowWidth=2**16),
}


def _compressed(syntax):
    dataset = cr(chest(4095), **show_stored(12))
    dataset.compress(syntax, generate_instance_uid=False)
    return written(dataset)


def _by_pillow(channels=1, no_jp2=True, **options):
    stream = io.BytesIO()
    picture = chest(255).astype(np.uint8)
    Image.fromarray(picture if channels == 1 else np.dstack([picture] * channels)).save(
        stream, "JPEG2000", no_jp2=no_jp2, irreversible=False, mct=0, **options
    )
    return stream.getvalue()


def _outcome(content, seen_px):
    try:
        return read(content, seen_px)
    except RadiographError as error:
        return str(error)


@pytest.mark.parametrize("name", FULL)
def test_every_pixel_is_decoded_where_a_reduced_scale_is_not_safe(name):
    content = FULL[name]()
    reduced, full = _outcome(content, 10 if name != "narrow" else 40), _outcome(content, 0)
    if isinstance(full, str):
        assert reduced == full
    else:
        assert reduced.decoded_scale == 1
        assert (reduced.pixels == full.pixels).all()
        assert reduced.grey_source == full.grey_source


def test_a_size_that_pillow_would_round_down_is_halved_once_less():
    assert read(jpeg_2000(chest(4095, 253, 312)), 15).decoded_scale == 0.5
    assert read(jpeg_2000(chest(4095, 252, 312)), 15).decoded_scale == 0.25


@pytest.mark.parametrize(
    "make", [jpeg_2000, jpeg_baseline, lambda: jpeg_2000(syntax=JPEG2000, options={"compression_ratios": [8]})]
)
def test_a_truncated_file_is_refused_as_in_full(make):
    content = make()
    for kept in (0.3, 0.6, 0.9):
        cut = content[: int(len(content) * kept)]
        assert _outcome(cut, SEEN_PX) == _outcome(cut, 0)
        assert isinstance(_outcome(cut, SEEN_PX), str)


def test_one_level_is_empty_at_any_scale():
    with pytest.raises(EmptyImageError, match="same grey level"):
        read(jpeg_2000(np.full((ROWS, COLS), 90)), SEEN_PX)


def test_a_frame_of_another_size_than_the_header_is_refused():
    content = jpeg_2000(frame=codestream(chest(4095, 240, 310), 12))
    with pytest.raises(UnreadableFileError, match="not what the header states"):
        read(content, SEEN_PX)


@property_test
@given(st.data())
def test_a_damaged_main_header_is_no_codestream_or_one_of_its_values(data):
    frame = bytearray(codestream(chest(4095, 40, 50), 12))
    for _ in range(data.draw(st.integers(1, 3))):
        frame[data.draw(st.integers(0, 120))] = data.draw(st.integers(0, 255))
    parsed = Codestream.parse(bytes(frame[: data.draw(st.integers(0, len(frame)))]))
    assert parsed is None or (parsed.wavelet in ("5/3", "9/7") and 1 <= parsed.bits <= 128)
