"""The tables of grey levels for a viewer, against pydicom's and Pillow's own, and the test vectors made from them."""

import io
import json

import numpy as np
import pydicom
import pytest
from PIL import ExifTags, Image
from pydicom.pixels import apply_modality_lut, apply_windowing
from pydicom.uid import HTJ2K, JPEG2000, JPEG2000Lossless, JPEGLSLossless, JPEGLSNearLossless

from pneumoscope.radiograph import Edges, EmptyImageError, Orientation, Window, read, read_film, window
from pneumoscope.radiograph.dicom import _is_lossy
from tests.radiograph.builders import chunk, cr, exif, jpeg, png, real_as_cr, written
from tests.radiograph.grey_vectors import cases, padded, ramp, resolution, write

CASES = {name: content for name, _, content in cases()}
INSTANCES = [name for name, suffix, _ in cases() if suffix == "dcm"]
TWELVE = ramp(0, 4095)
WINDOW = {"WindowCenter": 1200, "WindowWidth": 2000}


def film_of(stored=TWELVE, **elements):
    return read_film(written(cr(stored, **elements)))


@pytest.mark.parametrize("name", CASES)
def test_the_tables_give_the_pixels_of_read_to_the_bit(name):
    film, pixels = read_film(CASES[name]), read(CASES[name]).pixels
    assert film.levels.dtype == np.uint16
    assert film.levels.shape == pixels.shape
    assert film.shown.dtype == np.float32
    assert film.shown.shape == film.values.shape == film.padding.shape
    assert np.take(film.shown, film.levels).tobytes() == pixels.tobytes() == film.radiograph.pixels.tobytes()


@pytest.mark.parametrize("name", [name for name in INSTANCES if "overlay" not in name and "high-bit" not in name])
def test_values_are_those_of_pydicom(name):
    dataset = pydicom.dcmread(io.BytesIO(CASES[name]))
    if "RescaleSlope" in dataset and "RescaleIntercept" not in dataset:
        del dataset.RescaleSlope  # which pydicom refuses; one of the two alone is ignored
    film = read_film(CASES[name])
    np.testing.assert_array_equal(film.values[film.levels], apply_modality_lut(dataset.pixel_array, dataset))


@pytest.mark.parametrize("name", ["MR_small.dcm", "CT_small.dcm", "693_J2KR.dcm", "RG1_UNCR.dcm", "RG3_J2KR.dcm"])
def test_values_of_real_files_are_those_of_pydicom(name):
    content = real_as_cr(name)
    dataset, film = pydicom.dcmread(io.BytesIO(content)), read_film(content)
    values = film.values[film.levels]
    np.testing.assert_array_equal(values, apply_modality_lut(dataset.pixel_array, dataset))
    assert np.take(film.shown, film.levels).tobytes() == read(content).pixels.tobytes()


def test_the_stated_window_over_the_tables_is_the_initial_display():
    windowed = {name: film for name in INSTANCES if (film := read_film(CASES[name])).window}
    assert len(windowed) > 20
    for name, film in windowed.items():
        shown = window(film.values, film.window.centre, film.window.width, film.window.function)
        shown = 1 - shown if film.inverse else shown
        shown[film.padding] = 0
        assert shown.astype(np.float32).tobytes() == film.shown.tobytes(), name


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_another_window_over_the_tables_is_that_of_pydicom(function):
    film = film_of(RescaleSlope="0.5", RescaleIntercept="-1000", WindowCenter=0, WindowWidth=1500)
    other = cr(TWELVE, RescaleSlope="0.5", RescaleIntercept="-1000", WindowCenter=-300, WindowWidth=400, VOILUTFunction=function)
    stored = apply_modality_lut(other.pixel_array, other)
    # pydicom scales to the output range of the Modality LUT: [−1000, 1047.5].
    expected = (apply_windowing(stored, other) + 1000) / 2047.5
    np.testing.assert_allclose(window(film.values, -300, 400, function)[film.levels], expected, atol=1e-9)


def test_levels_are_stored_values_above_the_lowest():
    film = film_of(ramp(-1500, 1500), signed=True)
    assert film.levels.min() == 0
    assert (film.levels.astype(int) - 1500).tolist() == ramp(-1500, 1500).tolist()


