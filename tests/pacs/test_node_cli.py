"""The verbs of ``pneumoscope node``: what they say and change, and that they show no identifier."""

import json
import os
import re
import stat
import zipfile
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import trustme

from pneumoscope.pacs import config
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.web.dicomweb.errors import UnreachableError
from tests.cli.run import run
from tests.free_port import free_port
from tests.pacs.fake_pacs import FakeDimse, FakeStow
from tests.pacs.node_parts import BASE, image, model, receive, worker
from tests.radiograph.builders import PATIENT, png

SECRETS = (*PATIENT.values(), "Jane", "1.2.3.1", "0123456789abcdef", "2.25.")


@pytest.fixture
def file(tmp_path):
    made = tmp_path / "node.toml"
    made.write_text(BASE, encoding="utf-8")
    return made


@pytest.fixture
def filled(file):
    """A node with an image that was read, one that was skipped, and one that waits."""
    node = config.read(file)
    with Ledger.open(node.ledger_url) as ledger:
        for number, elements in ((1, {}), (2, {"ViewPosition": "LL"}), (3, {})):
            receive(node, ledger, image(number, **elements), number)
        work = worker(node, ledger)
        assert work.step("work")
        assert work.step("work")
        delivery = ledger.claim_delivery("send", 60)
        ledger.finish_delivery(delivery, "dead", "the destination 'pacs' answers 0xA900 (data set does not match SOP class)")
        ledger.beat("work", 77)
    return file


def said(*arguments, code=0):
    """What a verb says, without any identifier."""
    ran = run("node", *arguments)
    assert ran.code == code, ran.err
    assert not [secret for secret in SECRETS if secret in ran.out + ran.err]
    return ran.out if code == 0 else ran.out + ran.err


def test_what_the_commands_write_belongs_to_their_user_alone(file):
    before = os.umask(0o022)
    try:
        said("status", "--config", file)
        assert os.umask(0o022) == 0o022, "the commands of the node leave the mask as it was"
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in file.parent.glob("ledger.sqlite*")} == {0o600}


def test_status_tells_what_waits_and_why_deliveries_are_dead(filled):
    out = said("--config", filled, "status")
    assert re.search(r"^work: runs, process 77; last sign of life [0-9]+ s ago$", out, re.M), out
    assert "receive: never ran" in out
    assert "images: 1 read, 1 received, 1 skipped" in out
    assert "1 dead for 'pacs': the destination 'pacs' answers 0xA900" in out
    assert "oldest image that waits to be read: " in out


def test_status_says_at_once_that_a_process_was_stopped(filled):
    with Ledger.open(config.read(filled).ledger_url) as ledger:
        ledger.end_beat("work", 77)
    out = said("status", "--config", filled)
    assert re.search(r"^work: stopped [0-9]+ s ago$", out, re.M), out


def test_status_names_deliveries_whose_destination_is_gone(filled):
    node = config.read(filled)
    with Ledger.open(node.ledger_url) as ledger:
        ledger.requeue("deliveries", [1])
    filled.write_text(BASE.replace('name = "pacs"', 'name = "archive"'), encoding="utf-8")
    assert "1 wait for 'pacs', which the configuration no longer names" in said("status", "--config", filled)


def test_lists_show_pseudonyms_states_and_reasons(filled):
    out = said("list", "--config", filled)
    assert [line.split()[0] for line in out.splitlines()] == ["3", "2", "1"]
    assert "skipped: the View Position is LL, not a frontal view" in out
    assert pseudonym("0123456789abcdef", "1.2.3.1.3") in out
    assert said("list", "--state", "skipped", "--config", filled).count("\n") == 1
    for asked in (("list",), ("reprocess", "--dry-run")):
        assert "there is no sender 'CR7'; the senders are MODALITY" in said(*asked, "--sender", "CR7", "--config", filled, code=2)
    assert said("list", "--before", "2020-01-01", "--config", filled) == ""
    assert "sr (plain) to pacs  dead: the destination" in said("list", "deliveries", "--to", "pacs", "--config", filled)
    assert "there is no state 'lost'" in said("list", "--state", "lost", "--config", filled, code=2)


