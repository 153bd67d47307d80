"""The phone's decoder gives what the Python reader gives, to the bit: pixels, tables, facts, and the sentences of refusals."""

import io
import json
import subprocess
import warnings
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_files
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian, RLELossless

import pneumoscope
from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.radiograph import NotARadiographError, RadiographError, review
from tests.radiograph import grey_vectors
from tests.radiograph.builders import cr, encoded_by_gdcm, without_meta, written
from tests.web.conftest import program

pytestmark = pytest.mark.browser

STATIC = Path(pneumoscope.__file__).parent / "web" / "static"
SCRIPT = Path(__file__).with_name("decode_in_node.mjs")
FACTS = ("file_format", "grey_source", "modality", "view_position", "body_part", "intent", "age_years", "age_stated")


def in_node(folder: Path, files: Mapping[str, bytes]) -> dict[str, Any]:
    """Decode files in Node.js; the answers by name."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    ran = subprocess.run([program("node"), SCRIPT, STATIC, folder], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    answers: dict[str, Any] = json.loads(ran.stdout)
    return answers


def differences(folder: Path, files: Mapping[str, bytes], exact: bool = True) -> list[str]:
    """Where the phone's decoder and the Python reader differ; each file with what differs."""
    answers = in_node(folder, files)
    return [text for name, content in files.items() for text in compared(folder, name, content, answers[name], exact)]


def compared(folder: Path, name: str, content: bytes, answer: Mapping[str, Any], exact: bool) -> list[str]:
    try:
        film = radiograph.read_film(content)
        cautions = [caution.value for caution in review(film.radiograph)]
    except RadiographError as error:
        expected = {"kind": type(error).__name__, "message": str(error)}
        return [] if answer.get("error") == expected else [f"{name}: {answer.get('error')} is not {expected}"]
    if "error" in answer:
        return [f"{name}: {answer['error']} where Python reads it"]
    image = film.radiograph
    different = [
        f"{fact}: {answer[fact]!r} is not {getattr(image, fact)!r}" for fact in FACTS if answer[fact] != getattr(image, fact)
    ]
    if answer["cautions"] != cautions or tuple(answer["contradictions"]) != image.contradictions:
        different.append(f"cautions: {answer['cautions']} {answer['contradictions']}")
    arrays = {"pixels": image.pixels, "levels": film.levels, "shown": film.shown, "values": film.values.astype(np.float32),
              "padding": film.padding.astype(np.uint8)}  # fmt: skip
    different += [
        f"{kind}: {problem}"
        for kind, array in arrays.items()
        if (problem := unequal(np.fromfile(folder / f"{name}.{kind}", array.dtype), array.ravel(), exact))
    ]
    return [f"{name}: {text}" for text in different + of_film(answer, film)]


def unequal(one: np.ndarray, other: np.ndarray, exact: bool) -> str:
    if one.shape != other.shape:
        return f"{one.shape} values, not {other.shape}"
    apart = np.abs(one.astype(np.float64) - other.astype(np.float64))
    bound = 0.0 if exact else float(np.finfo(np.float32).eps)
    return (
        ""
        if (apart <= bound * np.maximum(1, np.abs(other))).all()
        else f"up to {apart.max():.2e} apart at {int((apart > 0).sum())}"
    )


def of_film(answer: Mapping[str, Any], film: Any) -> list[str]:
    spacing, window, turn = film.radiograph.spacing, film.window, film.radiograph.orientation
    expected = {
        "inverse": film.inverse,
        "lossy": film.lossy,
        "aspect": pytest.approx(film.aspect),
        "window": window and {"centre": window.centre, "width": window.width, "function": window.function},
        "spacing": spacing and {"row_mm": spacing.row_mm, "col_mm": spacing.col_mm, "kind": spacing.kind},
    }
    different = [f"{key}: {answer[key]!r} is not {value!r}" for key, value in expected.items() if answer[key] != value]
    told = answer["orientation"]
    if (told["transposed"], (told["flip_rows"], told["flip_cols"])) != (turn.transposed, turn.flipped):
        different.append(f"orientation: {told}")
    return different


