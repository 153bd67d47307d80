"""The examples in the docstrings run and give what they say."""

import doctest
import importlib
import pkgutil

import pytest

from pneumoscope import statistics
from pneumoscope.statistics import multireader

MODULES = [f"pneumoscope.statistics.{module.name}" for module in pkgutil.iter_modules(statistics.__path__) if not module.ispkg]
MULTIREADER = [f"pneumoscope.statistics.multireader.{module.name}" for module in pkgutil.iter_modules(multireader.__path__)]


@pytest.mark.parametrize("name", MODULES + MULTIREADER)
def test_the_examples_of_a_module_run(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_examples():
    attempted = {name: doctest.testmod(importlib.import_module(name)).attempted for name in MODULES}
    without = {name.rpartition(".")[2] for name, count in attempted.items() if not count}
    assert without == {"errors", "figure"}