@pytest.mark.parametrize(
    ("verb", "sentence"),
    [
        (("echo", "x"), "there is no destination 'x'; the configuration names none"),
        (("list", "deliveries", "--to", "x"), "there is no destination 'x'; the configuration names none"),
        (("list", "--sender", "x"), "there is no sender 'x'; no image was received yet, and the configuration names none"),
    ],
)
def test_a_name_is_refused_also_where_there_is_no_other_to_name(file, verb, sentence):
    file.write_text("shadow = true" + BASE[: BASE.index("[[destinations]]")], encoding="utf-8")
    assert sentence in said(*verb, "--config", file, code=2)


def test_show_finds_an_image_by_row_pseudonym_and_uid(filled):
    shown = pseudonym("0123456789abcdef", "1.2.3.1.3")
    by_row = said("show", "1", "--config", filled)
    assert by_row == said("show", shown, "--config", filled) == said("show", "1.2.3.1.3", "--config", filled)
    assert "pneumonia 0.900, positive" in by_row
    assert "dead: the destination 'pacs' answers 0xA900" in by_row
    assert "the ledger has no image" in said("show", "77", "--config", filled, code=2)


def test_requeue_and_drop_name_what_they_changed(filled):
    assert said("requeue", "deliveries", "--state", "dead", "--config", filled).startswith("1 of 1 deliveries wait again")
    assert said("requeue", "deliveries", "1", "--config", filled).startswith("0 of 1 deliveries")
    assert said("drop", "images", "3", "--reason", "a phantom", "--config", filled).startswith("1 of 1 images are dropped")
    assert "dropped: a phantom" in said("list", "--state", "dropped", "--config", filled)
    assert "name rows" in said("requeue", "images", "--config", filled, code=2)
    assert "images have no row 77, and nothing was changed" in said("requeue", "images", "3", "77", "--config", filled, code=2)
    assert "dropped" in said("list", "--state", "dropped", "--config", filled)
    out = said("drop", "deliveries", "9", "--reason", "a test", "--config", filled, code=2)
    assert "deliveries have no row 9" in out


@pytest.mark.parametrize(
    ("verb", "sentence"),
    [
        (
            ("drop", "images", "--state", "received", "--to", "pacs", "--reason", "x"),
            "'--to' chooses among deliveries, not images",
        ),
        (("requeue", "images", "--state", "skipped", "--to", "pacs"), "'--to' chooses among deliveries, not images"),
        (("list", "images", "--to", "pacs"), "'--to' chooses among deliveries, not images"),
        (("list", "deliveries", "--sender", "CR1"), "'--sender' chooses among images, not deliveries"),
        (("list", "deliveries", "--before", "2026-01-01"), "'--before' chooses among images, not deliveries"),
        (
            ("requeue", "deliveries", "--state", "dead", "--to", "pasc"),
            "there is no destination 'pasc'; the destinations are pacs",
        ),
        (("list", "deliveries", "--to", "pasc"), "there is no destination 'pasc'; the destinations are pacs"),
    ],
)
def test_an_option_that_does_not_choose_is_refused_and_nothing_is_changed(filled, verb, sentence):
    before = said("list", "--config", filled) + said("list", "deliveries", "--config", filled)
    assert sentence in " ".join(said(*verb, "--config", filled, code=2).split())
    assert said("list", "--config", filled) + said("list", "deliveries", "--config", filled) == before


def test_reprocess_takes_what_the_present_models_have_not_read(filled, monkeypatch):
    monkeypatch.setattr("pneumoscope.pacs.reprocess.readers.load", lambda node: {"lungs": model()})
    assert said("reprocess", "--config", filled) == "0 of 0 images wait to be read again\n"
    monkeypatch.setattr("pneumoscope.pacs.reprocess.readers.load", lambda node: {"lungs": model(sha256="cd" * 32)})
    assert said("reprocess", "--dry-run", "--config", filled) == "1 of 1 images wait to be read again\n"
    assert said("reprocess", "--config", filled) == "1 of 1 images wait to be read again\n"
    assert said("reprocess", "--since", "2999-01-01", "--config", filled) == "0 of 0 images wait to be read again\n"
    (filled.parent / "spool" / "2.dcm").unlink()
    out = said("reprocess", "--state", "skipped", "--config", filled)
    assert out == "0 of 1 images wait to be read again; the files of 1 were removed: fetch these images again from the PACS\n"


