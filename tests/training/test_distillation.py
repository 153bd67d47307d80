"""A second stage learns from the first one's heat maps: the loss by hand, whom it takes for a teacher, what the card says."""

import dataclasses
import hashlib
import math

import numpy as np
import pytest
import torch

from pneumoscope import radiograph
from pneumoscope.classifier import BACKBONES, Calibration, WeightsError
from pneumoscope.classifier.checkpoint import WEIGHTS_NAME, load
from pneumoscope.classifier.network import build
from pneumoscope.classifier.weights import initialize
from pneumoscope.export.graph import export
from pneumoscope.lung_fields import LungFinder
from pneumoscope.reader import Reader
from pneumoscope.training import TrainingError, batches, evidence_losses, loss
from pneumoscope.training import fit as fitting
from pneumoscope.training.distillation import Lessons, lessons, taught_by
from pneumoscope.training.evidence_losses import teacher_loss
from pneumoscope.training.fit import fit
from pneumoscope.training.loss import of_recipe
from pneumoscope.training.prepared_split import prepare_split, preprocessing_of
from pneumoscope.training.recipe import Distillation, Recipe, recipe

SMALL = {"size_px": 64, "batch": 4, "epochs": 1, "painted_negatives": 2, "painted_positives": 1}
BACKBONE = BACKBONES["mobilenet_v2"]


@pytest.fixture(scope="module")
def finder():
    return LungFinder.load(threads=1)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def first_stage(cohort, cache, finder, tmp_path_factory):
    """The folder of a checkpoint of `evidence`."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("first") / "run"
    fit(cohort, BACKBONE, recipe("evidence", **SMALL), out, init="scratch", cache=cache, finder=finder)
    return out


@pytest.fixture(scope="module")
def teacher(first_stage, cohort, cache, finder, tmp_path_factory):
    """The first stage as a bundle, its normalizations and its evidence brought to the cohort: nine steps leave its map flat."""
    classifier = load(first_stage)
    side = prepare_split(cohort, "tune", classifier.card.preprocessing, cache, finder=finder)
    squares, network = side.squares.astype(np.float32) / np.float32(255), classifier.network.train()
    with torch.no_grad():
        for module in network.modules():
            module.momentum = 1.0  # of batch norms; others have none
        network.cells(torch.from_numpy(squares[:, :1]))
        std, mean = torch.std_mean(network.eval().cells(torch.from_numpy(squares[:, :1])))
        network.evidence.weight /= std
        network.evidence.bias.copy_((network.evidence.bias - mean) / std)
    bundle = tmp_path_factory.mktemp("teacher") / "bundle"
    card = dataclasses.replace(classifier.card, map_scale=2.0)  # the temperature of a flat map's calibration is anything
    export(
        dataclasses.replace(classifier, card=card), bundle, [radiograph.read(cohort.file(case)) for case in cohort.on("tune")[:2]]
    )
    return Reader.load(bundle, threads=1)


def train(cohort, out, cache, finder, name="evidence-taught", init="scratch", teacher=None, **changes):
    chosen = recipe(name, **{**SMALL, **changes})
    return fit(cohort, BACKBONE, chosen, out, init=init, cache=cache, finder=finder, teacher=teacher)


# The loss


def test_the_teachers_loss_by_hand():
    """Evidence 0 costs log 2 wherever the teacher is sure. Taught 1, 0, ½ and ¾ the weights are 1, 1, 0 and ½; of evidence
    z = log 3 (probability ¾) in the first cell it costs −log ¾."""
    taught = torch.tensor([[[1.0, 0.0], [0.5, 0.75]]])
    cells = torch.tensor([[[math.log(3), 0.0], [5.0, 0.0]]])
    expected = (-math.log(0.75) + math.log(2) + 0.5 * math.log(2)) / 2.5
    assert teacher_loss(cells, taught, torch.tensor([1])).item() == pytest.approx(expected, rel=1e-5)


def test_without_the_target_no_cell_is_opaque_whatever_the_teacher_says():
    """All four cells are taught 0 with weight 1: evidence log 3 costs −log ¼, evidence 0 costs log 2."""
    taught = torch.tensor([[[1.0, 0.0], [0.5, 0.75]]])
    cells = torch.tensor([[[math.log(3), 0.0], [0.0, 0.0]]])
    expected = (math.log(4) + 3 * math.log(2)) / 4
    assert teacher_loss(cells, taught, torch.tensor([0])).item() == pytest.approx(expected, rel=1e-5)
    both = teacher_loss(cells.expand(2, 2, 2), taught.expand(2, 2, 2), torch.tensor([0, 1]))
    positive = -math.log(0.75) + math.log(2) + 0.5 * math.log(2)
    assert both.item() == pytest.approx((4 * expected + positive) / 6.5, rel=1e-5)


def test_a_teacher_that_knows_nothing_teaches_nothing():
    cells = torch.ones(1, 2, 2, requires_grad=True)
    value = teacher_loss(cells, torch.full((1, 2, 2), 0.5), torch.tensor([1]))
    value.backward()
    assert value.item() == 0
    assert not cells.grad.any()


def test_a_step_adds_the_teachers_loss_times_its_weight():
    """Of the third channel's means over the cells; without augmentation and painting nothing is drawn by chance but dropout."""
    torch.manual_seed(0)
    network = build(BACKBONE, "evidence").eval()
    squares, target = torch.rand(4, 3, 64, 64), torch.arange(4) % 2
    plain = Recipe("plain", head="evidence", crop="lungs", augmentation="none", loss="cross-entropy", batch=4)
    criterion = of_recipe(plain, np.array([0, 1]))
    empty = squares[:0], target[:0]
    values = [
        evidence_losses.step_loss(
            network, network.cells, squares, target, *empty, criterion, dataclasses.replace(plain, distillation=Distillation(w))
        ).item()
        for w in (0.0, 0.5, 2.0)
    ]
    taught = squares[:, 2].reshape(4, 8, 8, 8, 8).mean((2, 4))
    expected = teacher_loss(network.cells(squares[:, :1]), taught, target).item()
    assert expected > 0.1
    assert values[1] - values[0] == pytest.approx(0.5 * expected, rel=1e-4)
    assert values[2] - values[0] == pytest.approx(2 * expected, rel=1e-4)


