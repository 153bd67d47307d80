"""The noun `Recipe`: everything that decides what a training run gives, apart from backbone, data and starting weights."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, Literal, get_args, get_type_hints

from pneumoscope.classifier.backbone import EVIDENCE_HEADS
from pneumoscope.training.errors import TrainingError


@dataclass(frozen=True)
class EvidenceTraining:
    """The part of a recipe that trains where the evidence of an evidence head lies.

    Parameters
    ----------
    energy_weight
        Weight of the loss on evidence outside the lungs, ≥ 0.
    painting_weight
        Weight of the loss on painted opacities, ≥ 0.
    painted_negatives, painted_positives
        Number of images without and with the target that each step paints opacities onto, ≥ 0.

    Raises
    ------
    TrainingError
        If a value is outside its range, or painting has a weight and no images.
    """

    energy_weight: float = 0.0
    painting_weight: float = 0.0
    painted_negatives: int = 0
    painted_positives: int = 0

    def __post_init__(self) -> None:
        _at_least(self, {"painted_negatives": 0, "painted_positives": 0})
        _finite(self, ("energy_weight", "painting_weight"))
        if self.painting_weight and not self.painted_negatives + self.painted_positives:
            raise TrainingError("the recipe has a painting_weight but paints on no image; give painted_negatives")


@dataclass(frozen=True)
class Distillation:
    """The part of a recipe that learns from a teacher.

    Parameters
    ----------
    teacher_weight
        Weight of the loss on the teacher's heat map, ≥ 0; for evidence heads.
    distillation_weight
        Weight of the loss on the teacher's probabilities, in addition to the loss on the labels, ≥ 0.
    distillation_temperature
        Number > 0 that the log-odds of teacher and learner are divided by first (Hinton et al. 2015, arXiv 1503.02531).

    Raises
    ------
    TrainingError
        If a value is outside its range.
    """

    teacher_weight: float = 0.0
    distillation_weight: float = 0.0
    distillation_temperature: float = 2.0

    def __post_init__(self) -> None:
        _above_0(self, ("distillation_temperature",))
        _finite(self, ("teacher_weight", "distillation_weight", "distillation_temperature"))

    def __bool__(self) -> bool:
        """Whether the teacher has any weight."""
        return bool(self.teacher_weight or self.distillation_weight)


@dataclass(frozen=True)
class Recipe:
    """A training recipe.

    Parameters
    ----------
    name
        Short name, part of the model's name.
    head
        ``mlp`` (Shahi & Bagale 2025, arXiv 2511.00456), ``linear``, or a head whose score is pooled from its own map
        (`pneumoscope.classifier.evidence_network`): ``evidence``, ``evidence-everywhere`` (pooled over all cells, not over the
        lungs alone), ``evidence-coarse`` (without the pyramid).
    crop
        What the network looks at: the ``whole`` radiograph, or the box around the ``lungs``.
    loss
        ``focal`` (Lin et al. 2017, arXiv 1708.02002), ``cross-entropy``, or ``weighted-cross-entropy`` (weights by inverse class
        frequency).
    gamma
        Focusing exponent of the focal loss, ≥ 0; 0 gives cross-entropy.
    alpha
        Class weights of the focal loss: ``none``, or ``inverse-frequency``, which add up to 2.
    label_smoothing
        Share of each label that is spread evenly over the classes, in [0, 1) (Szegedy et al. 2016, arXiv 1512.00567, section 7).
    sampling
        ``shuffled`` (every image once an epoch), ``balanced`` (drawn with replacement, classes equally likely), or
        ``balanced-by-source`` (each data set has fixed places in a batch, half of them for each class; see
        `pneumoscope.training.source_sampling`).
    source_shares
        ``balanced-by-source``: the shares of the data sets in a batch, such as ``kermany=3,nih=1``; empty for equal shares.
    optimizer
        ``adam`` (weight decay in the gradient) or ``adamw`` (decoupled).
    rate
        Peak learning rate, > 0.
    head_rate
        Factor > 0 on the rate of the layers that start from random weights.
    weight_decay
        Weight decay, ≥ 0.
    clip_norm
        Largest Euclidean norm of the gradient, ≥ 0; longer gradients are scaled down to it (Pascanu et al. 2013,
        arXiv 1211.5063, algorithm 1). 0 does not limit the norm.
    ema_share
        Share of the steps of the run, in [0, 1), over which an exponential moving average of the weights reaches back: the decay
        per step is ``1 − 1 / (ema_share · steps)``. The average is evaluated on tune and saved. 0 takes no average.
    schedule
        Course of the rate after the warm-up: ``constant``, or ``cosine`` to zero at the end of `epochs`.
    warmup_epochs
        Length of the linear warm-up in epochs, ≥ 0.
    epochs
        Largest number of epochs, ≥ 1.
    patience
        Epochs without a better ROC-AUC on tune after which training stops, ≥ 0; 0 never stops early.
    batch
        Images of a step, ≥ 2; painted images come in addition.
    augmentation
        ``published`` policy, ``views`` (`pneumoscope.training.view_augmentation`, for evidence heads), or ``none``.
    mirror_probability
        Probability that the ``published`` policy also mirrors a square left to right, in [0, 1]; ``views`` mirrors half of them.
    evidence
        Training of the evidence; None for other heads, or without it.
    distillation
        Learning from a teacher; None without one.
    labels
        ``reference``, or ``shuffled`` on the train side: what a map shows of a model that learned nothing
        (Adebayo et al. 2018, arXiv 1810.03292).
    size_px
        Edge of the input square in pixels, ≥ 32.
    seed
        Seed of weights, order, dropout and augmentation, ≥ 0.

    Raises
    ------
    TrainingError
        If a value is outside its range, or two values do not go together.
    """

    name: str
    head: Literal["mlp", "linear", "evidence", "evidence-everywhere", "evidence-coarse"] = "mlp"
    crop: Literal["whole", "lungs"] = "whole"
    loss: Literal["focal", "cross-entropy", "weighted-cross-entropy"] = "focal"
    gamma: float = 2.0
    alpha: Literal["none", "inverse-frequency"] = "none"
    label_smoothing: float = 0.0
    sampling: Literal["shuffled", "balanced", "balanced-by-source"] = "shuffled"
    source_shares: str = ""
    optimizer: Literal["adam", "adamw"] = "adamw"
    rate: float = 5e-4
    head_rate: float = 1.0
    weight_decay: float = 0.02
    clip_norm: float = 0.0
    ema_share: float = 0.0
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_epochs: float = 1.0
    epochs: int = 12
    patience: int = 5
    batch: int = 32
    augmentation: Literal["published", "views", "none"] = "published"
    mirror_probability: float = 0.0
    evidence: EvidenceTraining | None = None
    distillation: Distillation | None = None
    labels: Literal["reference", "shuffled"] = "reference"
    size_px: int = 224
    seed: int = 42

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(Recipe).items():
            value, choices = getattr(self, name), get_args(kind)
            if choices and name not in _PARTS and value not in choices:
                raise TrainingError(f"the recipe's {name} is '{value}'; choose one of {', '.join(choices)}")
        _at_least(self, {"epochs": 1, "batch": 2, "size_px": 32, "patience": 0, "seed": 0})
        _above_0(self, ("rate", "head_rate"))
        _finite(self, ("rate", "head_rate", "gamma", "weight_decay", "warmup_epochs", "clip_norm"))
        _shares(self, ("label_smoothing", "ema_share", "mirror_probability"))
        if self.source_shares and self.sampling != "balanced-by-source":
            raise TrainingError(f"source_shares are for the sampling balanced-by-source, not for {self.sampling}; leave them out")
        _parsed_shares(self.source_shares)
        if self.adds_up != (self.augmentation == "views") and self.augmentation != "none":
            raise TrainingError(f"the head {self.head} and the augmentation {self.augmentation} do not go together")
        if self.mirror_probability and self.augmentation != "published":
            raise TrainingError(
                f"mirror_probability is {self.mirror_probability:g}, but only the augmentation published mirrors by it, not "
                f"{self.augmentation}; set mirror_probability to 0"
            )
        if not self.adds_up and (self.evidence or (self.distillation and self.distillation.teacher_weight)):
            raise TrainingError(
                f"energy_weight, painting_weight and teacher_weight are for the evidence heads, not for {self.head}"
            )

    @property
    def adds_up(self) -> bool:
        """Whether the score of the head is pooled from its own map."""
        return self.head in EVIDENCE_HEADS

    @property
    def shares(self) -> dict[str, float]:
        """The stated shares of the data sets in a batch by their names; empty for equal shares."""
        return _parsed_shares(self.source_shares)

    @property
    def painted(self) -> tuple[int, int]:
        """Number of images without and with the target that each step paints onto."""
        return (self.evidence.painted_negatives, self.evidence.painted_positives) if self.evidence else (0, 0)

    @property
    def step_images(self) -> int:
        """Number of images of a step, painted ones included."""
        return self.batch + sum(self.painted)

    @property
    def options(self) -> dict[str, Any]:
        """Every setting under the flat name of its option, as cards record it; parts that are missing have their defaults."""
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in _PARTS}
        for name, kind in _PARTS.items():
            own |= dataclasses.asdict(getattr(self, name) or kind())
        return own


_PARTS: Mapping[str, type[EvidenceTraining] | type[Distillation]] = {"evidence": EvidenceTraining, "distillation": Distillation}
ALIASES: Mapping[str, str] = MappingProxyType({"view": "crop", "side_px": "size_px"})
"""Earlier names of options, which are still read."""
OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        name: kind
        for part in (Recipe, *_PARTS.values())
        for name, kind in get_type_hints(part).items()
        if name not in ("name", *_PARTS)
    }
)
"""The settings that an option or a line of a file may change, by their flat name, each with its type."""


def _parsed_shares(text: str) -> dict[str, float]:
    """The share of each data set in ``NAME=NUMBER,…``; TrainingError for text of another form."""
    shares = dict[str, float]()
    for part in text.split(",") if text else ():
        name, _, number = part.strip().partition("=")
        try:
            share = float(number)
        except ValueError:
            share = math.nan
        if not name or name in shares or not 0 < share < math.inf:
            raise TrainingError(
                f"the recipe's source_shares are '{text}'; they must be names with a number above 0, each once, such "
                "as kermany=3,nih=1"
            )
        shares[name] = share
    return shares


def _at_least(part: object, least: Mapping[str, int]) -> None:
    for name, low in least.items():
        if getattr(part, name) < low:
            raise TrainingError(f"the recipe's {name} is {getattr(part, name)}; it must be at least {low}")


def _above_0(part: object, names: Iterable[str]) -> None:
    for name in names:
        if not getattr(part, name) > 0:
            raise TrainingError(f"the recipe's {name} is {getattr(part, name)}; it must be above 0")


def _finite(part: object, names: Iterable[str]) -> None:
    for name in names:
        if not math.isfinite(getattr(part, name)) or getattr(part, name) < 0:
            raise TrainingError(f"the recipe's {name} is {getattr(part, name)}; it must be a finite number, not below 0")


def _shares(part: object, names: Iterable[str]) -> None:
    """Check that values lie in [0, 1); a probability may also be 1."""
    for name in names:
        value = getattr(part, name)
        if not (0 <= value < 1 or (value == 1 and name.endswith("probability"))):
            end = "1" if name.endswith("probability") else "below 1"
            raise TrainingError(f"the recipe's {name} is {value}; it must lie between 0 and {end}")


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        r.name: r
        for r in (
            Recipe("default", head="linear"),
            Recipe(
                "evidence",
                head="evidence",
                crop="lungs",
                augmentation="views",
                rate=6e-4,
                head_rate=2.5,
                weight_decay=0.01,
                epochs=4,
                patience=0,
                evidence=EvidenceTraining(energy_weight=0.3, painting_weight=0.5, painted_negatives=8, painted_positives=4),
                size_px=192,
            ),
            # A second stage: it starts from a checkpoint of `evidence`, and the same model is its teacher.
            Recipe(
                "evidence-taught",
                head="evidence",
                crop="lungs",
                augmentation="views",
                rate=3e-4,
                weight_decay=0.01,
                warmup_epochs=0.5,
                epochs=4,
                patience=0,
                evidence=EvidenceTraining(energy_weight=0.6, painting_weight=0.5, painted_negatives=8, painted_positives=4),
                distillation=Distillation(teacher_weight=0.5),
                size_px=192,
            ),
            # A third stage, for several data sets: the average of the weights keeps a fifth of those that it starts from
            # (Wortsman et al. 2022, arXiv 2109.01903), so that what was learned before is not lost.
            Recipe(
                "evidence-joined",
                head="evidence",
                crop="lungs",
                augmentation="views",
                sampling="balanced-by-source",
                rate=3e-4,
                weight_decay=0.01,
                clip_norm=5.0,
                ema_share=0.6,
                warmup_epochs=0.3,
                epochs=4,
                patience=0,
                batch=44,
                evidence=EvidenceTraining(energy_weight=0.6, painting_weight=0.5, painted_negatives=8, painted_positives=4),
                distillation=Distillation(teacher_weight=0.5),
                size_px=192,
            ),
            # Shahi & Bagale 2025 as in its code, except that the checkpoint is chosen by ROC-AUC on tune, not by accuracy.
            Recipe(
                "published-224",
                alpha="inverse-frequency",
                sampling="balanced",
                optimizer="adam",
                rate=1e-4,
                weight_decay=1e-4,
                schedule="constant",
                warmup_epochs=0.0,
                epochs=10,
                patience=3,
            ),
            # As `benchmarks/full_comparison` trains networks from ImageNet weights without a teacher.
            Recipe(
                "full-224",
                head="linear",
                rate=6e-4,
                head_rate=2.5,
                clip_norm=5.0,
                ema_share=0.1,
                epochs=20,
                patience=0,
                batch=64,
                mirror_probability=0.5,
            ),
            Recipe(
                "full-224-lungs",
                head="evidence",
                crop="lungs",
                augmentation="views",
                rate=8e-4,
                head_rate=2.5,
                weight_decay=0.01,
                clip_norm=5.0,
                ema_share=0.1,
                epochs=16,
                patience=0,
                batch=64,
                evidence=EvidenceTraining(energy_weight=0.4, painting_weight=0.5, painted_negatives=16, painted_positives=8),
            ),
        )
    }
)
EARLIER_NAMES: Mapping[str, str] = MappingProxyType({"published": "published-224"})
"""Earlier names of recipes, which are still read."""


def recipe(name: str, **changes: object) -> Recipe:
    """Return a named recipe with some settings changed.

    Parameters
    ----------
    name
        One of `RECIPES`, or an earlier name of one, `EARLIER_NAMES`.
    changes
        New values by the flat names of `OPTIONS` (or by their earlier names, `ALIASES`).

    Returns
    -------
    Recipe
        The recipe.

    Raises
    ------
    TrainingError
        If there is no such recipe or setting (the error lists near names), or a value is not allowed.
    """
    name = EARLIER_NAMES.get(name, name)
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=3, cutoff=0.3) or list(RECIPES)
        raise TrainingError(f"there is no recipe '{name}'; did you mean {', '.join(near)}?")
    return changed(RECIPES[name], changes)


def changed(base: Recipe, changes: Mapping[str, object]) -> Recipe:
    """Return a recipe with some settings changed.

    Parameters
    ----------
    base
        The recipe to start from.
    changes
        New values by the flat names of `OPTIONS` (or by their earlier names, `ALIASES`).

    Returns
    -------
    Recipe
        The changed recipe.

    Raises
    ------
    TrainingError
        If a setting is unknown (the error lists near names), or a value is not allowed.
    """
    given = {ALIASES.get(key, key): value for key, value in changes.items()}
    for key in given:
        if key not in OPTIONS and key != "name":
            near = get_close_matches(key, OPTIONS, n=3, cutoff=0.3) or sorted(OPTIONS)
            raise TrainingError(f"a recipe has no field '{key}'; did you mean {', '.join(near)}?")
    parts: dict[str, Any] = {}
    for name, kind in _PARTS.items():
        names = get_type_hints(kind)
        own = {key: value for key, value in given.items() if key in names}
        if own:
            part = dataclasses.replace(getattr(base, name) or kind(), **own)
            parts[name] = part if part != kind() else None
    rest = {key: value for key, value in given.items() if not any(key in get_type_hints(kind) for kind in _PARTS.values())}
    return dataclasses.replace(base, **rest, **parts)  # type: ignore[arg-type]  # names are checked above, values by the class


def from_options(options: Mapping[str, Any]) -> Recipe:
    """Read a recipe back from the flat settings in a card, also of earlier versions.

    Parameters
    ----------
    options
        What `Recipe.options` gave, with ``view`` and ``side_px`` in earlier versions.

    Returns
    -------
    Recipe
        The recipe.

    Raises
    ------
    TrainingError
        If a setting is unknown or not allowed.
    """
    return changed(Recipe(str(options.get("name", ""))), options)
