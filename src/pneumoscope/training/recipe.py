"""The noun `Recipe`: everything that decides what a training run gives, apart from backbone, data and starting weights."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Literal, get_args, get_type_hints

from pneumoscope.training.errors import TrainingError


@dataclass(frozen=True)
class Recipe:
    """A training recipe, written whole into the card of what it trains.

    Attributes
    ----------
    head: ``mlp`` (Shahi & Bagale 2025) or ``linear``.
    loss: ``focal`` (Lin et al. 2017), ``cross-entropy`` or ``weighted-cross-entropy`` (inverse class frequency).
    gamma: focusing exponent of the focal loss; 0 gives cross-entropy.
    alpha: class weights of the focal loss: ``none``, or ``inverse-frequency``, adding up to 2.
    sampling: ``shuffled`` (every image once an epoch) or ``balanced`` (drawn with replacement, classes equally likely).
    optimizer: ``adam`` (weight decay in the gradient) or ``adamw`` (decoupled).
    rate: peak learning rate; schedule ``constant`` or ``cosine`` to zero over `epochs`, after a linear warm-up.
    epochs, patience: at most so many; stop after so many without a better tune ROC-AUC (0: never stop early).
    augmentation: ``published`` policy, or ``none``.
    side_px: side of the input square in pixels.
    seed: of weights, order, dropout and augmentation.
    """

    name: str
    head: Literal["mlp", "linear"] = "mlp"
    loss: Literal["focal", "cross-entropy", "weighted-cross-entropy"] = "focal"
    gamma: float = 2.0
    alpha: Literal["none", "inverse-frequency"] = "none"
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    optimizer: Literal["adam", "adamw"] = "adamw"
    rate: float = 5e-4
    weight_decay: float = 0.02
    schedule: Literal["constant", "cosine"] = "cosine"
    warmup_epochs: float = 1.0
    epochs: int = 12
    patience: int = 5
    batch: int = 32
    augmentation: Literal["published", "none"] = "published"
    side_px: int = 224
    seed: int = 42

    def __post_init__(self) -> None:
        for name, kind in get_type_hints(Recipe).items():
            value, choices = getattr(self, name), get_args(kind)
            if choices and value not in choices:
                raise TrainingError(f"the recipe's {name} is '{value}'; choose one of {', '.join(choices)}")
        for name, low in (("epochs", 1), ("batch", 2), ("side_px", 32), ("patience", 0), ("seed", 0)):
            if getattr(self, name) < low:
                raise TrainingError(f"the recipe's {name} is {getattr(self, name)}; it must be at least {low}")
        if not self.rate > 0 or self.gamma < 0 or self.weight_decay < 0 or self.warmup_epochs < 0:
            raise TrainingError("the recipe's rate must be above 0, and gamma, weight_decay and warmup_epochs not below 0")
        for name in ("rate", "gamma", "weight_decay", "warmup_epochs"):
            if not math.isfinite(getattr(self, name)):
                raise TrainingError(f"the recipe's {name} is {getattr(self, name)}; it must be a finite number")


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        r.name: r
        for r in (
            Recipe("default", head="linear"),
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