def test_tables_cover_values_that_no_pixel_has():
    film = film_of([[10, 14], [20, 10]], WindowCenter=10, WindowWidth=20, VOILUTFunction="LINEAR_EXACT")
    assert film.levels.tolist() == [[0, 4], [10, 0]]
    assert film.values.tolist() == list(range(10, 21))
    np.testing.assert_allclose(film.shown, np.arange(10, 21) / 20)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear", Window(2000.5, 2500.0)),
        ("linear-two-windows", Window(1500.0, 2500.0)),
        ("linear-exact", Window(1800.0, 2200.0, "LINEAR_EXACT")),
        ("sigmoid", Window(1800.0, 1500.0, "SIGMOID")),
        ("window-decimal-comma", Window(2000.0, 2500.0)),
        ("window-of-no-width", None),
        ("window-wrong", None),
        ("window-beyond", None),
        ("voi-lut-and-window", None),
        ("range", None),
        ("range-without-extremes", None),
        ("png-grey-8", None),
    ],
)
def test_the_window_is_named_only_where_the_display_follows_it(name, expected):
    assert read_film(CASES[name]).window == expected


def test_padding_is_black_under_both_polarities_and_marked():
    for name, content in padded(TWELVE):
        film = read_film(content)
        assert film.padding[film.levels[0, 0]], name
        assert not film.padding[film.levels[-1, -1]], name
        assert (film.shown[film.padding] == 0).all()


def test_an_image_of_padding_alone_is_refused():
    with pytest.raises(EmptyImageError, match="every pixel of the DICOM image is padding"):
        film_of([[3, 9], [9, 3]], PixelPaddingValue=3, PixelPaddingRangeLimit=9)


@pytest.mark.parametrize(
    ("elements", "inverse"),
    [
        ({}, False),
        ({"PhotometricInterpretation": "MONOCHROME1"}, True),
        ({"PresentationLUTShape": "INVERSE"}, True),
        ({"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"}, False),
    ],
)
def test_inverse_is_the_polarity(elements, inverse):
    film = film_of(**WINDOW, **elements)
    assert film.inverse is inverse
    assert film.shown[0] == (1 if inverse else 0)


# Pictures


@pytest.mark.parametrize("name", ["png-rgb", "png-palette", "png-grey-alpha", "png-rgba", "png-grey-1", "png-grey-4"])
def test_levels_of_a_picture_are_its_grey_values(name):
    image = Image.open(io.BytesIO(CASES[name]))
    if "alpha" in name or "rgba" in name:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    film = read_film(CASES[name])
    assert film.levels.tolist() == np.asarray(image.convert("L")).tolist()
    assert film.values.tolist() == list(range(256))


@pytest.mark.parametrize(("name", "source"), [("", "header"), ("-of-12-bits", "range"), ("-dark", "bulk")])
def test_levels_of_a_deep_picture_are_its_samples(name, source):
    film = read_film(CASES[f"png-grey-16{name}"])
    assert film.levels.tolist() == np.asarray(Image.open(io.BytesIO(CASES[f"png-grey-16{name}"]))).tolist()
    assert film.values.tolist() == list(range(int(film.levels.max()) + 1))
    assert film.radiograph.grey_source == source


# Aspect


@pytest.mark.parametrize(
    ("elements", "aspect"),
    [
        ({}, 1),
        ({"PixelSpacing": [0.3, 0.2]}, 1.5),
        ({"ImagerPixelSpacing": [0.2, 0.4], "PixelAspectRatio": [3, 2]}, 0.5),
        # Vertical size, then horizontal size (PS3.3 C.7.6.3.1.7).
        ({"PixelAspectRatio": [3, 2]}, 1.5),
        ({"PixelAspectRatio": [0, 2]}, 1),
        ({"PixelAspectRatio": [1]}, 1),
    ],
)
def test_aspect_is_height_over_width(elements, aspect):
    assert film_of(**elements).aspect == pytest.approx(aspect)


@pytest.mark.parametrize("metre", [True, False])
def test_aspect_of_a_png_is_that_of_its_resolutions(metre):
    # 3000 pixels in a metre across, 2000 down: each pixel is 1/3000 m wide and 1/2000 m high.
    assert read_film(png(ramp(0, 255), 8, extra=resolution(3000, 2000, metre))).aspect == pytest.approx(1.5)
    assert read_film(png(ramp(0, 255), 8, extra=resolution(0, 2000, metre))).aspect == 1


