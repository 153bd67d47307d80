"""The noun `Recipe`: everything that decides what a training run gives, apart from backbone, data and starting weights."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal, get_args, get_type_hints

from pneumoscope.classifier.evidence_network import EVIDENCE_HEADS
from pneumoscope.training.errors import TrainingError


@dataclass(frozen=True)
class Recipe:
    """A training recipe, written whole into the card of what it trains.

    Attributes
    ----------
    head: ``mlp`` (Shahi & Bagale 2025), ``linear``, or one that adds up its own map (`pneumoscope.classifier.evidence_network`):
        ``evidence``, ``evidence-everywhere`` (not pooled over the lungs alone), ``evidence-coarse`` (no pyramid).
    view: ``whole`` radiograph or the box around the ``lungs``.
    loss: ``focal`` (Lin et al. 2017), ``cross-entropy`` or ``weighted-cross-entropy`` (inverse class frequency).
    gamma: focusing exponent of the focal loss; 0 gives cross-entropy.
    alpha: class weights of the focal loss: ``none``, or ``inverse-frequency``, adding up to 2.
    sampling: ``shuffled`` (every image once an epoch) or ``balanced`` (drawn with replacement, classes equally likely).
    optimizer: ``adam`` (weight decay in the gradient) or ``adamw`` (decoupled).
    head_rate: times the rate, for the layers that did not start from given weights.
    rate: peak learning rate; schedule ``constant`` or ``cosine`` to zero over `epochs`, after a linear warm-up.
    epochs, patience: at most so many; stop after so many without a better tune ROC-AUC (0: never stop early).
    augmentation: ``published`` policy, ``views`` (`pneumoscope.training.view_augmentation`; of the evidence heads), or ``none``.
    energy_weight: of the loss on evidence outside of the lungs (evidence heads).
    painting_weight: of the loss on painted opacities (evidence heads); each step paints on `painted_negatives` images without
        the target and `painted_positives` with it.
    teacher_weight: of the loss on the heat map of a teacher (evidence heads).
    distillation_weight, distillation_temperature: of the loss on a teacher's probabilities beside the labels', and what the
        log-odds of both are divided by before (Hinton et al. 2015, arXiv 1503.02531).
    labels: ``reference``, or ``shuffled`` on the train side: what a map shows of a model that learned nothing (Adebayo 2018).
    side_px: side of the input square in pixels.
    seed: of weights, order, dropout and augmentation.
    """

    name: str
    head: Literal["mlp", "linear", "evidence", "evidence-everywhere", "evidence-coarse"] = "mlp"
    view: Literal["whole", "lungs"] = "whole"
    loss: Literal["focal", "cross-entropy", "weighted-cross-entropy"] = "focal"
    gamma: float = 2.0
    alpha: Literal["none", "inverse-frequency"] = "none"
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    optimizer: Literal["adam", "adamw"] = "adamw"
    rate: float = 5e-4
    head_rate: float = 1.0
    weight_decay: float = 0.02
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_epochs: float = 1.0
    epochs: int = 12
    patience: int = 5
    batch: int = 32
    augmentation: Literal["published", "views", "none"] = "published"
    energy_weight: float = 0.0
    painting_weight: float = 0.0
    painted_negatives: int = 0
    painted_positives: int = 0
    teacher_weight: float = 0.0
    distillation_weight: float = 0.0
    distillation_temperature: float = 2.0
    labels: Literal["reference", "shuffled"] = "reference"
    side_px: int = 224
    seed: int = 42

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(Recipe).items():
            value, choices = getattr(self, name), get_args(kind)
            if choices and value not in choices:
                raise TrainingError(f"the recipe's {name} is '{value}'; choose one of {', '.join(choices)}")
        least = {"epochs": 1, "batch": 2, "side_px": 32, "patience": 0, "seed": 0, "painted_negatives": 0, "painted_positives": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise TrainingError(f"the recipe's {name} is {getattr(self, name)}; it must be at least {low}")
        for name in ("rate", "head_rate", "distillation_temperature"):
            if not getattr(self, name) > 0:
                raise TrainingError(f"the recipe's {name} is {getattr(self, name)}; it must be above 0")
        for name in (
            "rate",
            "head_rate",
            "gamma",
            "weight_decay",
            "warmup_epochs",
            "energy_weight",
            "painting_weight",
            "teacher_weight",
            "distillation_weight",
            "distillation_temperature",
        ):
            if not math.isfinite(getattr(self, name)) or getattr(self, name) < 0:
                raise TrainingError(f"the recipe's {name} is {getattr(self, name)}; it must be a finite number, not below 0")
        if self.adds_up != (self.augmentation == "views") and self.augmentation != "none":
            raise TrainingError(f"the head {self.head} and the augmentation {self.augmentation} do not go together")
        if not self.adds_up and (self.energy_weight or self.painting_weight or self.teacher_weight):
            raise TrainingError(
                f"energy_weight, painting_weight and teacher_weight are for the evidence heads, not for {self.head}"
            )
        if self.painting_weight and not self.painted_negatives + self.painted_positives:
            raise TrainingError("the recipe has a painting_weight but paints on no image; give painted_negatives")

    @property
    def adds_up(self) -> bool:
        """Whether the head adds up its own map."""
        return self.head in EVIDENCE_HEADS


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        r.name: r
        for r in (
            Recipe("default", head="linear"),
            Recipe(
                "evidence",
                head="evidence",
                view="lungs",
                augmentation="views",
                rate=6e-4,
                head_rate=2.5,
                weight_decay=0.01,
                epochs=4,
                patience=0,
                energy_weight=0.3,
                painting_weight=0.5,
                painted_negatives=8,
                painted_positives=4,
                side_px=192,
            ),
            # A second stage: starts from a checkpoint of `evidence`, which is its teacher as well.
            Recipe(
                "evidence-taught",
                head="evidence",
                view="lungs",
                augmentation="views",
                rate=3e-4,
                weight_decay=0.01,
                warmup_epochs=0.5,
                epochs=4,
                patience=0,
                energy_weight=0.6,
                painting_weight=0.5,
                painted_negatives=8,
                painted_positives=4,
                teacher_weight=0.5,
                side_px=192,
            ),
            # Shahi & Bagale 2025 as its code has it, but for the checkpoint: ROC-AUC on tune, not accuracy.
            Recipe(
                "published",
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
        )
    }
)


def recipe(name: str, **changes: object) -> Recipe:
    """A named recipe with some fields changed; TrainingError that lists the near names."""
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=3, cutoff=0.3) or list(RECIPES)
        raise TrainingError(f"there is no recipe '{name}'; did you mean {', '.join(near)}?")
    fields = {f.name for f in dataclasses.fields(Recipe)}
    for key in changes:
        if key not in fields:
            near = get_close_matches(key, fields, n=3, cutoff=0.3) or sorted(fields)
            raise TrainingError(f"a recipe has no field '{key}'; did you mean {', '.join(near)}?")
    return dataclasses.replace(RECIPES[name], **changes)  # type: ignore[arg-type]  # names checked above, values in __post_init__