# The run


def test_without_a_teacher_it_ends_in_a_sentence(cohort, cache, finder, tmp_path):
    with pytest.raises(TrainingError, match=r"'evidence-taught' learns from a teacher; give its bundle"):
        train(cohort, tmp_path / "run", cache, finder)
    assert not (tmp_path / "run").exists()


def test_a_teacher_of_another_view_has_no_map_to_learn_from(cohort, cache, finder, glass, tmp_path):
    with pytest.raises(TrainingError, match=r"needs a teacher with an evidence head over the same crop \(lungs\)"):
        train(cohort, tmp_path / "run", cache, finder, teacher=Reader.load(glass, threads=1))
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def second_stage(cohort, cache, finder, first_stage, teacher, tmp_path_factory):
    """A taught run that starts from its teacher at a rate that moves nothing; its folder and what a step was given."""
    given, step_loss = [], evidence_losses.step_loss

    def watched(network, cells_of, squares, target, *rest):
        given.append((squares.clone(), target.clone(), rest[0].clone()))
        return step_loss(network, cells_of, squares, target, *rest)

    out = tmp_path_factory.mktemp("second") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence_losses, "step_loss", watched)
        init = str(first_stage / WEIGHTS_NAME)
        train(cohort, out, cache, finder, init=init, teacher=teacher, rate=1e-12, head_rate=1.0)
    return out, given


def test_the_card_names_the_teacher_and_the_checkpoint_that_it_started_from(second_stage, first_stage, teacher):
    card = load(second_stage[0]).card
    start = hashlib.sha256((first_stage / WEIGHTS_NAME).read_bytes()).hexdigest()[:12]
    assert card.init == f"checkpoint {start}; teacher mobilenet_v2-evidence ({teacher.model.sha256[:12]})"
    assert card.recipe["teacher_weight"] == 0.5
    assert (card.map_method, card.preprocessing.lungs) == ("evidence", teacher.card.preprocessing.lungs)


def test_the_start_from_a_checkpoint_takes_its_head_along(second_stage, first_stage):
    """At a rate of 1e-12 the parameters of the run are still those that it started from."""
    there, here = dict(load(first_stage).network.named_parameters()), dict(load(second_stage[0]).network.named_parameters())
    assert there.keys() == here.keys()
    assert all(torch.allclose(there[k], here[k], atol=1e-8) for k in there)
    torch.manual_seed(recipe("evidence-taught").seed)
    fresh = dict(build(BACKBONE, "evidence").named_parameters())
    assert not torch.allclose(fresh["evidence.weight"], here["evidence.weight"], atol=1e-4)


def test_a_checkpoint_of_the_same_head_is_taken_whole_and_one_of_another_is_refused(first_stage):
    """Running means are taken as well. A linear head has other keys, and the file's trunk goes by the name `model.`."""
    with pytest.raises(WeightsError, match=r"are not those of mobilenet_v2: \d+ tensors are missing"):
        initialize(build(BACKBONE, "linear"), BACKBONE, str(first_stage / WEIGHTS_NAME))
    network = build(BACKBONE, "evidence")
    assert initialize(network, BACKBONE, str(first_stage / WEIGHTS_NAME)).startswith("checkpoint ")
    saved = load(first_stage).network.state_dict()
    assert all(torch.equal(v, saved[k]) for k, v in network.state_dict().items())