def test_reprocess_leaves_images_that_the_rules_give_to_one_model_alone(file, monkeypatch):
    rules = '[[rules]]\nname = "new"\nae_titles = ["CR2"]\nmodels = ["new"]\n[[rules]]\nname = "old"\nmodels = ["lungs"]\n'
    file.write_text(BASE + '[[models]]\nname = "new"\n' + rules, encoding="utf-8")
    site, models = config.read(file), {"lungs": model(), "new": model("new", sha256="cd" * 32)}
    with Ledger.open(site.ledger_url) as ledger:
        for number, sender in enumerate(("CR1", "CR2", "CR2"), 1):
            receive(site, ledger, image(number), number, sender=sender)
            assert worker(site, ledger, *models.values()).step("work")
    monkeypatch.setattr("pneumoscope.pacs.reprocess.readers.load", lambda node: models)
    assert said("reprocess", "--config", file) == "0 of 0 images wait to be read again\n"
    models["new"] = model("new", sha256="ef" * 32)
    assert said("reprocess", "--config", file) == "2 of 2 images wait to be read again\n"
    (file.parent / "spool" / "1.dcm").unlink()
    assert "0 of 1 images wait to be read again; the files of 1 were removed" in said("reprocess", "--config", file)


def test_explain_says_which_rule_and_what_would_be_sent_where(file, tmp_path):
    file.write_text(
        BASE + '[[rules]]\nname = "room-2"\nae_titles = ["CR2"]\n\n[[rules]]\nname = "children"\nmax_age_years = 16\n'
        '\n[[rules]]\nname = "all"\nviews = ["PA", "AP"]\n',
        encoding="utf-8",
    )
    (tmp_path / "image.dcm").write_bytes(image(PatientAge="062Y"))
    out = said("explain", tmp_path / "image.dcm", "--sender", "CR1", "--config", file)
    assert "rule 'room-2' does not apply: the sender is 'CR1', not one of 'CR2'" in out
    assert "rule 'children' does not apply: the age is outside of the rule's" in out
    assert "rule 'all' applies: read" in out
    assert "model 'lungs' would read it" in out
    assert "sr would go to 'pacs' (C-STORE to PACS at 127.0.0.1:104, profile plain)" in out
    assert "62" not in out
    (tmp_path / "lateral.dcm").write_bytes(image(ViewPosition="LL"))
    out = said("explain", tmp_path / "lateral.dcm", "--config", file)
    assert "accept the image and skip it: no rule applies" in out
    (tmp_path / "text.dcm").write_bytes(b"no image")
    assert said("explain", tmp_path / "text.dcm", "--config", file, code=2)


def test_explain_refuses_what_the_node_would_not_read(file, tmp_path):
    one = tmp_path / "image.dcm"
    one.write_bytes(image(StudyInstanceUID=""))
    assert "Study Instance UID (0020,000D)" in said("explain", one, "--config", file, code=2)
    one.write_bytes(png((np.arange(6400) % 251).reshape(80, 80).astype(np.uint8)))
    assert "this file is none" in said("explain", one, "--config", file, code=2)
    one.write_bytes(image(SOPClassUID="1.2.840.10008.5.1.4.1.1.1.1.1"))
    assert "does not receive the SOP class" in said("explain", one, "--config", file, code=2)


def test_explain_says_that_a_sender_is_not_known(file, tmp_path):
    file.write_text(BASE + '[[peers]]\nae_title = "CR1"\n[[polls]]\nname = "pacs"\nurl = "https://h/x"\n', encoding="utf-8")
    one = tmp_path / "image.dcm"
    one.write_bytes(image())
    assert "'CR9' is no peer and no poll" in said("explain", one, "--sender", "CR9", "--config", file)
    assert "no peer" not in said("explain", one, "--sender", "CR1", "--config", file)
    assert "no peer" not in said("explain", one, "--sender", "pacs", "--config", file)
    assert "'STOW-RS' is no peer" in said("explain", one, "--sender", "STOW-RS", "--config", file)


def test_explain_in_shadow_sends_nothing(file, tmp_path):
    file.write_text("shadow = true" + BASE, encoding="utf-8")
    (tmp_path / "image.dcm").write_bytes(image())
    out = said("explain", tmp_path / "image.dcm", "--config", file)
    assert "model 'lungs' would read it; in shadow mode, nothing would be sent" in out
    assert "would go to" not in out