def test_aspect_of_a_png_is_turned_with_it():
    turned = png(ramp(0, 255), 8, extra=chunk(b"eXIf", exif(6)) + resolution(3000, 2000))
    assert read_film(turned).aspect == pytest.approx(2 / 3)


def test_aspect_of_a_jpeg_is_that_of_its_resolutions():
    assert read_film(jpeg(ramp(0, 255), dpi=(300, 100))).aspect == pytest.approx(3)
    assert read_film(jpeg(ramp(0, 255))).aspect == 1


def test_a_jpeg_with_resolutions_in_exif_alone_is_read():
    stated = Image.Exif()
    stated[ExifTags.Base.XResolution] = stated[ExifTags.Base.YResolution] = 72.0
    stated[ExifTags.Base.ResolutionUnit] = 2
    content = jpeg(ramp(0, 255), exif=stated).replace(b"JFIF\0", b"none\0")
    film = read_film(content)
    assert film.aspect == 1
    assert film.radiograph.pixels.tobytes() == read(jpeg(ramp(0, 255))).pixels.tobytes()


# Loss


def test_loss_is_that_of_the_header_or_of_the_format():
    assert film_of(LossyImageCompression="01").lossy
    assert not film_of(LossyImageCompression="00").lossy
    assert not film_of().lossy
    assert read_film(jpeg(ramp(0, 255))).lossy
    assert not read_film(CASES["png-grey-8"]).lossy


@pytest.mark.parametrize(
    ("syntax", "stated", "lossy"),
    [
        (JPEGLSNearLossless, "", True),
        (JPEGLSNearLossless, "00", True),
        (JPEGLSLossless, "", False),
        (JPEG2000Lossless, "", False),
        (JPEG2000Lossless, "01", True),
        (JPEG2000, "", True),
        (JPEG2000, "00", False),
        (HTJ2K, "", True),
    ],
)
def test_loss_is_that_of_the_transfer_syntax(syntax, stated, lossy):
    dataset = cr(TWELVE, LossyImageCompression=stated)
    dataset.file_meta.TransferSyntaxUID = syntax
    assert _is_lossy(dataset) is lossy


# Edges


@pytest.mark.parametrize(
    ("orientation", "edges"),
    [
        (Orientation(), Edges("", "", "", "")),
        (Orientation("L", "F"), Edges("R", "L", "H", "F")),
        (Orientation("R", "F"), Edges("R", "L", "H", "F")),
        (Orientation("F", "L"), Edges("R", "L", "H", "F")),
        (Orientation("H", "R"), Edges("R", "L", "H", "F")),
        (Orientation("A", "F"), Edges("P", "A", "H", "F")),
        (Orientation("P", "H"), Edges("A", "P", "H", "F")),
        # An axial plane is not turned.
        (Orientation("L", "P"), Edges("R", "L", "A", "P")),
    ],
)
def test_edges_are_those_of_the_displayed_picture(orientation, edges):
    assert orientation.edges == edges


# Vectors


def test_vectors_are_written_with_all_that_a_decoder_needs(tmp_path):
    number = write(tmp_path)
    listed = json.loads((tmp_path / "vectors.json").read_text("utf-8"))["cases"]
    assert number == len(listed) == len(CASES)
    for case in listed:
        name, pixels, levels = case["name"], case["rows"] * case["cols"], case["n_levels"]
        sizes = {"levels.u16": 2 * pixels, "shown.f32": 4 * levels, "values.f64": 8 * levels, "padding.u8": levels}
        assert {kind: (tmp_path / f"{name}.{kind}").stat().st_size for kind in sizes} == sizes
        assert (tmp_path / case["file"]).read_bytes() == CASES[name]
    by_name = {case["name"]: case for case in listed}
    assert by_name["orientation-fr"]["orientation"] == {
        "transposed": True, "flip_rows": False, "flip_cols": True, "left": "R", "right": "L", "top": "H", "bottom": "F"
    }  # fmt: skip
    assert by_name["sigmoid"]["window"] == {"centre": 1800.0, "width": 1500.0, "function": "SIGMOID"}
    assert by_name["spacing-fiducial"]["spacing"] == {"row_mm": 0.16, "col_mm": 0.16, "kind": "calibrated"}
