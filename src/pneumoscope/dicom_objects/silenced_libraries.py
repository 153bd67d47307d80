"""Silence the warnings and logs of highdicom and pydicom, which quote what a header holds, such as the patient's name."""

from collections.abc import Iterator
from contextlib import contextmanager

import highdicom.pm
import highdicom.pr
import highdicom.sc
import highdicom.seg
import highdicom.sr

from pneumoscope.dicom_objects.errors import DicomObjectError
from pneumoscope.radiograph.silenced_decoders import silence_loggers, silenced_decoders

silence_loggers(highdicom.__name__)  # after its modules have made their loggers


@contextmanager
def silenced_libraries(what: str) -> Iterator[None]:
    """Ignore warnings and logs in the current thread or task, and replace errors of the libraries by one that quotes nothing.

    Parameters
    ----------
    what : str
        What is done, to follow the words "could not be".

    Raises
    ------
    DicomObjectError
        A library failed on the values of the header.
    """
    with silenced_decoders():
        try:
            yield
        except DicomObjectError:
            raise
        except Exception as error:
            raise DicomObjectError(
                f"the DICOM object could not be {what} ({type(error).__name__}): the header of the source, or the object, holds "
                "values that do not fit each other; export it again from its source"
            ) from None  # the cause may quote the patient's name