def dicom(content: bytes, change: Callable[[Dataset], None]) -> bytes:
    """A DICOM file with changed elements."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(io.BytesIO(content), force=True)
        change(dataset)
        out = io.BytesIO()
        dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def as_chest(dataset: Dataset) -> None:
    """Make any image a frontal chest radiograph, so that its pixels are decoded."""
    dataset.Modality = "DX"
    for keyword in ("BodyPartExamined", "PatientOrientation", "ViewPosition", "PatientAge", "PresentationLUTShape"):
        if keyword in dataset:
            delattr(dataset, keyword)
    dataset.PatientOrientation = ["L", "F"]


def grey_files() -> dict[str, bytes]:
    """Every grey image of one frame of pydicom's test data, as a chest radiograph."""
    files = {}
    for path in map(Path, sorted(get_testdata_files())):
        if not path.is_file() or path.stat().st_size > 8_000_000:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = pydicom.dcmread(path, force=True)
                if "PixelData" not in dataset or not str(dataset.PhotometricInterpretation).startswith("MONO"):
                    continue
                files[path.name.replace(" ", "_")] = dicom(path.read_bytes(), as_chest)
        except (AttributeError, KeyError, ValueError, TypeError):  # files that pydicom itself does not write
            continue
    return files


def test_pydicom_data_to_the_bit(tmp_path):
    files = grey_files()
    assert len(files) > 30
    assert differences(tmp_path, files) == []


def test_shipped_radiographs_to_the_bit(tmp_path):
    with sample() as cohort:
        files = {Path(case.path).name: cohort.file(case).read_bytes() for case in cohort.cases}
    assert len(files) == 16
    assert differences(tmp_path, files) == []


def _picture(image: Image.Image, file_format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


def _noise(rows: int, cols: int, channels: int = 1, highest: int = 255) -> np.ndarray:
    values = np.random.default_rng(rows + channels).integers(0, highest + 1, (rows, cols, channels))
    smooth = np.linspace(0, highest, rows)[:, None, None] * 0.7 + values * 0.3
    return smooth.astype(np.uint16 if highest > 255 else np.uint8).squeeze()


def png_files() -> dict[str, bytes]:
    grey, colour = Image.fromarray(_noise(37, 53)), Image.fromarray(_noise(37, 53, 3), "RGB")
    with_alpha = Image.fromarray(_noise(37, 53, 4), "RGBA")
    deep = {bits: Image.fromarray(_noise(37, 53, 1, 2**bits - 1)) for bits in (9, 10, 12, 14, 15, 16)}
    files = {f"deep-{bits}.png": _picture(image, "PNG") for bits, image in deep.items()}
    files |= {
        "grey.png": _picture(grey, "PNG"),
        "grey-key.png": _picture(grey, "PNG", transparency=100),
        "grey-alpha.png": _picture(with_alpha.convert("LA"), "PNG"),
        "colour.png": _picture(colour, "PNG"),
        "colour-key.png": _picture(colour, "PNG", transparency=colour.getpixel((3, 4))),
        "colour-alpha.png": _picture(with_alpha, "PNG"),
        "palette.png": _picture(colour.quantize(200), "PNG"),
        "palette-4.png": _picture(colour.quantize(13), "PNG", bits=4),
        "palette-key.png": _picture(colour.quantize(50), "PNG", transparency=bytes(range(0, 250, 5))),
        "black-white.png": _picture(grey.convert("1"), "PNG"),
        "black-white-key.png": _picture(grey.convert("1"), "PNG", transparency=1),
        "aspect.png": _picture(grey, "PNG", dpi=(100, 50)),
        "constant.png": _picture(Image.new("L", (5, 4), 7), "PNG"),
        "no-picture.png": b"\x89PNG\r\n\x1a\nnothing else",
        "text.png": b"a text",
        "empty.png": b"",
        "too-large.png": _with_size(_picture(grey, "PNG"), 20_000, 20_000),
        "no-rows.png": _with_size(_picture(grey, "PNG"), 0, 20),
        "cut.png": _picture(grey, "PNG")[:-100],
    }
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        files[f"turned-{orientation}.png"] = _picture(grey, "PNG", exif=exif, dpi=(100, 50))
    return files


def _with_size(png: bytes, rows: int, cols: int) -> bytes:
    header = b"IHDR" + cols.to_bytes(4) + rows.to_bytes(4) + png[24:29]
    return png[:12] + header + zlib.crc32(header).to_bytes(4) + png[33:]


def test_png_of_every_kind_to_the_bit(tmp_path):
    assert differences(tmp_path, png_files()) == []


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_interlaced_png_of_every_depth(tmp_path, depth):
    """Pillow writes no interlaced PNG, so this one is put together from its parts."""
    rows, cols = 13, 11
    samples = np.random.default_rng(depth).integers(0, 2**depth, (rows, cols))
    raw = b""
    for left, top, across, down in [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ]:
        for line in samples[top::down, left::across]:
            bits = "".join(f"{value:0{depth}b}" for value in line)
            if bits:
                raw += b"\0" + int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8))
    header = cols.to_bytes(4) + rows.to_bytes(4) + bytes([depth, 0, 0, 0, 1])
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4) for name, data in chunks
    )
    assert differences(tmp_path, {"interlaced.png": png}) == []