def test_every_step_gets_grey_lungs_and_the_teachers_map(second_stage, cohort, cache, finder, teacher):
    """The third channel of each square is the mean of the teacher's map and of the mirrored square's mirrored map, in [0, 1].

    By the teacher's own card: evidence over temperature through the logistic function, linear in between, 256 levels.
    """
    given = second_stage[1]
    assert given
    for squares, _, canvas in given:
        assert (squares.shape, canvas.shape) == ((4, 3, 64, 64), (3, 3, 64, 64))
    cases = cohort.on("train")
    side = prepare_split(cohort, "train", teacher.card.preprocessing, cache, finder=finder)
    for square in given[0][0][:2]:
        grey = np.rint(square[0].numpy() * 255).astype(int)
        (index,) = [k for k, own in enumerate(side.squares) if (own[0] == grey).all()]
        two = teacher.square(radiograph.read(cohort.file(cases[index])))[None]
        straight = teacher.explain(two)[1][0]
        mirrored = teacher.explain(np.ascontiguousarray(two[..., ::-1]))[1][0][:, ::-1]
        raw = (straight.astype(np.float64) + mirrored) / 2
        at = np.clip((np.arange(64) + 0.5) / 64 * len(raw) - 0.5, 0, len(raw) - 1)
        rows = np.stack([np.interp(at, np.arange(len(raw)), column) for column in raw.T], 1)
        whole = np.stack([np.interp(at, np.arange(len(raw)), row) for row in rows])
        expected = 1 / (1 + np.exp(-whole / teacher.card.map_scale))
        np.testing.assert_allclose(square[2].numpy(), expected, atol=0.6 / 255)
    assert np.ptp(given[0][0][:, 2].numpy()) > 0.1


def test_what_is_taught_stands_beside_the_squares(cohort, cache, finder, teacher):
    side = prepare_split(cohort, "train", teacher.card.preprocessing, cache, finder=finder)
    told = lessons(teacher, cohort, cohort.on("train"), cache)
    found = fitting._taught(side, recipe("evidence-taught", **SMALL), teacher.card, told)
    assert (found.squares.shape[1], found.squares.dtype, found.taught) == (3, np.uint8, None)
    np.testing.assert_array_equal(found.squares[:, :2], side.squares)
    np.testing.assert_array_equal(found.reference, side.reference)


# Distillation


def test_distillation_by_hand():
    """At T = 2 a teacher's log-odds of 2·log 3 are ¾ and the learner's of 0 are ½: CE = log 2, times w T² = 0.5 · 4; at the
    teacher's own log-odds CE is the entropy of ¾."""
    r = Distillation(distillation_weight=0.5, distillation_temperature=2.0)
    taught = torch.tensor([2 * math.log(3)])
    both = loss.beside_teacher(lambda logits, target: torch.tensor(10.0), taught, r)
    assert both(torch.tensor([[1.0, 1.0]]), torch.tensor([1])).item() == pytest.approx(10 + 2 * math.log(2), rel=1e-6)
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    at = both(torch.tensor([[0.0, 2 * math.log(3)]]), torch.tensor([1])).item()
    assert at == pytest.approx(10 + 2 * entropy, rel=1e-6)


def test_lessons_are_the_calibrated_log_odds_of_both_orientations_and_are_kept(cohort, glass, tmp_path, monkeypatch, caplog):
    """Means over the square and its mirror image; read once, then from the cache; damaged ones are read again with a line."""
    reader = Reader.load(glass, threads=1)
    cases = cohort.on("train")[:3]
    found = lessons(reader, cohort, cases, tmp_path)
    for case, told in zip(cases, found.log_odds, strict=True):
        square = reader.square(radiograph.read(cohort.file(case)))
        both = reader.log_odds(np.stack([square, square[..., ::-1]]))
        p = reader.card.calibration(np.array([both.mean()]))[0]
        assert told == pytest.approx(np.log(p / (1 - p)), rel=1e-4)
    monkeypatch.setattr(reader, "explain", None)
    np.testing.assert_array_equal(lessons(reader, cohort, cases, tmp_path).log_odds, found.log_odds)
    (file,) = tmp_path.glob("lessons-*.npy")
    file.write_bytes(file.read_bytes()[:100])
    monkeypatch.undo()
    np.testing.assert_array_equal(lessons(reader, cohort, cases, tmp_path).log_odds, found.log_odds)
    assert "(lessons of a teacher) is damaged" in caplog.text


