"""Rules: which received images are read, with which models, and where their results go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pneumoscope.pacs.peers import check_name
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.terms import NOT_A_TERM, TERMS, is_chest, named_view

Action = Literal["read", "skip"]
RuleIntent = Literal["", "FOR PRESENTATION", "FOR PROCESSING"]


@dataclass(frozen=True)
class Rule:
    """What is done with images that have certain attributes.

    A list names the values that the rule applies to; an empty list applies to all. An empty text in a list stands for an
    attribute that is missing.

    Parameters
    ----------
    name : str
        Name in lists and messages.
    action : {"read", "skip"}
        Read the image, or accept it and skip it.
    reason : str
        Why it is skipped; needed by ``skip``.
    ae_titles : tuple of str
        AE titles of the sender; an image that was polled has the name of its poll in this place, and one that came by STOW-RS
        the text ``STOW-RS``.
    modalities : tuple of str
        DICOM Modality. Of this and the next two attributes an image has a defined term in capitals, nothing, or the text
        ``(no defined term)``.
    views : tuple of str
        DICOM View Position.
    body_parts : tuple of str
        DICOM Body Part Examined; every spelling of the chest counts as ``CHEST``.
    intents : tuple of {"", "FOR PRESENTATION", "FOR PROCESSING"}
        DICOM Presentation Intent Type.
    min_age_years, max_age_years : float, optional
        The rule applies to patients of at least the one and below the other age.
    age_unknown : bool
        Whether a rule with an age also applies to images that do not state a valid age.
    models : tuple of str
        Names of the models that read; empty for all.
    destinations : tuple of str
        Names of the destinations and notifications that results go to; empty for all.
    """

    name: str
    action: Action = "read"
    reason: str = ""
    ae_titles: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    body_parts: tuple[str, ...] = ()
    intents: tuple[RuleIntent, ...] = ()
    min_age_years: float | None = None
    max_age_years: float | None = None
    age_unknown: bool = False
    models: tuple[str, ...] = ()
    destinations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_name("a rule", self.name)
        if (self.action == "skip") != bool(self.reason):
            raise ValueError(f"the rule '{self.name}' needs a 'reason' if it skips, and none if it reads")
        if self.action == "skip" and (self.models or self.destinations):
            raise ValueError(f"the rule '{self.name}' skips, so that it can name neither models nor destinations")
        _check_terms(self, "Modality", "the Modality", self.modalities)
        _check_terms(self, "ViewPosition", "the View Position", self.views)
        _check_terms(self, "BodyPartExamined", "the Body Part Examined", self.body_parts)
        low, high = self.min_age_years or 0.0, self.max_age_years
        if low < 0 or (high is not None and high <= low):
            raise ValueError(f"the ages of the rule '{self.name}' need 0 <= min_age_years < max_age_years")
        if self.age_unknown and self.min_age_years is None and high is None:
            raise ValueError(f"'age_unknown' of the rule '{self.name}' belongs to an age; give min_age_years or max_age_years")


def _check_terms(rule: Rule, keyword: str, what: str, values: tuple[str, ...]) -> None:
    """Refuse a value that no image has: a rule with it would never apply."""
    terms = TERMS[keyword]
    for value in values:
        if value and value != NOT_A_TERM and value not in terms:
            term = _term(keyword, value)
            advice = f"write '{term}'" if term in terms else f"DICOM defines terms, and '{NOT_A_TERM}' stands for all other text"
            raise ValueError(f"the rule '{rule.name}' has {what} '{value}', which is that of no image; {advice}")


def _term(keyword: str, value: str) -> str:
    """What an image is said to have whose header has this value."""
    upper = value.upper()
    if keyword == "BodyPartExamined" and upper not in TERMS[keyword]:
        return "CHEST" if is_chest(value) else upper
    if keyword == "ViewPosition" and upper not in TERMS[keyword]:
        return named_view(value)
    return upper


READ_ALL = Rule("read-all")
"""The rule of a configuration without rules: every image that the reader accepts is read."""


@dataclass(frozen=True)
class Facts:
    """What rules look at.

    Parameters
    ----------
    ae_title : str
        AE title of the sender, name of the poll, or ``STOW-RS``.
    modality, view_position, body_part, intent : str
        As in `pneumoscope.radiograph.Radiograph`.
    age_years : float, optional
        The patient's age.
    """

    ae_title: str
    modality: str
    view_position: str
    body_part: str
    intent: str
    age_years: float | None = None


def facts_of(radiograph: Radiograph, ae_title: str) -> Facts:
    """Collect what rules look at.

    Parameters
    ----------
    radiograph : Radiograph
        The decoded image.
    ae_title : str
        Who sent it.

    Returns
    -------
    Facts
        Its facts.
    """
    return Facts(
        ae_title.strip(),
        radiograph.modality,
        radiograph.view_position,
        radiograph.body_part,
        radiograph.intent,
        radiograph.age_years,
    )


def mismatch(rule: Rule, facts: Facts) -> str:
    """Tell why a rule does not apply to an image.

    Parameters
    ----------
    rule : Rule
        The rule.
    facts : Facts
        The image.

    Returns
    -------
    str
        The first condition that does not hold, without the patient's age; empty where the rule applies.
    """
    conditions = (
        ("the sender", rule.ae_titles, facts.ae_title),
        ("the Modality", rule.modalities, facts.modality),
        ("the View Position", rule.views, facts.view_position),
        ("the Body Part Examined", rule.body_parts, facts.body_part),
        ("the Presentation Intent Type", rule.intents, facts.intent),
    )
    for what, wanted, there in conditions:
        if wanted and there not in wanted:
            return f"{what} is {f'{there!r}' if there else 'missing'}, not one of {', '.join(map(repr, wanted))}"
    return _age_mismatch(rule, facts.age_years)


def _age_mismatch(rule: Rule, age: float | None) -> str:
    if rule.min_age_years is None and rule.max_age_years is None:
        return ""
    if age is None:
        return "" if rule.age_unknown else "the age is not stated"
    above = rule.min_age_years is None or age >= rule.min_age_years
    below = rule.max_age_years is None or age < rule.max_age_years
    return "" if above and below else "the age is outside of the rule's"


def applies_to_all(rule: Rule) -> bool:
    """Whether a rule has no condition, so that no rule after it decides.

    Parameters
    ----------
    rule : Rule
        The rule.

    Returns
    -------
    bool
        True where it applies to every image.

    Examples
    --------
    >>> applies_to_all(READ_ALL)
    True
    """
    lists = (rule.ae_titles, rule.modalities, rule.views, rule.body_parts, rule.intents)
    return not any(lists) and rule.min_age_years is None and rule.max_age_years is None


def choose(rules: Sequence[Rule], facts: Facts) -> Rule | None:
    """Choose the rule that decides.

    Parameters
    ----------
    rules : sequence of Rule
        The rules in their order.
    facts : Facts
        The image.

    Returns
    -------
    Rule or None
        The first rule that applies; None if none does, so that the image is skipped.

    Examples
    --------
    >>> rules = (Rule("lateral", "skip", "not frontal", views=("LL",)), READ_ALL)
    >>> choose(rules, Facts("CR1", "DX", "LL", "CHEST", "")).name
    'lateral'
    """
    return next((rule for rule in rules if not mismatch(rule, facts)), None)
