"""Read one radiograph in one call."""

import functools
from pathlib import Path

from pneumoscope.radiograph import AcceptancePolicy
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY
from pneumoscope.reader.outcome import Source
from pneumoscope.reader.reader import SHIPPED, Reader
from pneumoscope.readings import ModelReading


def read(
    source: Source,
    *,
    model: Path | str = "default",
    target: str = "",
    method: str = "",
    policy: AcceptancePolicy = DEFAULT_POLICY,
) -> ModelReading:
    """Read one radiograph with a shipped model or another bundle.

    A shipped model stays loaded for the next call. For many radiographs use `pneumoscope.Reader.read_many`.

    Parameters
    ----------
    source : Path, str, bytes or Radiograph
        A file (DICOM, PNG, JPEG), its content, or a decoded radiograph.
    model : Path or str
        ``default`` (lungs) or ``whole`` (published whole-image model with Grad-CAM), or the folder of a bundle.
    target : str
        The class whose evidence the heat map shows; the model's target by default.
    method : str
        Method of the heat map; the model's own by default.
    policy : AcceptancePolicy
        Which radiographs are refused, and which are read with a caution.

    Returns
    -------
    ModelReading
        Score, decision, heat map, findings and lung fields.

    Raises
    ------
    RadiographError
        The file cannot be read as a radiograph, or the policy refuses it.
    BundleError, CardError
        The model cannot be loaded, or does not have this target or method.
    ModelOutputError
        The model gave no usable answer.
    SourceError
        The source is of none of these types.

    Examples
    --------
    >>> from pneumoscope.cohort.sample import sample
    >>> with sample() as cohort:
    ...     reading = read(cohort.file(cohort.cases[-1]))
    >>> reading.decision, reading.findings[0].laterality
    ('positive', 'right')
    """
    shipped = isinstance(model, str) and model in SHIPPED
    reader = _shipped(str(model), policy) if shipped else Reader.load(model, policy=policy)
    return reader.read(source, target=target, method=method)


@functools.cache
def _shipped(name: str, policy: AcceptancePolicy) -> Reader:
    return Reader.load(SHIPPED[name], policy=policy)
