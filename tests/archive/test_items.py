"""The files of a manifest, packed: the same files in the same order, found by name."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.archive import ArchiveError, Item, Items, find
from pneumoscope.archive.journal import Written
from tests.radiograph.builders import property_test

NAMES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1), max_size=30)


@property_test
@given(NAMES)
def test_packed_files_are_the_files(names):
    files = [Item(name, Path("in") / f"{k}.png") for k, name in enumerate(names)]
    items = Items(files)
    assert [*items] == files
    assert [items[k] for k in range(-len(files), 0)] == files
    assert [*items[1:3]] == files[1:3]
    for name in names:
        assert items.find(name) == names.index(name)
    assert items.find("".join(names) + "x") is None
    same = sorted(tuple(k for k, other in enumerate(names) if other == name) for name in set(names) if names.count(name) > 1)
    assert sorted(items.of_one_name()) == same


def test_a_file_name_that_is_no_text_leads_back_to_its_file(tmp_path):
    file = tmp_path / b"caf\xe9.png".decode("utf-8", "surrogateescape")
    file.write_bytes(b"\x89PNG")
    (item,) = find([str(tmp_path)], tmp_path / "out").items
    assert item == Item("caf\N{REPLACEMENT CHARACTER}.png", file)


def test_a_file_given_twice_is_read_once_and_two_of_one_name_are_refused(tmp_path):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(b"\x89PNG")
    (tmp_path / "other" / "b.png").symlink_to(tmp_path / "one" / "a.png")
    one = str(tmp_path / "one")
    assert [item.name for item in find([one, one], tmp_path / "out").items] == ["a.png"]
    with pytest.raises(ArchiveError, match=r"two inputs would both be called 'a\.png'"):
        find([one, str(tmp_path / "other")], tmp_path / "out")


@pytest.mark.parametrize("names", [*itertools.permutations("abc"), ("c", "x", "a"), ("x", "y"), ()])
def test_lines_are_ranked_by_the_manifest(names):
    written, manifest = Written(), ["a", "b", "c"]
    for k, name in enumerate(names):
        written.add(name, 10 * k, 7 * k)
    ranks = written.ranks(Items([Item(name, Path(name)) for name in manifest]))
    assert ranks.tolist() == [manifest.index(name) if name in manifest else -1 for name in names]
    assert written.starts.tolist() == [10 * k for k in range(len(names))]
    assert written.record_starts.tolist() == [7 * k for k in range(len(names))]
