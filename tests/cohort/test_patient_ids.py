"""Patient identifiers are replaced under a secret, or at random; a plain hash of a short identifier hides nobody."""

import hashlib
import hmac
import stat

import pytest

from pneumoscope.cohort import CohortError
from pneumoscope.cohort.patient_ids import keyed, random_ids, read_key

KEY = bytes(range(32))


def test_keyed_hash_is_hmac_sha256():
    assert keyed(KEY)("MRN-1") == hmac.new(KEY, b"MRN-1", hashlib.sha256).hexdigest()[:16]


def test_without_the_key_no_identifier_can_be_tried_out():
    new = keyed(KEY)("0000042")
    assert new not in {hashlib.sha256(f"{k:07}".encode()).hexdigest()[:16] for k in range(100)}
    assert new not in {keyed(bytes(32))(f"{k:07}") for k in range(100)}


def test_short_key_is_refused():
    with pytest.raises(CohortError, match="a key of 4 bytes can be guessed"):
        keyed(b"1234")


def test_missing_key_file_is_created_for_its_owner_alone_and_read_again(tmp_path):
    path = tmp_path / "new" / "key"
    key = read_key(path)
    assert len(key) == 32
    assert read_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(tmp_path / "other") != key


def test_random_identifiers_are_kept_in_a_private_map(tmp_path):
    path = tmp_path / "map.csv"
    with random_ids(path) as replaced:
        first = {name: replaced(name) for name in ("MRN-1", "MRN, 2", "MRN-1")}
    assert len(set(first.values())) == 2
    assert not any("MRN" in new for new in first.values())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with random_ids(path) as replaced:
        assert {name: replaced(name) for name in first} == first
        third = replaced("MRN-3")
    assert third not in first.values()
    with random_ids(path) as replaced:
        assert replaced("MRN-3") == third
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_map_is_not_changed_after_an_exception(tmp_path):
    with pytest.raises(RuntimeError), random_ids(tmp_path / "map.csv") as replaced:
        replaced("MRN-1")
        raise RuntimeError
    assert not (tmp_path / "map.csv").exists()


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"original_id,patient_id\n1\n", b"\xff\xfe\x00"])
def test_other_file_is_no_map(tmp_path, content):
    (tmp_path / "map.csv").write_bytes(content)
    with pytest.raises(CohortError, match="is no map of patient identifiers"), random_ids(tmp_path / "map.csv"):
        pass
