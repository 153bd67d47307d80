"""Rows of a table that are chosen on the command line by a column's value."""

from collections.abc import Sequence

import click


def wanted(texts: Sequence[str]) -> dict[str, str]:
    """Values by column of ``--only COLUMN=VALUE``; of one that is named twice the last counts."""
    found = {}
    for text in texts:
        column, equals, value = text.partition("=")
        if not equals:
            raise click.UsageError(f"--only '{text}' should be COLUMN=VALUE")
        found[column] = value
    return found