def test_check_finds_what_is_wrong_with_this_machine(file, tmp_path):
    file.write_text(BASE + "[receive]\nport = 0\n", encoding="utf-8")
    assert "models: 'lungs' is" in said("check", "--config", file)
    authority = trustme.CA()
    old = authority.issue_cert("node.example", not_after=datetime.now(UTC) - timedelta(days=1))
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    old.cert_chain_pems[0].write_to_path(tmp_path / "node.pem")
    old.private_key_pem.write_to_path(tmp_path / "node.key")
    tls = '[receive.tls]\nauthority = "ca.pem"\ncertificate = "node.pem"\nkey = "node.key"\n'
    web = '[[destinations]]\nname = "web"\nprotocol = "stow"\nurl = "https://h/x"\ncredentials = {token_file = "token"}\n'
    file.write_text(
        BASE + f"[receive]\nport = {free_port()}\n" + tls + web + '[[models]]\nname = "own"\nbundle = "missing"\n',
        encoding="utf-8",
    )
    out = said("check", "--config", file, code=2)
    wrong = [line for line in out.splitlines() if line.startswith("WRONG")]
    assert len(wrong) == 3, out
    assert any("a certificate in 'node.pem' has expired" in line for line in wrong)
    assert any("models: " in line for line in wrong)
    assert any("'web': " in line and "token" in line for line in wrong)
    assert "no peer is named" in out


def test_check_names_the_file_of_a_certificate_that_is_missing(file):
    tls = '[receive.tls]\nauthority = "ca.pem"\ncertificate = "node.pem"\nkey = "node.key"\n'
    file.write_text(BASE + f"[receive]\nport = {free_port()}\n" + tls, encoding="utf-8")
    assert f"WRONG  listener: '{file.parent / 'ca.pem'}' cannot be used" in said("check", "--config", file, code=2)
    ris = '[[notifications]]\nname = "ris"\nprotocol = "hl7"\nhost = "h"\nport = 2575\ntls = {authority = "ca.pem"}\n'
    file.write_text(BASE + ris, encoding="utf-8")
    assert str(file.parent / "ca.pem") in said("echo", "ris", "--config", file, code=2)


def test_check_says_that_a_secret_is_no_text(file):
    (file.parent / "token").write_bytes(b"\xff\xfe")
    web = '[[destinations]]\nname = "web"\nprotocol = "stow"\nurl = "https://h/x"\ncredentials = {token_file = "token"}\n'
    file.write_text(BASE + "[receive]\nport = 0\n" + web, encoding="utf-8")
    assert f"WRONG  'web': '{file.parent / 'token'}' cannot be used (it is no text)" in said("check", "--config", file, code=2)


@pytest.mark.parametrize(
    ("token", "sentence"), [(None, "cannot be read (FileNotFoundError)"), ("\n", "is empty; write a token there")]
)
def test_check_reads_the_token_of_the_listener(file, token, sentence):
    if token is not None:
        (file.parent / "token").write_text(token, encoding="ascii")
    listen = f'[receive]\nport = 0\nstow_port = {free_port()}\nstow_token_file = "token"\n'
    file.write_text(BASE + listen, encoding="utf-8")
    out = said("check", "--config", file, code=2)
    assert re.search(rf"^WRONG  listener: the .*'stow_token_file' {re.escape(sentence)}$", out, re.M), out
    (file.parent / "token").write_text("s3cret\n", encoding="ascii")
    out = said("check", "--config", file)
    assert "ok     listener: the token can be read" in out
    assert "s3cret" not in out


def test_check_says_which_rules_can_never_decide_and_that_a_reference_is_to_come(file):
    rules = '[[rules]]\nname = "room-2"\nae_titles = ["CR2", "CR1", "STOW-RS", "archive"]\n[[rules]]\nname = "all"\n'
    late = '[[rules]]\nname = "lateral"\naction = "skip"\nreason = "no"\nviews = ["LL"]\n[drift]\nreference_from = "2999-01-01"\n'
    known = '[[peers]]\nae_title = "CR1"\n[[polls]]\nname = "archive"\nurl = "https://h/x"\n[receive]\nport = 0\n'
    file.write_text(BASE + known + rules + late, encoding="utf-8")
    out = said("check", "--config", file)
    assert "look at this: the rule 'room-2' names the sender 'CR2', which is no peer and no poll" in out
    assert "the sender 'STOW-RS', which" in out, "nothing listens for STOW-RS"
    assert "'CR1'" not in out
    assert "'archive'" not in out
    assert "look at this: the rule 'all' applies to every image, so that no rule after it decides" in out
    assert "look at this: no drift is judged before 2999-01-01, the 'reference_from' of [drift]" in out


