"""What the tests of several folders share."""

import os
import signal
import tempfile

import hypothesis
import pytest

# Before PyTorch and scikit-learn are imported: several threads on small arrays wait for one another longer than they compute, and
# `pytest -n` runs one process for each processor.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.reader.builders import glass_bundle

# No property depends on the speed of the machine; all else is as Hypothesis chooses here or in CI.
hypothesis.settings.register_profile(
    "patient",
    hypothesis.settings.get_profile(hypothesis.settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")

# A shell's background job ignores Ctrl-C, and so would the commands that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def _temporary_files_go_with_the_tests_own(tmp_path_factory):
    """Also those that programs leave which a test starts, or kills: pytest removes its folders."""
    folder = str(tmp_path_factory.mktemp("temporary"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", folder)
        patch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.fixture(scope="session")
def glass(tmp_path_factory):
    """The folder of a bundle whose every answer can be computed by hand."""
    return glass_bundle(tmp_path_factory.mktemp("glass") / "bundle")


SLOW_FIXTURES = {"compared", "teacher"}
"""Module-wide trainings and exports: the first test that asks for one waits for it."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """A test that needs a slow fixture is slow."""
    for item in items:
        if not SLOW_FIXTURES.isdisjoint(item.fixturenames):
            item.add_marker(pytest.mark.slow)


def pytest_sessionfinish(session):
    """CI sets PNEUMOSCOPE_FORBID_SKIPS: a skipped test then fails the run."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("PNEUMOSCOPE_FORBID_SKIPS") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
