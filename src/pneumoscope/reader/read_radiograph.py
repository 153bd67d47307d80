"""Read one radiograph in one call."""

import functools
from pathlib import Path

from pneumoscope.classifier import Population
from pneumoscope.radiograph import AcceptancePolicy
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY
from pneumoscope.reader.outcome import Source
from pneumoscope.reader.reader import Reader
from pneumoscope.reader.shipped import SHIPPED
from pneumoscope.readings import ModelReading


def read(
    source: Source,
    *,
    model: Path | str = "default",
    target: str = "",
    method: str = "",
    population: Population | None = None,
    policy: AcceptancePolicy = DEFAULT_POLICY,
) -> ModelReading:
    """Read one radiograph with a shipped model or another bundle.

    A shipped model stays loaded for the next call. For many radiographs use `pneumoscope.Reader.read_many`.

    Parameters
    ----------
    source : Path, str, bytes or Radiograph
        The path of a file (DICOM, PNG, JPEG), the bytes of a file, or a decoded radiograph.
    model : Path or str
        ``default`` (evidence pooled over the lungs), ``whole`` (the published whole-image model with Grad-CAM), or the folder
        of a bundle.
    target : str
        Class that the heat map explains; the model's target by default.
    method : str
        Method of the heat map; the model's default method if empty.
    population : {"child", "adult"}, optional
        The patient's population, for a model that has settings by population; the age in the file comes first. If neither tells
        it, the cautious settings decide, and the reading says so.
    policy : AcceptancePolicy
        Rules by which radiographs are refused or read with a caution.

    Returns
    -------
    ModelReading
        Score, decision, heat map, findings and lung fields.

    Raises
    ------
    RadiographError
        If the file cannot be decoded as a radiograph, or if the policy refuses it.
    BundleError, CardError
        If the model cannot be loaded, or does not have this target or method, or no settings for the patient's population.
    PopulationError
        If the patient's age in the file contradicts the stated population.
    ModelOutputError
        If the model failed on the radiograph or gave an invalid output.
    SourceError
        If the source has another type.

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
    return reader.read(source, target=target, method=method, population=population)


@functools.cache
def _shipped(name: str, policy: AcceptancePolicy) -> Reader:
    return Reader.load(SHIPPED[name], policy=policy)
