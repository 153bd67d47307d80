"""Options of the commands that train, and a recipe from its name, a file and those options."""

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
from pneumoscope.training.recipe import RECIPES, Recipe, recipe

HELP = f"One of {', '.join(RECIPES)}, or a .toml file with fields of a recipe (base = one of these)."
cache_option = click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=default_cache,
    show_default="~/.cache/pneumoscope",
    help="Folder for the prepared images.",
)
lungs_option = click.option(
    "--lungs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=SHIPPED,
    show_default="the shipped model",
    help="Lung-field model, for recipes that look at lungs.",
)
licence_option = click.option(
    "--data-licence", "licences", multiple=True, help="Source and licence of the data, for the card; may be repeated."
)
population_option = click.option(
    "--population", default="not stated", show_default=True, help="Whom the data show, for the card."
)
teacher_option = click.option(
    "--teacher",
    type=ModelFolder(),
    help="Bundle to learn from: its probabilities and, for heads that add up to their own map, its evidence.",
)


def recipe_options(function: Callable[..., None]) -> Callable[..., None]:
    """One option for each field of a recipe, so that the two cannot drift apart."""
    hints = typing.get_type_hints(Recipe)
    for field in reversed(dataclasses.fields(Recipe)):
        if field.name == "name":
            continue
        choices = typing.get_args(hints[field.name])
        kind = click.Choice(choices) if choices else hints[field.name]
        name = f"--{field.name.replace('_', '-')}"
        function = click.option(name, field.name, type=kind, show_default="the recipe's", help="Of the recipe.")(function)
    return function


def chosen(name: str, changes: Mapping[str, object]) -> Recipe:
    """The named recipe, or that of a file, with the options that were given."""
    given = {key: value for key, value in changes.items() if value is not None}
    if not name.endswith(".toml"):
        return recipe(name, **given)
    try:
        fields = tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TrainingError(f"the recipe '{name}' could not be read: {error}") from error
    base = str(fields.pop("base", "default"))
    hints = typing.get_type_hints(Recipe)
    for key, value in fields.items():
        if hints.get(key) is int and type(value) is not int:
            raise TrainingError(f"the recipe's {key} is {value!r} in '{name}'; it must be a whole number")
        if hints.get(key) is float and type(value) not in (int, float):
            raise TrainingError(f"the recipe's {key} is {value!r} in '{name}'; it must be a number")
        fields[key] = float(value) if hints.get(key) is float else value
    return dataclasses.replace(recipe(base, **{**fields, **given}), name=Path(name).stem)