def test_lessons_of_other_cases_or_of_another_calibration_are_read_anew(cohort, glass, tmp_path):
    """A table without hashes of the pixels; the teacher's calibration is in its card and not in its graph."""
    cases = [dataclasses.replace(case, pixel_sha256="") for case in cohort.on("train")]
    reader = Reader.load(glass, threads=1)
    first, other = lessons(reader, cohort, cases[:2], tmp_path), lessons(reader, cohort, cases[2:4], tmp_path)
    assert not np.array_equal(first.log_odds, other.log_odds)
    reader.card = dataclasses.replace(reader.card, calibration=Calibration("temperature", 7.0))
    assert not np.array_equal(lessons(reader, cohort, cases[:2], tmp_path).log_odds, first.log_odds)


def test_a_recipe_that_gives_a_teacher_no_weight_gets_the_usual_ones(glass, teacher, finder):
    """A whole-image learner takes the probabilities of any reader; a learner of the same square takes its evidence as well."""
    whole, seen = Reader.load(glass, threads=1), preprocessing_of
    plain, lungs = recipe("default", size_px=64), recipe("evidence", **SMALL)
    assert taught_by(plain, None, seen(plain, None)) == plain
    taught = taught_by(plain, whole, seen(plain, None))
    assert taught.distillation == Distillation(teacher_weight=0.0, distillation_weight=1.0)
    assert taught_by(taught, whole, seen(plain, None)) == taught
    assert taught_by(lungs, whole, seen(lungs, finder)).distillation.teacher_weight == 0
    both = taught_by(dataclasses.replace(lungs, size_px=96), teacher, seen(lungs, finder))
    assert both.distillation == Distillation(teacher_weight=0.5, distillation_weight=1.0)


@pytest.mark.slow
def test_a_learner_comes_nearer_to_what_its_teacher_says(cohort, cache, tmp_path, monkeypatch):
    """Labels say nothing here (they are shuffled and weigh little), the lessons are the true ones."""
    reference = np.array([c.reference for c in cohort.on("train")])
    told = Lessons(np.where(reference, 4.0, -4.0).astype(np.float32), np.zeros((len(reference), 1, 1), np.float32))
    monkeypatch.setattr(fitting, "lessons", lambda *_, **__: told)
    chosen = Recipe(
        "r",
        size_px=32,
        batch=8,
        epochs=6,
        labels="shuffled",
        distillation=Distillation(distillation_weight=20.0),
        rate=2e-3,
        head="linear",
        augmentation="none",
    )
    steps = []

    class Teacher:
        model = type("M", (), {"sha256": "f" * 64})
        card = type("C", (), {"name": "t", "preprocessing": None, "map_method": "grad-cam"})
        trained_on = ()

    monkeypatch.setattr(fitting, "taught_by", lambda r, *_: r)
    card = fit(
        cohort,
        BACKBONES["resnet18"],
        chosen,
        tmp_path / "run",
        init="scratch",
        cache=cache,
        teacher=Teacher,
        on_epoch=steps.append,
    )
    assert card.init == f"scratch; teacher t ({'f' * 12})"
    assert steps[-1].loss < steps[0].loss
    assert steps[-1].tune_auc > 0.8


def test_a_run_goes_on_with_its_own_teacher_only(cohort, cache, finder, first_stage, teacher, tmp_path, monkeypatch):
    """What a run depends on is kept with it: without the teacher's hash a run could be resumed under another one."""
    hashes = []

    def stopped(network, run, resume):
        hashes.append(run.sha256)
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "_epochs", stopped)
    for k in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(cohort, tmp_path / "run", cache, finder, teacher=teacher)
        if k == 0:
            monkeypatch.setattr(teacher, "model", type(teacher.model)("other", "f" * 64))
    assert len(set(hashes)) == 2


# Labels that mean nothing


def test_shuffled_labels_are_those_of_the_train_side_alone(cohort, cache, tmp_path, monkeypatch):
    """The batches are drawn by a permutation of the train side's reference, the tune side is measured by its own."""
    drawn, tuned = [], []
    make, auc = batches.batches, fitting.roc_auc_score

    def watched(chosen, store, pool, epoch, *rest):
        drawn.append(pool.reference)
        return make(chosen, store, pool, epoch, *rest)

    monkeypatch.setattr(batches, "batches", watched)
    monkeypatch.setattr(fitting, "roc_auc_score", lambda reference, z: tuned.append(reference) or auc(reference, z))
    for labels in ("reference", "shuffled"):
        chosen = recipe("default", size_px=32, batch=4, epochs=1, labels=labels)
        card = fit(cohort, BACKBONE, chosen, tmp_path / labels, init="scratch", cache=cache)
        assert card.recipe["labels"] == labels
    train_reference, tune_reference = ([c.reference for c in cohort.on(side)] for side in ("train", "tune"))
    assert drawn[0].tolist() == train_reference
    assert drawn[1].tolist() != train_reference
    assert sorted(drawn[1].tolist()) == sorted(train_reference)
    assert [t.tolist() for t in tuned] == [tune_reference] * 2