def jpeg_files() -> dict[str, bytes]:
    grey, colour = Image.fromarray(_noise(61, 83)), Image.fromarray(_noise(61, 83, 3), "RGB")
    files = {f"grey-{quality}.jpg": _picture(grey, "JPEG", quality=quality) for quality in (5, 40, 95)}
    files |= {
        f"colour-{sampling}-{quality}.jpg": _picture(colour, "JPEG", subsampling=sampling, quality=quality)
        for sampling in (0, 1, 2)
        for quality in (30, 90)
    }
    files |= {
        "progressive.jpg": _picture(colour, "JPEG", progressive=True),
        "grey-progressive.jpg": _picture(grey, "JPEG", progressive=True),
        "restarts.jpg": _picture(colour, "JPEG", restart_marker_blocks=2),
        "profile.jpg": _picture(grey, "JPEG", icc_profile=b"not a profile"),
        "density.jpg": _picture(grey, "JPEG", dpi=(50, 100)),
        "cut.jpg": _picture(grey, "JPEG")[:600],
        "header.jpg": _picture(grey, "JPEG")[:60],
    }
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        files[f"turned-{orientation}.jpg"] = _picture(colour, "JPEG", exif=exif)
    return files


def test_jpeg_to_the_bit(tmp_path):
    assert differences(tmp_path, jpeg_files()) == []


def test_jpeg_for_print_is_refused_as_python_refuses_it(tmp_path):
    content = _picture(Image.new("CMYK", (20, 30), (1, 2, 3, 4)), "JPEG")
    with pytest.raises(NotARadiographError, match="CMYK") as refusal:
        radiograph.read(content)
    answers = in_node(tmp_path, {"print.jpg": content})
    assert answers["print.jpg"]["error"] == {"kind": "NotARadiographError", "message": str(refusal.value)}


def changed(dataset: Dataset, attributes: Mapping[str, Any]) -> Dataset:
    """A data set with other attributes, by keyword; None removes one."""
    for keyword, value in attributes.items():
        if value is None:
            dataset.pop(keyword, None)
        else:
            setattr(dataset, keyword, value)
    return dataset


def _table(entries: int, first: int, bits: int) -> list[Dataset]:
    item = Dataset()
    item.add_new(0x00283002, "SS" if first < 0 else "US", [entries, first, bits])
    curve = (np.linspace(0, 1, entries) ** 2 * (2**bits - 1)).astype("<u2")
    item.add_new(0x00283006, "OW", curve.tobytes())
    return [item]


