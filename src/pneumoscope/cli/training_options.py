"""Define the options of the training commands, and construct the recipe from them."""

import dataclasses
import tomllib
import typing
from collections.abc import Callable, Mapping
from pathlib import Path

import click

from pneumoscope.cli.model_folder import ModelFolder
from pneumoscope.lung_fields.finder import SHIPPED
from pneumoscope.training.errors import TrainingError
from pneumoscope.training.prepared import default_cache
from pneumoscope.training.recipe import ALIASES, OPTIONS, RECIPES, Recipe, changed, recipe

HELP = f"Recipe: {', '.join(RECIPES)}, or a .toml file with settings that change one of these (base = NAME)."
cache_option = click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_cache,
    show_default="~/.cache/pneumoscope",
    help="Folder of the cache of prepared images.",
)
lungs_option = click.option(
    "--lungs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=SHIPPED,
    show_default="the shipped model",
    help="Lung-field model, for recipes that crop to the lungs or have an evidence head.",
)
licence_option = click.option(
    "--data-licence", "licences", multiple=True, help="Source and licence of the training data, for the card; may be repeated."
)
population_option = click.option(
    "--intended-population",
    "--population",
    "population",
    default="not stated",
    show_default=True,
    help="Patients that the model is intended for, in words, for the card.",
)
teacher_option = click.option(
    "--teacher",
    type=ModelFolder(),
    help="Bundle to distil from: its probabilities and, for evidence heads, its heat maps.",
)


def recipe_options(function: Callable[..., None]) -> Callable[..., None]:
    """Add one option for each setting of a recipe to a command.

    Parameters
    ----------
    function
        Function of the command. It receives each setting by its flat name, or None if the option was not given.

    Returns
    -------
    Callable
        The function, with the options added.
    """
    earlier = {now: before for before, now in ALIASES.items()}
    for setting, kind in reversed([*OPTIONS.items()]):
        names = [f"--{name.replace('_', '-')}" for name in (setting, earlier.get(setting)) if name]
        choices = typing.get_args(kind)
        shown = click.Choice(choices) if choices else kind
        function = click.option(*names, setting, type=shown, show_default="the recipe's", help=_HELP[setting])(function)
    return function


_HELP = {
    "head": "Classification head; the evidence heads pool the score from an evidence map.",
    "crop": "Input of the network: the whole radiograph, or the box around the lungs.",
    "loss": "Classification loss.",
    "gamma": "Focusing exponent of the focal loss.",
    "alpha": "Class weights of the focal loss.",
    "label_smoothing": "Share of each label that is spread evenly over the classes, below 1.",
    "sampling": "shuffled: every image once per epoch; balanced: classes with equal probability; balanced-by-source: fixed "
    "places per batch for each source, half of them for each class, negatives equally over labels.",
    "source_shares": "Shares of the sources in a batch for balanced-by-source, such as kermany=3,nih=1; equal by default.",
    "optimizer": "Optimizer.",
    "rate": "Peak learning rate.",
    "head_rate": "Factor on the learning rate of layers with random initial weights.",
    "weight_decay": "Weight decay.",
    "clip_norm": "Largest norm of the gradient; 0: no limit.",
    "ema_share": "Share of the steps over which an exponential moving average of the weights reaches back, below 1; the average "
    "is evaluated on tune and saved; 0: none.",
    "schedule": "Learning-rate schedule after the warm-up.",
    "warmup_epochs": "Length of the warm-up in epochs.",
    "epochs": "Maximum number of epochs.",
    "patience": "Epochs without a better ROC-AUC on tune after which training stops; 0: never.",
    "batch": "Images per step.",
    "augmentation": "Augmentation policy.",
    "mirror_probability": "Probability that the published augmentation also mirrors a square left to right.",
    "labels": "Labels of the train split; shuffled trains a control without information in its labels.",
    "size_px": "Edge of the input square in pixels.",
    "seed": "Random seed of weights, order, dropout and augmentation.",
    "energy_weight": "Weight of the loss on evidence outside the lungs (evidence heads).",
    "painting_weight": "Weight of the loss on painted opacities (evidence heads).",
    "painted_negatives": "Images without the target per step onto which opacities are painted.",
    "painted_positives": "Images with the target per step onto which opacities are painted.",
    "teacher_weight": "Weight of the loss on a teacher's heat map (evidence heads).",
    "distillation_weight": "Weight of the loss on a teacher's probabilities.",
    "distillation_temperature": "Temperature of the distillation: divisor of the log-odds of teacher and student.",
}


def chosen(name: str, changes: Mapping[str, object]) -> Recipe:
    """Construct the recipe of a command from a name or a file, and from options.

    Parameters
    ----------
    name
        Name of a recipe, one of `RECIPES`, or path of a ``.toml`` file with settings by their flat names and ``base``, the name
        of the recipe that they change.
    changes
        Options of the command by flat names; None for an option that was not given.

    Returns
    -------
    Recipe
        The recipe, changed by the settings of the file and then by the options.

    Raises
    ------
    TrainingError
        If the file cannot be read, or a setting is unknown or not allowed.
    """
    given = {key: value for key, value in changes.items() if value is not None}
    if not name.endswith(".toml"):
        return recipe(name, **given)
    try:
        fields = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"the recipe '{name}' could not be read: {error}") from error
    base = recipe(str(fields.pop("base", "default")))
    settings = {ALIASES.get(key, key): _number(ALIASES.get(key, key), value, name) for key, value in fields.items()}
    return dataclasses.replace(changed(base, {**settings, **given}), name=Path(name).stem)


def _number(setting: str, value: object, file: str) -> object:
    """A setting of a file as its type has it: a whole number may stand for any other number, and not the other way round."""
    kind = OPTIONS.get(setting)
    if kind is int and type(value) is not int:
        raise TrainingError(f"the recipe's {setting} is {value!r} in '{file}'; it must be a whole number")
    if kind is not float:
        return value
    if type(value) not in (int, float):
        raise TrainingError(f"the recipe's {setting} is {value!r} in '{file}'; it must be a number")
    return float(value)  # type: ignore[arg-type]  # a number
