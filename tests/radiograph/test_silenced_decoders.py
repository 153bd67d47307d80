"""`silenced_decoders`: silence in the thread that decodes, and in no other."""

import ctypes
import logging
import os
import threading
import warnings

import numpy as np
import pytest
from PIL import ExifTags, Image

from pneumoscope.radiograph import UnreadableFileError, container_of, read
from pneumoscope.radiograph.native_stderr import silenced_native_stderr
from pneumoscope.radiograph.silenced_decoders import silenced_decoders
from tests.radiograph.builders import cr, encoded_by_gdcm, jpeg


def test_a_warning_and_a_log_of_the_decoding_thread_are_dropped(caplog):
    with silenced_decoders():
        warnings.warn("the patient is Doe^Jane", stacklevel=1)
        logging.getLogger("pydicom").warning("the patient is Doe^Jane")
    assert not caplog.records


def test_another_thread_hears_its_warnings_and_logs_while_one_decodes(caplog):
    decoding, leave, caught = threading.Event(), threading.Event(), []

    def decode():
        with silenced_decoders():
            decoding.set()
            leave.wait()

    thread = threading.Thread(target=decode)
    thread.start()
    decoding.wait()
    try:
        with pytest.warns(UserWarning, match="mine"):
            warnings.warn("mine", stacklevel=1)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warnings.warn("mine too", DeprecationWarning, stacklevel=1)
        logging.getLogger("pydicom").warning("mine")
    finally:
        leave.set()
        thread.join()
    assert [str(w.message) for w in caught] == ["mine too"]
    assert [r.message for r in caplog.records] == ["mine"]


def test_warnings_are_heard_again_after_overlapping_silences_in_threads():
    inside, leave = threading.Barrier(3), threading.Event()

    def hold():
        with silenced_decoders():
            inside.wait()
            leave.wait()

    threads = [threading.Thread(target=hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    inside.wait()
    leave.set()
    for thread in threads:
        thread.join()
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_warnings_are_heard_again_after_an_exception():
    with pytest.raises(RuntimeError, match="decoder"), silenced_decoders():
        raise RuntimeError("decoder")
    with pytest.warns(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_a_nested_silence_does_not_end_the_outer_one():
    with silenced_decoders():
        with silenced_decoders():
            pass
        warnings.warn("not heard", stacklevel=1)


def test_a_filter_that_was_set_later_is_not_heard_either():
    with silenced_decoders():
        pass
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with silenced_decoders():
            warnings.warn("not heard", stacklevel=1)
        warnings.warn("heard", stacklevel=1)
    assert [str(w.message) for w in caught] == ["heard"]


def test_pillow_logs_no_text_of_a_picture(caplog):
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = "Doe^Jane"
    content = jpeg(np.arange(48).reshape(6, 8), exif=exif)
    with caplog.at_level(logging.DEBUG):
        read(content)
        container_of(content)
    assert "Doe^Jane" not in caplog.text


def damaged_lossless_jpeg(folder) -> bytes:
    """A frame of JPEG Lossless with an unknown marker in its scan, of which the library in GDCM complains on the terminal."""
    content = bytearray(encoded_by_gdcm(cr(np.arange(4000).reshape(50, 80)), "JPEGLosslessProcess14_1", folder))
    scan = content.rindex(b"\xff\xda") + 100
    content[scan : scan + 4] = b"\xff\x05\xff\x05"
    return bytes(content)


def test_gdcm_says_nothing_of_a_damaged_frame_on_the_terminal(tmp_path, capfd):
    content = damaged_lossless_jpeg(tmp_path)
    with pytest.raises(UnreadableFileError, match="could not be decoded"):
        read(content)
    assert capfd.readouterr() == ("", "")


def test_python_is_heard_while_the_library_is_silenced_and_the_library_after_it(capfd):
    library = ctypes.CDLL(None)
    with silenced_native_stderr(), silenced_native_stderr():
        library.perror(b"unheard")
        os.write(2, b"Python's\n")
    library.perror(b"heard")
    assert [line.partition(":")[0] for line in capfd.readouterr().err.splitlines()] == ["Python's", "heard"]
