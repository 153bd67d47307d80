"""One model against the mean of the readers, on the same cases."""

from dataclasses import dataclass

import numpy as np

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.multireader.inference import LEVEL, Inference
from pneumoscope.statistics.multireader.jackknife import Jackknife
from pneumoscope.statistics.multireader.obuchowski_rockette import Population, analyse, one_modality


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
        The mean of the readers.
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
        The interval of the readers' mean is that of the difference, shifted: the model's figure is the null value. Undefined
        results are NaN with a reason.

    Raises
    ------
    StatisticsError
        If there are several modalities, or no reader besides the model.

    References
    ----------
    Hupse et al. 2013, European Radiology 23:93; Chakraborty 2017, Observer Performance Methods (1T-RRRC and
    1T-RRFC).
    """
    own, human = _parts(figure, model)
    differences = own.minus(human)
    result = one_modality(differences.value[0], differences.covariance, population, 0.0, level)
    value = float(own.value[0, 0])
    mean = float(np.mean(human.value))
    readers = Inference(mean, result.standard_error, result.df, value, level, result.reason)
    return ModelAgainstReaders(value, result, readers)


def against_readers_as_modality(figure: Jackknife, model: int, level: float = LEVEL) -> ModelAgainstReaders:
    """Compare one model with the mean of the readers as two modalities, for random readers and random cases.

    Parameters
    ----------
    figure
        Figure of merit in one modality, (1, readers); the model is one of the "readers".
    model
        Position of the model.
    level
        Confidence level.

    Returns
    -------
    ModelAgainstReaders
        By the method of Obuchowski and Rockette, where every reader reads in two modalities: in the first the reader has the
        figure of the model, in the second the own one. The interval of the readers' mean is that of the second modality alone.

    Raises
    ------
    StatisticsError
        If there are several modalities, or no reader besides the model.

    References
    ----------
    Chakraborty 2017, Observer Performance Methods (2T-RRRC).
    """
    own, human = _parts(figure, model)
    n_readers = human.value.shape[1]
    two = Jackknife(
        np.concatenate([np.repeat(own.value, n_readers, 1), human.value]),
        np.concatenate([np.repeat(own.left_out, n_readers, 1), human.left_out]),
    )
    result = analyse(two.value, two.covariance, Population.READERS_AND_CASES, level=level)
    return ModelAgainstReaders(float(own.value[0, 0]), result.contrasts[0].difference, result.means[1])


def _parts(figure: Jackknife, model: int) -> tuple[Jackknife, Jackknife]:
    """The figure of the model, (1, 1), and those of the readers, (1, readers)."""
    n_modalities, n_all = figure.value.shape
    if n_modalities != 1 or n_all < 2:
        raise StatisticsError(
            f"{n_modalities} modalities with {n_all} readers: give one modality with a model and at least one reader"
        )
    human = [reader for reader in range(n_all) if reader != model]
    own = Jackknife(figure.value[:, [model]], figure.left_out[:, [model]])
    return own, Jackknife(figure.value[:, human], figure.left_out[:, human])
