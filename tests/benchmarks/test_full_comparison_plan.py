"""The budget and the order of the full comparison."""

import pytest
from full_comparison import plan
from full_comparison.plan import Job


def job(name: str = "resnet18", epochs: int = 20, **more: object) -> Job:
    return Job(name, "whole", "scratch", epochs, 1e-3, **more)  # type: ignore[arg-type]  # tests give fields by name


RATES = {"resnet18-whole": 1000.0}


def test_a_training_that_fits_gets_what_it_wants_and_at_most_half_as_much_again() -> None:
    # 20 epochs of 1,000 images at 1,000 images/s take 20 s beside the 6 s of a training's own.
    assert plan.epochs(job(), [], 1000, 26.0, RATES) == 20
    assert plan.epochs(job(), [], 1000, 600.0, RATES) == 30


def test_one_factor_shortens_all() -> None:
    # Two such trainings in half of the time of their steps: each gets half of its epochs.
    assert plan.epochs(job(), [job(seed=1)], 1000, 2 * 6 + 20.0, RATES) == 10


def test_no_training_is_shorter_than_the_shortest() -> None:
    assert plan.epochs(job(), [job()] * 50, 1000, 1.0, RATES) == plan.SHORTEST


def test_the_lungs_crop_costs_more_until_it_is_measured() -> None:
    lungs = Job("resnet18", "lungs", "scratch", 20, 1e-3)
    assert plan.rate_of(lungs, RATES | {"resnet18": 1000.0}) < 1000
    assert plan.rate_of(lungs, RATES | {"resnet18-lungs": 700.0}) == 700


def test_students_wait_for_their_teachers() -> None:
    teacher, student = job("mobilenet_v2"), job(teachers=("mobilenet_v2-whole-scratch",))
    assert plan.ready([student], [], []) is None
    assert plan.ready([student, teacher], [], []) == (1, teacher)
    assert plan.ready([student], [teacher.name], []) == (0, student)


def test_a_failed_teacher_is_left_out() -> None:
    student = job(teachers=("a", "b"), map_teacher="c")
    found = plan.ready([student], ["a"], ["b", "c"])
    assert found is not None
    assert (found[1].teachers, found[1].map_teacher) == (("a",), "")


def test_every_backbone_is_trained_in_both_crops_and_teachers_come_first() -> None:
    jobs = plan.jobs()
    names = [j.name for j in jobs]
    assert len(set(names)) == len(names)
    assert {(j.backbone, j.crop) for j in jobs[: plan.MAIN]} == {(b, c) for b in plan.RATES for c in ("whole", "lungs")}
    for place, one in enumerate(jobs):
        assert set(one.after) <= set(names[:place])


@pytest.mark.parametrize("name", ["mobilenet_v2", "efficientnet_lite0"])
def test_what_has_imagenet_weights_starts_from_them(name: str) -> None:
    assert {j.init for j in plan.jobs() if j.backbone == name} == {"imagenet"}
