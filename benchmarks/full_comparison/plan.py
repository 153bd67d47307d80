"""What is trained, in which order, and for how many epochs within a budget."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Crop = Literal["whole", "lungs"]
BATCH = 64
PAINTED_NEGATIVES, PAINTED_POSITIVES = 16, 8
SHORTEST = 4
"""Epochs below which a training says nothing about a backbone."""
LONGER = 1.5
"""Times the wanted epochs, at most, where the budget leaves room."""
OVERHEAD_S = 6.0
"""Of a training apart from its steps: building, capture, evaluation of tune, prediction, maps."""
RATES: Mapping[str, float] = {
    "resnet18": 8000,
    "resnet50": 2600,
    "densenet121": 2000,
    "efficientnet_b0": 3000,
    "mobilenet_v2": 4800,
    "mobilenet_v3_large": 6000,
    "vit_b_16": 1600,
    "efficientnet_lite0": 4500,
}
"""Guessed training images/s of one H100 at 224 px, until they are measured there."""
MAIN = 17
"""Trainings of `jobs` that share the budget; those after them take what is left."""
PAINTED_SHARE = (PAINTED_NEGATIVES + PAINTED_POSITIVES) / BATCH


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes
    ----------
    backbone, crop: what looks at what; the whole image has a linear head explained by Grad-CAM, the lungs the evidence head.
    init: ``imagenet`` or ``scratch``.
    teachers: names of the trainings of the whole image whose mean log-odds are learned beside the labels.
    map_teacher: name of a training of the lungs crop whose evidence is learned as well; empty for none.
    epochs: wanted, before the budget scales them.
    rate: peak learning rate.
    seed: of weights, order, dropout and augmentation.
    """

    backbone: str
    crop: Crop
    init: Literal["imagenet", "scratch"]
    epochs: int
    rate: float
    teachers: tuple[str, ...] = ()
    map_teacher: str = ""
    seed: int = 42

    @property
    def name(self) -> str:
        taught = "-taught" if self.teachers or self.map_teacher else ""
        seed = f"-seed{self.seed}" if self.seed != 42 else ""
        return f"{self.backbone}-{self.crop}-{self.init}{taught}{seed}"

    @property
    def after(self) -> tuple[str, ...]:
        """Names of the trainings that must be finished before this one."""
        return (*self.teachers, *((self.map_teacher,) if self.map_teacher else ()))


def jobs() -> tuple[Job, ...]:
    """Return the trainings, most wanted first."""
    whole = [Job(name, "whole", "imagenet", 24, 6e-4) for name in ("mobilenet_v2", "efficientnet_lite0")]
    teachers = tuple(job.name for job in whole)
    lungs = [Job(name, "lungs", "imagenet", 20, 8e-4, teachers) for name in ("mobilenet_v2", "efficientnet_lite0")]
    rest = ("resnet18", "mobilenet_v3_large", "efficientnet_b0", "densenet121", "resnet50", "vit_b_16")
    crops: tuple[tuple[Crop, str], ...] = (("whole", ""), ("lungs", lungs[0].name))
    taught = [
        Job(name, crop, "scratch", 24 if crop == "whole" else 16, 3e-4 if name == "vit_b_16" else 1e-3, teachers, map_teacher)
        for name in rest
        for crop, map_teacher in crops
    ]
    control = Job("resnet18", "whole", "scratch", 24, 1e-3)
    more = [
        *(replace(job, teachers=teachers) for job in whole),
        replace(lungs[0], seed=43),
        replace(lungs[0], teachers=()),
        *(replace(whole[0], seed=seed) for seed in (43, 44)),
    ]
    return (*whole, control, *lungs, *taught, *more)


def cost_s(job: Job, images: int, rates: Mapping[str, float]) -> float:
    """Return the seconds of a training on `images` for the wanted epochs, alone on the device.

    Parameters
    ----------
    rates: images/s by ``BACKBONE-CROP``, else by backbone for the whole image; painted images cost as much as others.
    """
    return OVERHEAD_S + job.epochs * images / rate_of(job, rates)


def rate_of(job: Job, rates: Mapping[str, float]) -> float:
    """Return the labelled images/s that a training is expected to reach alone on the device."""
    own = rates.get(f"{job.backbone}-{job.crop}")
    if own:
        return own
    alone = rates.get(job.backbone, RATES[job.backbone])
    return alone if job.crop == "whole" else alone / (1 + PAINTED_SHARE) / 1.2


def epochs(job: Job, later: Iterable[Job], images: int, seconds: float, rates: Mapping[str, float]) -> int:
    """Return the epochs of a training when `seconds` of the device are left for it and for all `later` ones.

    All are scaled by one factor, so that the order decides who is trained first and not who is trained longer.
    """
    together = [job, *later]
    fixed = OVERHEAD_S * len(together)
    steps = sum(cost_s(one, images, rates) for one in together) - fixed
    factor = min(max(seconds - fixed, 0.0) / steps, LONGER)
    return max(SHORTEST, int(job.epochs * factor))


def ready(waiting: Sequence[Job], finished: Iterable[str], failed: Iterable[str]) -> tuple[int, Job] | None:
    """Return the place of the first training whose teachers are finished, and that training without those that failed.

    None where all must wait.
    """
    done, lost = set(finished), set(failed)
    for place, job in enumerate(waiting):
        if all(name in done or name in lost for name in job.after):
            kept = tuple(name for name in job.teachers if name not in lost)
            return place, replace(job, teachers=kept, map_teacher="" if job.map_teacher in lost else job.map_teacher)
    return None
