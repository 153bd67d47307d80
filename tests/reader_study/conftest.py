"""Studies of tests are not flushed to the disk: how long that takes depends on the machine."""

import os

import pytest

from pneumoscope.reader_study import journal


@pytest.fixture(autouse=True)
def _not_flushed(monkeypatch):
    monkeypatch.setattr(journal, "SYNCHRONOUS", "OFF")
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
