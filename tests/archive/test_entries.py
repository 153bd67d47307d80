"""How the files that a source holds are named."""

import pytest

from pneumoscope.archive.entries import kinds_text


@pytest.mark.parametrize(
    ("kind", "several"),
    [
        ("archive that could not be opened", "archives that could not be opened"),
        ("archive that could not be read to the end", "archives that could not be read to the end"),
        ("folder that could not be listed", "folders that could not be listed"),
        ("repeated name in an archive", "repeated names in an archive"),
        ("link in an archive", "links in an archive"),
        ("nested archive", "nested archives"),
        ("CSV", "CSV"),
    ],
)
def test_kinds_are_named_in_the_plural_where_there_are_several(kind: str, several: str) -> None:
    assert kinds_text({kind: 5}) == f"5 {several}"
    assert kinds_text({"text": 2, kind: 1}) == f"2 text, 1 {kind}"
