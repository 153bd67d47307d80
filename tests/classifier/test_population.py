"""The population of a patient, and how it was known."""

import pytest

from pneumoscope.classifier import PopulationChoice


def test_settings_are_the_cautious_ones_only_where_the_population_is_unknown():
    assert PopulationChoice(None, "unknown", "adult").cautious
    assert not PopulationChoice("adult", "age", "adult").cautious
    assert not PopulationChoice("child", "user", "child").cautious


@pytest.mark.parametrize(
    ("value", "source", "settings", "says"),
    [
        ("child", "unknown", "child", "the source of the population child cannot be 'unknown'"),
        (None, "age", "child", "the source of the population None cannot be 'age'"),
        ("child", "user", "adult", "a patient of the population 'child' cannot be read with the settings of 'adult'"),
    ],
)
def test_a_choice_that_contradicts_itself_is_refused(value, source, settings, says):
    with pytest.raises(ValueError, match=says):
        PopulationChoice(value, source, settings)
