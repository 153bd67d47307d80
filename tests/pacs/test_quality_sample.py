"""The quality sample: random and reproducible, from the node to the readers of a study, who see nothing of the model."""

import csv
import errno
import json
import random
import re
import stat
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from pneumoscope.pacs import config
from pneumoscope.pacs.errors import ConfigError, NodeError
from pneumoscope.pacs.ledger import Ledger
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.quality_export import APART, STUDY, export
from pneumoscope.pacs.quality_sample import consider, draw, sampled
from pneumoscope.pacs.status import status
from pneumoscope.reader_study.folder import open_study
from pneumoscope.reader_study.room import reader_link
from tests.cli.run import run
from tests.dicom_objects.builders import COLS, ROWS
from tests.pacs.builders import arrival
from tests.pacs.node_parts import BASE, node, receive, worker
from tests.radiograph.builders import PATIENT, cr, written
from tests.web.study_http import Client, serving

WEEK = 7 * 86400.0
IN_WEEK_5 = datetime(2026, 1, 28, tzinfo=UTC).timestamp()
RATE = "[quality_sample]\nrate = {rate}\n"


def instances(ledger, clock, count, weeks=1):
    """Instances that arrived in one week after the other."""
    made = []
    for number in range(1, count + 1):
        clock.now = IN_WEEK_5 + number % weeks * WEEK
        made.append(ledger.instance(ledger.record_instance(arrival(number)).instance_id))
    return made


def names(site):
    return [str(file.relative_to(site.spool_folder / "quality-sample")) for file in sampled(site)]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("", "give either 'rate', a share of the radiographs, or 'per_week'"),
        ("rate = 0.1\nper_week = 3", "give either 'rate'"),
        ("rate = 2.0", "'rate' must be 0 to 1"),
        ("rate = 0.1\nby_decision = true", "'by_decision' needs 'per_week'"),
    ],
)
def test_a_sample_that_cannot_be_drawn_is_refused(tmp_path, settings, sentence):
    with pytest.raises(ConfigError, match=sentence):
        node(tmp_path, f"[quality_sample]\n{settings}\n")


def test_without_the_setting_nothing_is_kept(tmp_path, ledger, clock):
    site = node(tmp_path)
    assert not any(consider(site, one, b"pixels", "positive") for one in instances(ledger, clock, 3))
    assert not site.spool_folder.exists()


def test_the_numbers_are_uniform_and_follow_from_image_salt_and_seed(tmp_path):
    site = node(tmp_path, RATE.format(rate=0.5))
    drawn = [int(draw(site, f"1.2.3.{number}"), 16) / 2**64 for number in range(2000)]
    shares = np.histogram(drawn, 10, (0, 1))[0] / 2000
    assert np.abs(shares - 0.1).max() < 0.03, "4.5 standard errors"
    assert draw(site, "1.2.3.1") == draw(node(tmp_path, RATE.format(rate=0.1)), "1.2.3.1")
    other_seed = node(tmp_path, RATE.format(rate=0.5) + 'seed = "2"\n')
    assert len({draw(site, "1.2.3.1"), draw(other_seed, "1.2.3.1"), draw(replace(site, salt="x" * 16), "1.2.3.1")}) == 3


def test_a_rate_takes_the_same_images_in_any_order_and_those_of_a_lower_rate_among_them(tmp_path, ledger, clock):
    images = instances(ledger, clock, 60)
    sites = [node(tmp_path / name, RATE.format(rate=rate)) for name, rate in (("a", 0.4), ("b", 0.4), ("c", 0.2))]
    for one in images:
        consider(sites[0], one, b"pixels", "positive")
    for one in random.Random(3).sample(images, 60) * 2:
        consider(sites[1], one, b"pixels", "negative")
        consider(sites[2], one, b"pixels", "positive")
    assert names(sites[0]) == names(sites[1])
    assert set(names(sites[2])) < set(names(sites[0]))
    assert 10 <= len(names(sites[0])) <= 38


