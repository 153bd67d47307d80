"""The plot of sizes: power against the number of cases, one line for each number of readers, as SVG."""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pneumoscope.reader_study.analysis.size import Question, power_of
from pneumoscope.statistics.metrics import Array
from pneumoscope.statistics.multireader.sizing import StatedComponents

_MOST_LINES = 6
_POINTS = 40
_WIDEST = 5_000
_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))


def power_curves(
    components: StatedComponents, question: Question, readers: Sequence[int], most_cases: int
) -> tuple[Array, Array]:
    """Compute the power on a grid of numbers of cases.

    Parameters
    ----------
    components : StatedComponents
        From a pilot or stated.
    question : Question
        What is to be shown.
    readers : sequence of int
        Numbers of readers.
    most_cases : int
        End of the grid.

    Returns
    -------
    cases : ndarray of float64, shape (points,)
        Numbers of cases, multiples of the groups.
    power : ndarray of float64, shape (readers, points)
        Power.
    """
    grid = np.linspace(max(20, question.groups), most_cases, _POINTS) // question.groups * question.groups
    cases = np.unique(grid)
    return cases, np.array([[power_of(components, question, n, int(k)) for k in cases] for n in readers])


def size_picture(components: StatedComponents, question: Question, readers: Sequence[int]) -> str:
    """Draw the power against the number of cases.

    Parameters
    ----------
    components : StatedComponents
        From a pilot or stated.
    question : Question
        What is to be shown; the wanted power is a horizontal line.
    readers : sequence of int
        Numbers of readers; of more than six, six that are spread evenly are drawn.

    Returns
    -------
    str
        SVG.
    """
    places = np.unique(np.linspace(0, len(readers) - 1, _MOST_LINES).round().astype(int))
    drawn = [readers[k] for k in places]
    cases, power = power_curves(components, question, drawn, _last_case(components, question, drawn))
    picture = Figure((7, 4.2), layout="constrained")
    axes = picture.add_subplot()
    for n, line, style in zip(drawn, power, _STYLES, strict=False):
        axes.plot(cases, line, linestyle=style, label=f"{n} readers")
    axes.add_line(Line2D([cases[0], cases[-1]], [question.power] * 2, color="0.4", linewidth=0.8))
    axes.set(xlabel="cases of the study", ylabel="power", ylim=(0, 1), xlim=(cases[0], cases[-1]))
    axes.set_title(f"effect {question.effect:g}, α = {question.alpha:g}, wanted power {question.power:g}", fontsize=10)
    axes.legend(frameon=False)
    stream = io.StringIO()
    picture.savefig(stream, format="svg", metadata={"Date": None})
    return stream.getvalue()


def _last_case(components: StatedComponents, question: Question, readers: Sequence[int]) -> int:
    """The number of cases at which the largest number of readers has nearly all of its power."""
    n_cases = 100
    while n_cases < _WIDEST and power_of(components, question, max(readers), n_cases) < (1 + question.power) / 2:
        n_cases *= 2
    return min(n_cases, _WIDEST)
