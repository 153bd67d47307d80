"""The configuration of the node: what it accepts, how it says what is wrong, and its schema."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

from pneumoscope.pacs import config
from pneumoscope.pacs.errors import ConfigError
from pneumoscope.pacs.peers import Peer, check_ae_title
from pneumoscope.reader.shipped import SHIPPED

BASE = """
salt = "0123456789abcdef"
spool = "spool"

[[models]]
name = "lungs"

[[destinations]]
name = "pacs"
protocol = "dimse"
host = "127.0.0.1"
port = 104
ae_title = "ORTHANC"
kinds = ["sr", "sc"]
"""
SCHEMA = Path(config.__file__).with_name("node.schema.json")


def parsed(more: str = "", base: str = BASE) -> config.NodeConfig:
    return config.parse(base + more, Path("/etc/pneumoscope"))


def test_paths_start_from_the_folder_of_the_file():
    node = parsed('[receive.tls]\nauthority = "ca.pem"\ncertificate = "/etc/ssl/node.pem"\nkey = "node.key"')
    assert node.spool_folder == Path("/etc/pneumoscope/spool")
    assert node.ledger_url == "sqlite:////etc/pneumoscope/ledger.sqlite"
    assert (node.receive.tls.authority, node.receive.tls.certificate) == ("/etc/pneumoscope/ca.pem", "/etc/ssl/node.pem")


def test_a_database_by_url_is_left_as_it_is():
    node = parsed(base='ledger = "postgresql+psycopg://node@db/pneumoscope"' + BASE)
    assert node.ledger_url == "postgresql+psycopg://node@db/pneumoscope"


def test_a_bundle_is_a_shipped_one_or_a_folder():
    node = parsed('[[models]]\nname = "own"\nbundle = "bundles/own"')
    assert [config.bundle_folder(model) for model in node.models] == [
        SHIPPED["default"],
        Path("/etc/pneumoscope/bundles/own"),
    ]


def test_an_empty_configuration_says_what_is_missing():
    with pytest.raises(ConfigError, match=r"cannot be used: 'salt' is missing at the top of the file$"):
        parsed(base="")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            '[receive]\nhost = "0.0.0.0"',
            r"other machines could connect to 0\.0\.0\.0; say allow_network = true if they may \(in \[receive\]\)$",
        ),
        ("[wrk]\nreaders = 1", r"there is no setting 'wrk'; did you mean 'work'\?$"),
        ("[work]\nreader = 1", r"there is no setting 'reader' in \[work\]; did you mean 'readers'\?$"),
        ("[work]\nzzz = 1", r"there is no setting 'zzz' in \[work\]$"),
        ("[limits]\nassociations = 1.5", r"'associations' in \[limits\] must be a whole number, not a number with decimals$"),
        ('[[rules]]\nname = "x"\nmodels = [1]', r"an entry of 'models' in number 1 of \[\[rules\]\] must be a text in quotes"),
        ('[[destinations]]\nname = "b"', r"'protocol' is missing in number 2 of \[\[destinations\]\]$"),
        (
            '[[destinations]]\nname = "b"\nprotocol = "x"',
            r"'protocol' in number 2 .* cannot be 'x'; it is one of 'dimse', 'stow'$",
        ),
        (
            '[[polls]]\nname = "p"\nurl = "https://x/"\n[polls.tls]\nkey = 4',
            r"'key' in 'tls' of number 1 of \[\[polls\]\] must be",
        ),
        ("[work]\nreaders = 0", r"'readers' must be above 0, not 0"),
        ('[work]\nreaders = "two"', r"'readers' in \[work\] must be a whole number, not a text in quotes$"),
        ('[[rules]]\nname = "all"\nmodels = ["other"]', r"the rule 'all' names the model 'other', .* there is lungs"),
        ('[[rules]]\nname = "all"\ndestinations = ["x"]', r"the destination 'x', .* there is pacs"),
        ('[[rules]]\nname = "no"\naction = "skip"', r"the rule 'no' needs a 'reason' if it skips"),
        ('[[rules]]\nname = "old"\nmin_age_years = 5\nmax_age_years = 5', r"min_age_years < max_age_years"),
        ('[[models]]\nname = "lungs"', r"two models have the name 'lungs'"),
        ('[[peers]]\nae_title = "SEVENTEEN-LETTERS"', r"the AE title of a peer must be 1 to 16"),
        ('[[peers]]\nae_title = "CR1"\naddresses = ["10.0.0.256"]', r"'10\.0\.0\.256' of the peer 'CR1' is no IP address"),
        ("[receive]\nstow_port = 8043", r"'stow_port' needs a 'stow_token_file' or certificates"),
        ('[receive.tls]\ncertificate = "a"\nkey = "b"', r"'tls' of a listener needs 'authority'"),
        ("[limits]\nrefuse_at = 0.5", r"0 < pause_polls_at <= refuse_at <= 1"),
        ('[[polls]]\nname = "p"\nurl = "http://alice:wonder@pacs/dicom-web"', r"holds a user or a password"),
        ('[[polls]]\nname = "p"\nurl = "http://pacs/"\ncredentials = {token_file = "t"}', r"readable for everyone; use https"),
        ('[[destinations]]\nname = "web"\nprotocol = "stow"\nurl = "pacs:80"', r"must be the root of a DICOMweb service"),
        ('[[destinations]]\nname = "web"\nprotocol = "stow"\nurl = "http://h/x"\nport = 1', r"takes 'url', not 'host'"),
        ('[[destinations]]\nname = "b"\nprotocol = "dimse"\nhost = "h"\nport = 104', r"the AE title of the destination 'b'"),
        (
            '[[rules]]\nname = "cr"\nmodalities = ["cr"]',
            r"the rule 'cr' has the Modality 'cr', .* of no image; write 'CR' \(in number 1",
        ),
        ('[[rules]]\nname = "a"\nviews = ["UP"]', r"the View Position 'UP', .* of no image; DICOM defines terms"),
        ('[[rules]]\nname = "a"\nbody_parts = ["Thorax"]', r"the Body Part Examined 'Thorax', .* of no image; write 'CHEST'"),
        (
            '[[rules]]\nname = "a"\nmin_age_years = nan',
            r"'min_age_years' must be a finite number, not nan \(in number 1 of \[\[rules\]\]\)",
        ),
        ("[retention]\nsource_days = inf", r"'source_days' must be a finite number, not inf \(in \[retention\]\)"),
        ("[limits]\nwait_seconds = nan", r"'wait_seconds' must be a finite number, not nan"),
        ("[limits]\ndrain_seconds = -1", r"'drain_seconds' must be at least 0, not -1"),
        ("[limits]\nspool_free_bytes = -1", r"'spool_free_bytes' must be at least 0, not -1"),
        (
            "[send]\nfirst_wait_seconds = 9\nlongest_wait_seconds = 8",
            r"'longest_wait_seconds' must be at least 'first_wait_seconds'",
        ),
        ('[receive]\nhost = ""', r"'host' of the node is empty; name an address, such as '127\.0\.0\.1'"),
        ('[acceptance]\nlateral = "read"', r"'lateral' in \[acceptance\] cannot be 'read'; it is one of 'mark', 'refuse'$"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(more, sentence):
    with pytest.raises(ConfigError, match=sentence) as raised:
        parsed(more)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("wrong", "name"), [('spool = ""', "spool"), ('ledger = ""\nspool = "s"', "ledger")])
def test_the_spool_and_the_ledger_are_named(wrong, name):
    with pytest.raises(ConfigError, match=rf"'{name}' is empty; name a f"):
        parsed(base=BASE.replace('spool = "spool"', wrong))


def test_rules_take_defined_terms_a_missing_value_and_other_text():
    views = ["", "PA", "(no defined term)"]
    assert parsed(f'[[rules]]\nname = "a"\nviews = {json.dumps(views)}').rules[0].views == tuple(views)


def test_a_short_salt_is_refused_and_no_salt_is_printed():
    with pytest.raises(ConfigError, match="the salt needs at least 16 characters; make one") as raised:
        parsed(base=BASE.replace("0123456789abcdef", "geheim"))
    assert "geheim" not in str(raised.value)
    assert "0123456789abcdef" not in repr(parsed())


def test_a_password_in_the_url_of_the_ledger_is_refused_and_not_quoted():
    with pytest.raises(ConfigError, match=r"put it into ~/\.pgpass") as raised:
        parsed(base='ledger = "postgresql://node:wonder@db/x"' + BASE)
    assert "wonder" not in str(raised.value)


def test_a_node_without_destination_needs_shadow_mode():
    bare = BASE[: BASE.index("[[destinations]]")]
    with pytest.raises(ConfigError, match="there is no destination"):
        parsed(base=bare)
    assert parsed(base="shadow = true" + bare).shadow


def test_text_that_is_no_toml_and_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="no valid TOML"):
        parsed("[[[")
    with pytest.raises(ConfigError, match="there is no configuration"):
        config.read(tmp_path / "node.toml")
    (tmp_path / "node.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="no UTF-8 text"):
        config.read(tmp_path / "node.toml")


def test_the_schema_is_shipped_and_accepts_what_the_parser_accepts():
    assert SCHEMA.read_text(encoding="utf-8") == config.schema_text(), "write config.schema_text() to this file"
    validator = jsonschema.Draft202012Validator(json.loads(config.schema_text()))
    validator.validate(tomllib.loads(BASE))
    with pytest.raises(jsonschema.ValidationError, match="wrk"):
        validator.validate(tomllib.loads(BASE + "[wrk]\nreaders = 1"))


def test_a_peer_connects_from_its_own_addresses_only():
    peer = Peer("CR1", ("10.0.0.0/24", "fd00::1"))
    assert [peer.may_connect_from(a) for a in ("10.0.0.9", "fd00::1", "10.0.1.9", "::1")] == [True, True, False, False]


@pytest.mark.parametrize("title", ["", " ", " A", "A\\B", "Ä", "A" * 17, "A\n"])
def test_ae_titles_that_the_standard_does_not_allow(title):
    with pytest.raises(ValueError, match="the AE title of the node"):
        check_ae_title("the node", title)


ROOT = Path(__file__).resolve().parents[2]


def test_the_example_and_the_page_about_it_show_configurations_that_are_accepted():
    example = (ROOT / "examples" / "pacs" / "node.toml").read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="the salt is that of the example"):
        parsed(base=example)
    assert parsed(base=example.replace("replace-this-by-a-secret-of-your-own", "0123456789abcdef")).shadow
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "pacs.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        parsed(block, BASE.replace('name = "pacs"', 'name = "orthanc"'))