def test_a_number_a_week_is_the_same_in_any_order(tmp_path, ledger, clock):
    images = instances(ledger, clock, 40, weeks=2)
    sites = [node(tmp_path / name, "[quality_sample]\nper_week = 5\n") for name in ("a", "b")]
    for site, seed in zip(sites, (1, 2), strict=True):
        for one in random.Random(seed).sample(images, 40):
            consider(site, one, b"pixels", "positive")
    assert names(sites[0]) == names(sites[1])
    assert [name.split("/")[0] for name in names(sites[0])] == ["2026-W05"] * 5 + ["2026-W06"] * 5
    smallest = sorted(draw(sites[0], one.sop_instance_uid) for one in images if one.received_at == IN_WEEK_5)[:5]
    assert [name[9:25] for name in names(sites[0])][:5] == smallest


def test_a_number_a_week_of_each_decision(tmp_path, ledger, clock):
    site = node(tmp_path, "[quality_sample]\nper_week = 3\nby_decision = true\n")
    for number, one in enumerate(instances(ledger, clock, 30)):
        consider(site, one, b"pixels", "positive" if number % 10 == 0 else "negative")
    assert [name.split("/")[1] for name in names(site)] == ["negative"] * 3 + ["positive"] * 3


def test_weeks_are_chosen_by_their_moments(tmp_path, ledger, clock):
    site = node(tmp_path, RATE.format(rate=1.0))
    for one in instances(ledger, clock, 3, weeks=3):
        consider(site, one, b"pixels", "positive")
    chosen = {file.parent.name for file in sampled(site, IN_WEEK_5 + WEEK, IN_WEEK_5 + 2 * WEEK)}
    assert chosen == {"2026-W06"}
    assert len(sampled(site)) == 3


# From the node to the readers.


def radiograph(number):
    """A radiograph of a patient of its own."""
    noise = np.random.default_rng(number).integers(0, 90, (ROWS, COLS))
    grey = np.linspace(0, 4000, ROWS * COLS).reshape(ROWS, COLS) + noise
    uids = {
        "StudyInstanceUID": f"1.2.3.{number}.1",
        "SeriesInstanceUID": f"1.2.3.{number}.2",
        "SOPInstanceUID": f"1.2.3.{number}.3",
    }
    stated = {"BodyPartExamined": "CHEST", "ViewPosition": "PA", "PatientOrientation": ["L", "F"], "BurnedInAnnotation": "NO"}
    patient = {"PatientID": f"MRN-{number}", "DeviceSerialNumber": "SN-4711"}
    return written(cr(grey.astype(np.uint16), **uids | stated | patient))


def read_and_keep(folder, count):
    """A node that has read radiographs, and has kept all of them."""
    file = folder / "node.toml"
    file.write_text(BASE + RATE.format(rate=1.0), encoding="utf-8")
    site = config.read(file)
    with Ledger.open(site.ledger_url) as ledger:
        for number in range(1, count + 1):
            receive(site, ledger, radiograph(number), number)
            assert worker(site, ledger).step("work")
    return file


@pytest.fixture
def filled(tmp_path):
    """A node that has kept three radiographs."""
    return read_and_keep(tmp_path, 3)


def test_a_full_disk_lets_the_image_wait(tmp_path, ledger, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    site = node(tmp_path, RATE.format(rate=1.0))
    receive(site, ledger, radiograph(1), 1)
    with monkeypatch.context() as patched:
        patched.setattr("pneumoscope.pacs.quality_sample.atomic_files.binary", full)
        assert worker(site, ledger).step("work")
    (waiting,) = ledger.instances()
    assert (waiting.state, waiting.reason.partition(";")[0]) == (
        "received",
        "results cannot be written (no space left on device)",
    )
    assert ledger.readings_of(waiting.id) == []


def test_an_image_that_is_read_again_is_not_taken_again(filled):
    site = config.read(filled)
    assert len(sampled(site)) == 3
    for file in sampled(site):
        file.unlink()
    with Ledger.open(site.ledger_url) as ledger:
        ledger.requeue("instances", [1])
        assert worker(site, ledger).step("work")
    assert sampled(site) == []


def test_the_status_counts_what_waits_to_be_exported(filled):
    site = config.read(filled)
    with Ledger.open(site.ledger_url) as ledger:
        assert "quality sample: 3 radiographs are kept" in status(site, ledger)[-1]


def test_an_export_needs_images_and_an_empty_folder(filled, tmp_path):
    site = config.read(filled)
    with Ledger.open(site.ledger_url) as ledger:
        with pytest.raises(NodeError, match="no radiograph to export"):
            export(site, ledger, [], tmp_path / "out")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "x").touch()
        with pytest.raises(NodeError, match="is not empty; name a new one"):
            export(site, ledger, sampled(site), tmp_path / "out")


