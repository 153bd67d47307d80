"""What the tests of several folders share."""

import signal

import pytest

from reader.builders import glass_bundle


@pytest.fixture(autouse=True)
def _signals_as_they_were():
    """The command takes SIGTERM for itself."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture(scope="session")
def glass(tmp_path_factory):
    """The folder of a bundle whose every answer can be computed by hand."""
    return glass_bundle(tmp_path_factory.mktemp("glass") / "bundle")
