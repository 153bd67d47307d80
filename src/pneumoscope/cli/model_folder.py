"""Parse a model on the command line: a folder, or the name of a shipped bundle."""

from pathlib import Path
from typing import Any

import click

from pneumoscope.reader.shipped import SHIPPED


class ModelFolder(click.ParamType):  # type: ignore[type-arg]  # generic in the newest click only
    """A click type: a path, or the name of a shipped bundle (``default``, ``whole``) unless a folder has this name."""

    name = "model"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if path.is_dir() or str(value) not in SHIPPED:
            return path
        return SHIPPED[str(value)]

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "MODEL"