def test_check_has_no_advice_about_rules_in_order(file):
    rules = '[[rules]]\nname = "lateral"\naction = "skip"\nreason = "no"\nviews = ["LL"]\n[[rules]]\nname = "all"\n'
    file.write_text(BASE + "[receive]\nport = 0\n[drift]\nreference_from = '2020-01-01'\n" + rules, encoding="utf-8")
    out = said("check", "--config", file)
    assert "the rule" not in out
    assert "drift" not in out


def test_explain_names_only_destinations_that_get_objects_by_the_rule(file, tmp_path):
    told = '[[notifications]]\nname = "ris"\nprotocol = "hl7"\nhost = "127.0.0.1"\nport = 2575\nafter = ["pacs"]\n'
    file.write_text(BASE + told + '[[rules]]\nname = "all"\ndestinations = ["ris"]\n', encoding="utf-8")
    (tmp_path / "image.dcm").write_bytes(image())
    out = said("explain", tmp_path / "image.dcm", "--config", file)
    assert "'ris' would be told (HL7 v2 by MLLP to 127.0.0.1:2575)" in out
    assert "stored the objects" not in out


def test_echo_asks_each_destination(file):
    with FakeDimse() as pacs, FakeStow() as web:
        text = BASE.replace("port = 104", f"port = {pacs.port}")
        text += f'[[destinations]]\nname = "web"\nprotocol = "stow"\nurl = "http://127.0.0.1:{web.port}/dicom-web"\n'
        file.write_text(text, encoding="utf-8")
        assert said("echo", "--config", file).count("ok ") == 2
        assert said("echo", "web", "--config", file).count("ok ") == 1
        web.search_status = 503
        assert "'web' answers with status 503" in said("echo", "--config", file, code=2)
        assert "there is no destination 'x'" in said("echo", "x", "--config", file, code=2)


def test_the_support_bundle_names_no_one(filled, tmp_path):
    filled.write_text(
        filled.read_text("utf-8") + '[[peers]]\nae_title = "MODALITY7"\naddresses = ["10.1.2.3"]\n', encoding="utf-8"
    )
    said("drop", "images", "2", "3", "--reason", "sent for Jane Roe", "--config", filled)
    said("support-bundle", tmp_path / "bundle.zip", "--config", filled)
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist()}
    assert set(texts) == {"README.txt", "status.txt", "reasons.json", "settings.json", "versions.json"}
    everything = "".join(texts.values())
    named = ("MODALITY7", "10.1.2.3", "'pacs'", '"pacs"', str(tmp_path))
    assert not [text for text in (*SECRETS[:-1], *named) if text in everything]
    reasons = json.loads(texts["reasons.json"])
    assert any(one["state"] == "dead" for one in reasons["deliveries"])
    assert "Roe" not in everything
    dropped = {
        "state": "dropped",
        "reason": f"a text of the site, {pseudonym('0123456789abcdef', 'sent for Jane Roe')}",
        "number": 2,
    }
    assert dropped in reasons["images"]


def test_reconcile_without_a_poll_says_what_to_add(file):
    assert said("reconcile", "--config", file) == "no PACS is polled; add a table [[polls]] to the configuration\n"


def test_reconcile_reports_about_each_service_though_another_one_is_down(file, monkeypatch):
    def compared(node, ledger):
        (poll,) = node.polls
        if poll.name == "down":
            raise UnreachableError("the DICOMweb server http://127.0.0.1:1 could not be reached")
        return [f"'{poll.name}': 3 in the PACS, 3 read"]

    monkeypatch.setattr("pneumoscope.cli.node_tools.reconciled", compared)
    polls = "".join(f'[[polls]]\nname = "{name}"\nurl = "http://127.0.0.1:1/x"\n' for name in ("down", "up"))
    file.write_text(BASE + polls, encoding="utf-8")
    out = said("reconcile", "--config", file, code=2)
    assert "'up': 3 in the PACS, 3 read" in out
    assert "WRONG  'down': the DICOMweb server http://127.0.0.1:1 could not be reached" in out


def test_a_configuration_that_is_not_there_is_one_sentence(tmp_path):
    assert "there is no configuration" in said("status", "--config", tmp_path / "node.toml", code=2)
    assert "there is no configuration" in said("--config", tmp_path / "node.toml", code=2)