HEADERS: dict[str, dict[str, Any]] = {
    "window": {"WindowCenter": "400", "WindowWidth": "900"},
    "two-windows": {"WindowCenter": ["400", "100"], "WindowWidth": ["900", "50"]},
    "exact": {"WindowCenter": "400.5", "WindowWidth": "900.25", "VOILUTFunction": "LINEAR_EXACT"},
    "sigmoid": {"WindowCenter": "400", "WindowWidth": "900", "VOILUTFunction": "SIGMOID"},
    "narrow": {"WindowCenter": "400", "WindowWidth": "1"},
    "too-wide": {"WindowCenter": "4000", "WindowWidth": "60000"},
    "no-window": {"WindowCenter": None, "WindowWidth": None},
    "rescaled": {"RescaleSlope": "2.5", "RescaleIntercept": "-1024"},
    "inverse": {"PhotometricInterpretation": "MONOCHROME1"},
    "shape": {"PresentationLUTShape": "INVERSE", "PhotometricInterpretation": "MONOCHROME1"},
    "contradicting-shape": {"PresentationLUTShape": "INVERSE"},
    "padding": {"PixelPaddingValue": 200, "PixelPaddingRangeLimit": 500},
    "voi-table": {"VOILUTSequence": _table(1000, 100, 12)},
    "voi-table-signed": {"VOILUTSequence": _table(3000, -200, 16), "PixelRepresentation": 1},
    "modality-table": {"ModalityLUTSequence": _table(4000, 0, 10)},
    "mirrored": {"PatientOrientation": ["R", "F"]},
    "transposed": {"PatientOrientation": ["F", "L"]},
    "upside-down": {"PatientOrientation": ["L", "H"]},
    "lateral-orientation": {"PatientOrientation": ["A", "F"]},
    "axial": {"PatientOrientation": ["L", "P"]},
    "no-orientation": {"PatientOrientation": None},
    "not-an-orientation": {"PatientOrientation": ["X", "F"]},
    "lateral": {"ViewPosition": "LL"},
    "oblique-spelled": {"ViewPosition": "Obl"},
    "frontal": {"ViewPosition": "PA"},
    "raw": {"PresentationIntentType": "FOR PROCESSING"},
    "hand": {"BodyPartExamined": "HAND"},
    "thorax": {"BodyPartExamined": "Thorax PA"},
    "other-part": {"BodyPartExamined": "OTHER"},
    "ct": {"Modality": "CT"},
    "no-modality": {"Modality": None},
    "frames": {"NumberOfFrames": "3"},
    "colour": {"PhotometricInterpretation": "PALETTE COLOR"},
    "child": {"PatientAge": "007Y"},
    "months": {"PatientAge": "030M"},
    "no-unit": {"PatientAge": "54"},
    "few-bits": {"BitsStored": 6, "HighBit": 5},
    "high-bit": {"BitsStored": 12, "HighBit": 13},
    "spacing": {"PixelSpacing": ["0.2", "0.1"]},
    "imager": {"PixelSpacing": None, "ImagerPixelSpacing": ["0.2", "0.15"], "EstimatedRadiographicMagnificationFactor": "1.1"},
    "at-detector": {"PixelSpacing": ["0.2", "0.2"], "ImagerPixelSpacing": ["0.2", "0.2"]},
    "fiducial": {
        "PixelSpacing": ["0.18", "0.18"],
        "ImagerPixelSpacing": ["0.2", "0.2"],
        "PixelSpacingCalibrationType": "FIDUCIAL",
    },
    "aspect": {"PixelSpacing": None, "PixelAspectRatio": ["2", "1"]},
    "decimal-comma": {"RescaleSlope": "1", "RescaleIntercept": None},
    "lossy-earlier": {"LossyImageCompression": "01"},
    "no-bits": {"BitsStored": None},
    "wrong-size": {"Rows": 600},
    "no-rows": {"Rows": 0},
}


def _base(**elements: Any) -> Dataset:
    """The 12 bit image that headers and transfer syntaxes are tried on."""
    return cr(_noise(31, 44, 1, 1500), **{"PatientOrientation": ["L", "F"], **elements})


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
def test_headers_of_dicom(tmp_path):
    files = {f"{name}.dcm": written(changed(_base(), attributes)) for name, attributes in HEADERS.items()}
    sigmoid = {"sigmoid.dcm": files.pop("sigmoid.dcm")}
    assert differences(tmp_path, files) == []
    assert differences(tmp_path, sigmoid, exact=False) == []  # an exponential differs by one unit in the last place


