"""One model against the mean of the readers, on the same cases."""

from dataclasses import dataclass

import numpy as np

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.multireader.inference import LEVEL, Inference
from pneumoscope.statistics.multireader.jackknife import Jackknife
from pneumoscope.statistics.multireader.obuchowski_rockette import Population, one_modality


@dataclass(frozen=True)
class ModelAgainstReaders:
    """A model compared with readers.

    Parameters
    ----------
    model
        The figure of the model.
    difference
        Model − mean of the readers.
    readers
        The mean of the readers, with the interval of the difference shifted: the model is taken as fixed.
    """

    model: float
    difference: Inference
    readers: Inference


def against_readers(figure: Jackknife, model: int, population: Population, level: float = LEVEL) -> ModelAgainstReaders:
    """Compare one model with the mean of readers who read the same cases.

    Parameters
    ----------
    figure
        Figure of merit in one modality, (1, readers); the model is one of the "readers".
    model
        Position of the model.
    population
        Random readers and cases, fixed readers, or fixed cases. The differences model − reader of the same cases are analysed
        as one modality by the method of Obuchowski and Rockette, so that the model's own variation over cases counts.
    level
        Confidence level.

    Returns
    -------
    ModelAgainstReaders
        Undefined results are NaN with a reason.

    Raises
    ------
    StatisticsError
        If there are several modalities, or no reader besides the model.

    References
    ----------
    Hupse et al. 2013, European Radiology 23:93; Chakraborty 2017, Observer Performance Methods (1T-RRRC and
    1T-RRFC).
    """
    n_modalities, n_all = figure.value.shape
    if n_modalities != 1 or n_all < 2:
        raise StatisticsError(
            f"{n_modalities} modalities with {n_all} readers: give one modality with a model and at least one reader"
        )
    human = [reader for reader in range(n_all) if reader != model]
    own = Jackknife(figure.value[:, [model]], figure.left_out[:, [model]])
    differences = own.minus(Jackknife(figure.value[:, human], figure.left_out[:, human]))
    result = one_modality(differences.value[0], differences.covariance, population, 0.0, level)
    value = float(own.value[0, 0])
    mean = float(np.mean(figure.value[:, human]))
    readers = Inference(mean, result.standard_error, result.df, value, level, result.reason)
    return ModelAgainstReaders(value, result, readers)
