"""The examples in the docstrings of readings, reader and the face run and give what they show."""

import doctest
import importlib
import pkgutil

import pytest

from pneumoscope import reader, readings

MODULES = [
    "pneumoscope",
    *(f"{package.__name__}.{module.name}" for package in (readings, reader) for module in pkgutil.iter_modules(package.__path__)),
]


@pytest.mark.parametrize("name", MODULES)
def test_every_example_gives_what_it_shows(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_the_nouns_and_the_reader_have_examples():
    attempted = {name.rpartition(".")[2] for name in MODULES if doctest.testmod(importlib.import_module(name)).attempted}
    assert {"pneumoscope", "reader", "read_radiograph", "reading", "mark", "finding", "form", "connected_regions"} <= attempted
