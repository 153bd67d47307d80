"""Tiny classifiers bundled once for all tests of exports."""

import dataclasses

import pytest

from pneumoscope import radiograph
from pneumoscope.cohort.sample import sample
from pneumoscope.export.conversion import OPSET
from pneumoscope.export.graph import whole_graph, write
from tests.classifier import tiny


@pytest.fixture(scope="session")
def shown():
    """Two shipped radiographs."""
    with sample() as cohort:
        return [radiograph.read(cohort.file(cohort.cases[k])) for k in (0, 12)]


def _written(classifier, folder):
    write(whole_graph(classifier), dataclasses.replace(classifier.card, opset=OPSET), folder)
    return classifier, folder


@pytest.fixture(scope="session")
def bundled(tmp_path_factory):
    """A classifier of the whole radiograph, and the folder of its bundle."""
    return _written(tiny.classifier(), tmp_path_factory.mktemp("export") / "bundle")


@pytest.fixture(scope="session")
def bundled_evidence(tmp_path_factory):
    """A classifier that adds up its evidence in the lungs, and the folder of its bundle."""
    return _written(tiny.evidence_classifier(), tmp_path_factory.mktemp("export") / "bundle")
