"""The radiological search model against marks drawn from it, and against limits that are known."""

import numpy as np
import pytest
from scipy import stats

from pneumoscope.statistics.errors import StatisticsError
from pneumoscope.statistics.multireader.free_response import FreeResponseFigure, figure
from pneumoscope.statistics.multireader.marks import MarkedCases
from pneumoscope.statistics.multireader.search_model import SearchModel, effect_scale

MODEL = SearchModel(1.8, 1.2, 0.7, (0.6, 0.3, 0.1))


def draw(model, n_cases, rng):
    """Marks on n non-diseased and n diseased cases by one reader."""
    lesions = rng.choice(np.arange(1, len(model.lesion_shares) + 1), n_cases, p=model.lesion_shares)
    case = np.repeat(np.arange(n_cases), lesions)
    rating = np.where(rng.random(len(case)) < model.lesion_marked, rng.normal(model.separation, 1, len(case)), -np.inf)
    number = rng.poisson(model.marks_elsewhere, 2 * n_cases)
    highest = np.array([rng.normal(size=k).max(initial=-np.inf) for k in number])
    truth = np.arange(2 * n_cases) < n_cases
    cube = np.array(number, float)[None, None]
    names = (("m",), ("r",), tuple(range(2 * n_cases)))
    return MarkedCases(rating[None, None], highest[None, None], cube, case, 1 / np.repeat(lesions, lesions), truth, *names)


def test_areas_are_those_of_marks_drawn_from_the_model():
    marks = draw(MODEL, 2500, np.random.default_rng(20260107))
    # The standard error of either area is below .006.
    assert figure(marks, FreeResponseFigure.HIGHEST_RATING_AUC).value.item() == pytest.approx(MODEL.roc_auc(), abs=0.02)
    assert figure(marks, FreeResponseFigure.WEIGHTED_AFROC).value.item() == pytest.approx(MODEL.wafroc_auc(), abs=0.02)


def test_limits_of_the_areas():
    # No marks elsewhere: only whether a lesion is marked counts, and an unmarked pair is a tie.
    silent = SearchModel(2.0, 1e-9, 0.6, (1.0,))
    assert silent.wafroc_auc() == pytest.approx(0.6 + 0.4 / 2)
    assert silent.roc_auc() == pytest.approx(0.6 + 0.4 / 2)
    # Every lesion marked, and non-lesion marks rare: a lesion competes with at most one of them.
    rare = SearchModel(1.0, 1e-4, 1 - 1e-12, (1.0,))
    beaten = 1e-4 * stats.norm.sf(1 / np.sqrt(2))
    assert 1 - rare.wafroc_auc() == pytest.approx(beaten, rel=1e-3)


def test_a_better_modality_keeps_its_intrinsic_parameters():
    better = MODEL.better_by(0.3)
    assert better.marks_elsewhere * better.separation == pytest.approx(MODEL.marks_elsewhere * MODEL.separation)
    intrinsic = [-np.log(1 - one.lesion_marked) / one.separation for one in (MODEL, better)]
    assert intrinsic[0] == pytest.approx(intrinsic[1])
    assert better.roc_auc() > MODEL.roc_auc()
    assert better.wafroc_auc() > MODEL.wafroc_auc()


def test_scale_is_the_ratio_of_small_effects():
    better = MODEL.better_by(0.001)
    ratio = (better.wafroc_auc() - MODEL.wafroc_auc()) / (better.roc_auc() - MODEL.roc_auc())
    assert effect_scale(MODEL) == pytest.approx(ratio, rel=0.05)
    assert effect_scale(MODEL) > 1


@pytest.mark.parametrize(
    "wrong", [(0.0, 1.0, 0.5, (1.0,)), (1.0, 0.0, 0.5, (1.0,)), (1.0, 1.0, 1.0, (1.0,)), (1.0, 1.0, 0.5, (0.5,))]
)
def test_parameters_outside_their_range_are_refused(wrong):
    with pytest.raises(StatisticsError, match="give μ and λ′ above 0, ν′ between 0 and 1"):
        SearchModel(*wrong)
