"""The cache of answers: another question, other code or another library version gives another key; damage is noticed."""

import json

import numpy as np
import pytest

from pneumoscope import cache
from pneumoscope.cache import CacheError, Question, code_sha256, file_answer, json_answer

CODE = ("pneumoscope.radiograph.region",)


def question(**changes):
    given = {"kind": "areas", "inputs": {"images": ["a", "b"]}, "code": CODE, "libraries": ("numpy",)}
    return Question(**given | changes)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two modules, of which `upper` imports `lower`, in the place of this one."""
    (tmp_path / "lower.py").write_text('"""Text."""\n\nX = 1\n')
    (tmp_path / "upper.py").write_text("from pneumoscope.lower import X\n\n\ndef f():\n    return X\n")
    (tmp_path / "other.py").write_text("Z = 3\n")
    monkeypatch.setattr(cache, "_ROOT", tmp_path)
    code_sha256.cache_clear()
    yield tmp_path
    code_sha256.cache_clear()


def of_upper():
    code_sha256.cache_clear()
    return code_sha256("pneumoscope.upper")


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "perimeters"},
        {"inputs": {"images": ["ab"]}},
        {"inputs": {"images": ["b", "a"]}},
        {"inputs": {"images": ["a", "b"], "side": 1}},
        {"code": ("pneumoscope.radiograph.placement",)},
        {"libraries": ("pillow",)},
    ],
)
def test_another_question_has_another_hash(changes):
    assert question().sha256 == question().sha256
    assert question(**changes).sha256 != question().sha256


def test_the_version_of_a_library_is_part_of_the_question(monkeypatch):
    before = question().sha256
    monkeypatch.setattr(cache.importlib.metadata, "version", lambda _: "99.0")
    assert question().sha256 != before


def test_the_format_of_the_files_is_part_of_the_question(monkeypatch):
    before = question().sha256
    monkeypatch.setattr(cache, "FORMAT", 999)
    assert question().sha256 != before


def test_code_counts_with_all_that_it_imports(package):
    before = of_upper()
    (package / "lower.py").write_text('"""Text."""\n\nX = 2\n')
    assert of_upper() != before


def test_docstrings_comments_layout_and_other_modules_do_not_count(package):
    before = of_upper()
    (package / "lower.py").write_text('"""Other text."""\n\n\n\nX   =   1  # one\n')
    (package / "upper.py").write_text('from pneumoscope.lower import X\n\n\ndef f():\n    """Give X."""\n    return X\n')
    (package / "other.py").write_text("Z = 4\n")
    assert of_upper() == before


def test_a_module_that_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match=r"'pneumoscope\.nowhere' is no module"):
        code_sha256("pneumoscope.nowhere")


def test_an_answer_is_computed_once(tmp_path):
    file = tmp_path / "areas.json"

    assert json_answer(file, question(), lambda: {"areas": (1.5, None)}) == {"areas": [1.5, None]}
    assert json_answer(file, question(), lambda: pytest.fail("asked again")) == {"areas": [1.5, None]}


def test_another_question_replaces_the_answer(tmp_path):
    file = tmp_path / "areas.json"
    json_answer(file, question(), lambda: 1)

    assert json_answer(file, question(inputs={}), lambda: 2) == 2
    assert json_answer(file, question(), lambda: 3) == 3


def test_an_answer_that_is_not_a_number_is_refused_before_it_is_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_answer(tmp_path / "areas.json", question(), lambda: float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_a_changed_digit_of_an_answer_is_noticed(tmp_path):
    file = tmp_path / "areas.json"
    json_answer(file, question(), lambda: {"area": 1.25})
    file.write_text(file.read_text().replace("1.25", "1.35"))

    with pytest.raises(CacheError, match=r"areas\.json' \(areas\) is damaged.*delete the file"):
        json_answer(file, question(), lambda: pytest.fail("asked again"))


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_file_that_is_no_answer_is_noticed(tmp_path, content):
    (tmp_path / "areas.json").write_text(content)
    with pytest.raises(CacheError, match="damaged"):
        json_answer(tmp_path / "areas.json", question(), dict)


def test_an_answer_of_an_earlier_version_is_computed_again(tmp_path):
    (tmp_path / "areas.json").write_text(json.dumps({"asked": {}, "found": 1}))
    assert json_answer(tmp_path / "areas.json", question(), lambda: 2) == 2


def written(array):
    return lambda stream: np.lib.format.write_array(stream, array)


def test_a_file_is_written_once_and_can_be_memory_mapped(tmp_path):
    numbers = np.arange(12.0).reshape(3, 4)

    file_answer(tmp_path / "x.npy", question(), written(numbers))
    file = file_answer(tmp_path / "x.npy", question(), lambda _: pytest.fail("asked again"))

    assert np.array_equal(np.load(file, mmap_mode="r"), numbers)


def test_a_flipped_bit_of_a_file_is_noticed_and_the_file_written_again(tmp_path, caplog):
    numbers = np.arange(1000.0)
    file = file_answer(tmp_path / "x.npy", question(), written(numbers))
    content = bytearray(file.read_bytes())
    content[4000] ^= 1
    file.write_bytes(content)

    assert np.array_equal(np.load(file_answer(tmp_path / "x.npy", question(), written(numbers))), numbers)
    assert caplog.messages == [f"'{file}' (areas) is damaged: its content is not what was written; it is made again"]


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_file_with_a_damaged_question_is_written_again(tmp_path, caplog, content):
    file_answer(tmp_path / "x.npy", question(), written(np.zeros(3)))
    (tmp_path / "x.npy.json").write_text(content)

    assert np.load(file_answer(tmp_path / "x.npy", question(), written(np.ones(3)))).tolist() == [1, 1, 1]
    assert "(areas) is damaged" in caplog.text


def test_a_file_without_its_question_is_written_again(tmp_path):
    file = file_answer(tmp_path / "x.npy", question(), written(np.zeros(3)))
    (tmp_path / "x.npy.json").unlink()  # a run that was killed between the two

    file_answer(tmp_path / "x.npy", question(), written(np.ones(3)))

    assert np.load(file).tolist() == [1, 1, 1]


def test_another_question_replaces_the_file(tmp_path):
    file_answer(tmp_path / "x.npy", question(), written(np.zeros(3)))
    file = file_answer(tmp_path / "x.npy", question(inputs={}), written(np.ones(3)))
    assert np.load(file).tolist() == [1, 1, 1]
