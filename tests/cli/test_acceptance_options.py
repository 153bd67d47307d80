"""The options of the acceptance policy: one for each choice, named in the sentence of its refusal."""

import dataclasses

import click
from click.testing import CliRunner

from pneumoscope.cli.acceptance_options import acceptance_options, policy_of
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY, AcceptancePolicy


@click.command()
@acceptance_options
def command(**choices):
    click.echo(repr(policy_of(choices)))


def policy(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return result.output.strip()


def test_without_options_the_policy_is_the_default():
    assert policy() == repr(DEFAULT_POLICY)


def test_each_option_changes_one_choice():
    options = {
        "lateral": "--lateral",
        "raw": "--raw",
        "orientation": "--unknown-orientation",
        "contradiction": "--contradiction",
        "modality": "--modality",
        "body_part": "--body-part",
    }
    assert set(options) == {f.name for f in dataclasses.fields(AcceptancePolicy)}
    for field, option in options.items():
        other = "refuse" if getattr(DEFAULT_POLICY, field) == "mark" else "mark"
        assert policy(option, other) == repr(dataclasses.replace(DEFAULT_POLICY, **{field: other}))


def test_any_other_choice_is_refused():
    result = CliRunner().invoke(command, ["--lateral", "maybe"])
    assert result.exit_code == 2
    assert "'maybe' is not one of 'refuse', 'mark'" in result.output