def test_a_file_that_is_no_image_is_left_out_and_stays(filled, tmp_path):
    site = config.read(filled)
    broken = sampled(site)[0]
    broken.write_bytes(b"no image")
    ran = run("node", "quality-sample", tmp_path / "out", "--remove", "--config", filled)
    assert ran.code == 1
    assert f"left out: {broken.name[:12]}: " in ran.err
    assert sampled(site) == [broken]
    assert len(list((tmp_path / "out" / STUDY / "radiographs").iterdir())) == 2


def test_the_sample_becomes_a_study_whose_readers_are_blinded(tmp_path):
    filled = read_and_keep(tmp_path, 20)
    out = tmp_path / "out"
    ran = run("node", "quality-sample", out, "--config", filled)
    assert ran.code == 0, ran.err
    assert f"{out}: 20 radiographs" in ran.out
    assert stat.S_IMODE((out / APART / "deidentification.key").stat().st_mode) & 0o077 == 0
    _check_nobody_is_named(out)
    _check_model_is_apart(out, config.read(filled))
    study = out / STUDY
    _label(study / "labels.csv")
    _make_study(study)
    ran = run("study", "check", study)
    assert ran.code == 0, ran.out + ran.err
    assert "20 cases, 10 with pneumonia" in ran.out
    ran = run("study", "launch", study)
    assert ran.code == 0, ran.out + ran.err
    _read_a_case(study)


def _check_nobody_is_named(out):
    for file in filter(lambda one: one.is_file(), out.rglob("*")):
        content = file.read_bytes().decode("latin-1")
        named = (*PATIENT.values(), "Jane", "MRN-", "1.2.3.", "SN-4711", "0123456789abcdef")
        assert not [name for name in named if name in content], file.name
        if file.suffix == ".dcm":
            assert dcmread(file).PatientIdentityRemoved == "YES"


def _check_model_is_apart(out, site):
    """What the model said lies in its own folder, under the names of the study."""
    shown = "".join(file.read_text(encoding="utf-8") for file in (out / STUDY).glob("*.*"))
    assert not re.search(r"probability|2026-W", shown)
    lines = [json.loads(line) for line in (out / APART / "readings.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["path"] for line in lines} == {file.name for file in (out / STUDY / "radiographs").iterdir()}
    with (out / APART / "images.csv").open(encoding="utf-8") as stream:
        images = {row["image"] for row in csv.DictReader(stream)}
    assert images == {pseudonym(site.salt, f"1.2.3.{number}.3") for number in range(1, 21)}


def _label(labels):
    """Write the reference standard, as a person would."""
    with labels.open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len({row["patient_id"] for row in rows}) == 20
    assert {row["label"] for row in rows} == {""}
    with labels.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0].keys())
        writer.writeheader()
        writer.writerows(row | {"label": ("NORMAL", "PNEUMONIA")[k % 2]} for k, row in enumerate(rows))


def _make_study(study):
    """The cohort, and an overlay of each radiograph for the aided arm."""
    ran = run("cohort", "build", study / "labels.csv", "--root", study / "radiographs", "-o", study / "cohort.csv")
    assert ran.code == 0, ran.err
    for case in (study / "radiographs").iterdir():
        overlay = study / "aid" / "maps" / f"{case.name}.png"  # as pneumoscope read names them
        overlay.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((ROWS, COLS, 4), np.uint8)).save(overlay)


def _read_a_case(folder):
    """A reader opens the first radiograph; nothing that the server says is of the model or of the patient."""
    study = open_study(folder)
    with closing(study.journal), serving(study) as port:
        reader = Client(port, reader_link(study.key, "R1"))
        view = reader.view()
        assert reader.case(view, "film").status == 200
        assert reader.opened(view)
    told = "".join(answer.readable for answer in reader.answers)
    assert not [word for word in ("probability", "lungs", "MRN-", "ANON-", "2026-W") if word in told]
