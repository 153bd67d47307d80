"""What a store keeps of a reading is used only if it is what was written."""

import dataclasses

import pytest

from pneumoscope.radiograph import AcceptancePolicy
from pneumoscope.readings import CaseKey, ModelIdentity, form
from pneumoscope.web.store_folder import ReadingKey, StoreFolder

KEY = ReadingKey("a" * 64, "b" * 64, None, AcceptancePolicy())
LINE = form.error_line(
    CaseKey("a.png", "c" * 64), "pneumonia", ModelIdentity("model", "d" * 64), "Error", "a probability of 0.25"
)


@pytest.fixture
def store(tmp_path):
    opened = StoreFolder.open(tmp_path / "store")
    yield opened
    opened.close()


def test_a_kept_reading_comes_back(store):
    assert store.line(KEY) is None
    store.keep_line(KEY, LINE)
    assert store.line(KEY) == LINE
    assert store.line(dataclasses.replace(KEY, fingerprint="")) is None


@pytest.mark.parametrize(
    "damage",
    [lambda text: "", lambda text: text.replace("0.25", "0.75"), lambda text: text[:-3], lambda text: text[:-66]],
)
def test_a_kept_reading_that_was_changed_or_cut_is_read_again(store, damage):
    store.keep_line(KEY, LINE)
    file = store.path / "readings" / KEY.name
    file.write_text(damage(file.read_text("utf-8")), "utf-8")
    assert store.line(KEY) is None