def test_transfer_syntaxes_of_dicom(tmp_path):
    files = {}
    for turned in "LR":
        elements = {"PatientOrientation": [turned, "F"], "VOILUTSequence": _table(900, 10, 12)}
        for syntax in (ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
            files[f"{syntax}-{turned}.dcm"] = written(cr(_noise(31, 44, 1, 1500), syntax=syntax, **elements))
        big = cr(_noise(31, 44, 1, 1500), syntax=ExplicitVRBigEndian, PatientOrientation=[turned, "F"])
        files[f"big-{turned}.dcm"] = written(big)
        run_length = _base(**elements)
        run_length.compress(RLELossless)
        files[f"rle-{turned}.dcm"] = written(run_length)
    implicit = cr(_noise(31, 44, 1, 1500), syntax=ImplicitVRLittleEndian, PatientOrientation=["L", "F"])
    whole = written(_base())
    files |= {
        "bare.dcm": without_meta(implicit), "bare-explicit.dcm": without_meta(_base()), "no-preamble.dcm": whole[132:],
        "cut.dcm": whole[:-100], "deflated-cut.dcm": files[f"{DeflatedExplicitVRLittleEndian}-L.dcm"][:-400],
    }  # fmt: skip
    assert differences(tmp_path, files) == []


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path):
    whole = written(_base(WindowCenter="400", WindowWidth="900", VOILUTSequence=_table(40, 0, 12)))
    files = {f"{size}.dcm": whole[:size] for size in range(1, len(whole) - 2, 131)}
    answers = in_node(tmp_path, files)
    for name, content in files.items():
        with pytest.raises(RadiographError) as refused:
            radiograph.read(content)
        assert answers[name]["error"]["kind"] == type(refused.value).__name__, name


@pytest.mark.parametrize(
    "process", ["JPEGLosslessProcess14_1", "JPEGLosslessProcess14", "JPEGLSLossless", "JPEG2000Lossless", "JPEG2000"]
)
@pytest.mark.parametrize(("bits", "signed"), [(8, False), (10, False), (12, True), (16, False), (16, True)])
def test_compressed_by_gdcm(tmp_path, process, bits, signed):
    (tmp_path / "gdcm").mkdir()
    (tmp_path / "files").mkdir()
    stored = _noise(40, 52, 1, 2**bits - 1).astype(np.int32) - (2 ** (bits - 1) if signed else 0)
    content = encoded_by_gdcm(cr(stored, bits=bits, signed=signed, PatientOrientation=["L", "F"]), process, tmp_path / "gdcm")
    assert differences(tmp_path / "files", {"packed.dcm": content}) == []


@pytest.mark.parametrize(("process", "offset"), [("JPEGLSLossless", 5), ("JPEG2000Lossless", 8)])
def test_a_frame_that_declares_more_pixels_than_any_radiograph_is_not_decoded(tmp_path, process, offset):
    """The header of the frame states 60,000 rows and columns, that of the image around it 40 × 52."""
    (tmp_path / "gdcm").mkdir()
    (tmp_path / "files").mkdir()
    content = encoded_by_gdcm(cr(_noise(40, 52, 1, 4095), PatientOrientation=["L", "F"]), process, tmp_path / "gdcm")
    start = content.index(b"\xff\xf7" if process.startswith("JPEGLS") else b"\xff\x51")
    width = 2 if process.startswith("JPEGLS") else 4
    sizes = (60_000).to_bytes(width) * 2
    at = start + offset - (2 if width == 4 else 0)
    large = content[:at] + sizes + content[at + len(sizes) :]
    answer = in_node(tmp_path / "files", {"large.dcm": large})["large.dcm"]
    assert answer["error"]["kind"] == "UnreadableFileError"


def test_grey_vectors_of_the_python_reader(tmp_path):
    files = {f"{name}.{suffix}": content for name, suffix, content in grey_vectors.cases()}
    sigmoid = {name: files.pop(name) for name in list(files) if "sigmoid" in name.lower()}
    assert len(files) > 30
    assert differences(tmp_path, files) == []
    assert differences(tmp_path, sigmoid, exact=False) == []
