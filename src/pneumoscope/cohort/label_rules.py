"""Decide the reference of each image from the rows of a label table, by stated rules."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pneumoscope.cohort.case import SPLITS
from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import (
    BLANK,
    EVERY_OTHER,
    Labelled,
    LabelledImage,
    LabelRow,
    LabelTable,
    LabelWords,
    WordCount,
)

Consensus = Literal["majority", "any", "all", "leave-out"]
CONSENSUS_RULES: tuple[Consensus, ...] = ("majority", "any", "all", "leave-out")
Meaning = Literal["positive", "negative", "ignored"]

_EXAMPLES = 10


@dataclass(frozen=True)
class LabelRules:
    """What the user says about the words and rows of a label table.

    Parameters
    ----------
    words
        Words with the meaning that the user gives them. Positive words replace those of the layout, negative words replace
        the negative ones, ignored words are added; a word that is named here loses the meaning that the layout gave it.
    consensus
        How an image is decided whose rows disagree: by the ``majority`` of its rows, positive if ``any`` or if ``all`` of
        them are positive, or ``leave-out``. None makes a disagreement an error.
    allow_no_positive
        Whether a source without any positive image is accepted.
    """

    words: LabelWords = LabelWords()
    consensus: Consensus | None = None
    allow_no_positive: bool = False


def decide(table: LabelTable, rules: LabelRules = LabelRules()) -> Labelled:
    """Decide the reference of every image of a label table.

    A row with a positive word is positive. Otherwise a row with an ignored word decides nothing, and a row whose words are all
    negative is negative. Rows of one image are joined.

    Parameters
    ----------
    table
        The rows of a source.
    rules
        Meaning of words, and what to do where rows disagree.

    Returns
    -------
    Labelled
        The images with their reference, and what was counted on the way.

    Raises
    ------
    CohortError
        If a word has no meaning, a positive word never occurs, rows of one image disagree without a rule, or rows of one image
        name different patients or splits.

    Examples
    --------
    >>> from pathlib import Path
    >>> rows = (LabelRow("a.png", ("Pneumonia", "Effusion"), "p1"), LabelRow("b.png", ("No Finding",), "p2"))
    >>> table = LabelTable(Path("."), rows, LabelWords(("Pneumonia",), ("No Finding", "Effusion")), "an example")
    >>> [(image.label, image.reference) for image in decide(table).images]
    [('Pneumonia|Effusion', 1), ('No Finding', 0)]
    """
    taken, left_out = _taken(table.rows)
    meaning = _Meaning(_combined(table.words, rules.words))
    words = _counted(taken, meaning, table, rules)
    images: list[LabelledImage] = []
    disagreeing: list[list[LabelRow]] = []
    groups = _by_image(taken)
    for group in groups.values():
        votes = [meaning.reference(row) for row in group]
        decided = {vote for vote in votes if vote is not None}
        if len(decided) > 1:
            disagreeing.append(group)
        reference = _reference([vote for vote in votes if vote is not None], rules.consensus)
        if reference is None:
            left_out["rows disagree" if len(decided) > 1 else "only ignored words"] += 1
        else:
            images.append(_joined(group, reference))
    if disagreeing and rules.consensus is None:
        raise CohortError(_disagreement(disagreeing))
    return Labelled(
        images=tuple(images),
        words=words,
        n_joined=len(taken) - len(groups),
        n_disagreeing=len(disagreeing),
        left_out=dict(left_out),
    )


def _taken(rows: Iterable[LabelRow]) -> tuple[list[LabelRow], Counter[str]]:
    """The rows that the source allows, and the number of images of the others by reason."""
    rows = list(rows)
    reasons = {row.key: row.left_out for row in rows if row.left_out}
    return [row for row in rows if not row.left_out], Counter(reasons.values())


def _combined(layout: LabelWords, user: LabelWords) -> LabelWords:
    """The user's words over the layout's."""
    named = [_key(word) for word in (*user.positive, *user.negative, *user.ignored)]
    twice = [word for word, count in Counter(named).items() if count > 1]
    if twice:
        raise CohortError(f"'{twice[0]}' is given more than one meaning; name it once in --positive, --negative or --ignore")

    def rest(words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word for word in words if _key(word) not in named)

    return LabelWords(
        positive=user.positive or rest(layout.positive),
        negative=user.negative or rest(layout.negative),
        ignored=(*user.ignored, *rest(layout.ignored)),
    )


class _Meaning:
    """Look up what a word means."""

    def __init__(self, words: LabelWords) -> None:
        if EVERY_OTHER in words.positive:
            raise CohortError(f"--positive '{EVERY_OTHER}' would make every image positive; name the words")
        self.positive = words.positive
        self._of: dict[str, Meaning] = {}
        for name, several in (("negative", words.negative), ("ignored", words.ignored), ("positive", words.positive)):
            self._of |= dict.fromkeys(map(_key, several), name)  # type: ignore[arg-type]  # the names are those of the literal

    def of(self, word: str) -> Meaning | None:
        return self._of.get(_key(word)) or self._of.get(EVERY_OTHER)

    def reference(self, row: LabelRow) -> int | None:
        meanings = {self.of(word) for word in row.words or (BLANK,)}
        if "positive" in meanings:
            return 1
        return None if "ignored" in meanings else 0


@lru_cache(maxsize=4096)
def _key(word: str) -> str:
    return " ".join(word.split()).casefold()


def _counted(rows: Sequence[LabelRow], meaning: _Meaning, table: LabelTable, rules: LabelRules) -> tuple[WordCount, ...]:
    """Count every word; CohortError for one without a meaning, and for positive words that never occur."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for row in rows:
        for word in {_key(word): word for word in reversed(row.words or (BLANK,))}.values():
            first.setdefault(_key(word), word)
            counts[_key(word)] += 1
    unknown = [(first[key], count) for key, count in counts.most_common() if meaning.of(key) is None]
    if unknown:
        raise CohortError(_unknown(unknown, len(rows), meaning, table.hint))
    missing = [word for word in meaning.positive if _key(word) not in counts]
    if missing and (rules.words.positive or len(missing) == len(meaning.positive)) and not rules.allow_no_positive:
        raise CohortError(
            f"the positive word {_some(missing)} occurs in no row; the words are "
            f"{_some([first[key] for key, _ in counts.most_common()])}: say which of them is --positive, or --allow-no-positive"
        )
    return tuple(WordCount(first[key], count, meaning.of(key) or "ignored") for key, count in counts.most_common())


def _unknown(unknown: Sequence[tuple[str, int]], n_rows: int, meaning: _Meaning, hint: str) -> str:
    """Name the words without a meaning, unless the column seems to hold something else than labels."""
    advice = f"say --positive, --negative or --ignore for each ('{EVERY_OTHER}': every other word)"
    if len(unknown) > 20 and 2 * len(unknown) > n_rows:
        return (
            f"{len(unknown)} different words in {n_rows} rows have no meaning: is this the label column? "
            f"Give --label-column, or {advice}"
        )
    listed = ", ".join(f"'{word}' ({count} row{'s' if count > 1 else ''})" for word, count in unknown[:_EXAMPLES])
    more = f" and {len(unknown) - _EXAMPLES} more" if len(unknown) > _EXAMPLES else ""
    what = f"{len(unknown)} words of the label column have" if len(unknown) > 1 else "a word of the label column has"
    known = f"positive here means {_some(meaning.positive)}" if meaning.positive else "no word is positive"
    return f"{what} no meaning: {listed}{more}; {known}: {hint or advice}"


def _by_image(rows: Iterable[LabelRow]) -> Mapping[str, list[LabelRow]]:
    groups: dict[str, list[LabelRow]] = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    return groups


def _reference(votes: Sequence[int], consensus: Consensus | None) -> int | None:
    """The reference by the votes of the rows that decide something; None if they decide nothing."""
    if not votes or (consensus == "leave-out" and len(set(votes)) > 1):
        return None
    if consensus == "any":
        return max(votes)
    if consensus == "all":
        return min(votes)
    if 2 * sum(votes) == len(votes):
        return None
    return int(2 * sum(votes) > len(votes))


def _joined(group: Sequence[LabelRow], reference: int) -> LabelledImage:
    patients = {row.patient_id for row in group if row.patient_id}
    splits = {row.official_split for row in group if row.official_split}
    ages = {row.age_years for row in group if row.age_years is not None}
    sexes = {row.sex for row in group if row.sex}
    for values, what in ((patients, "patients"), (splits, "official splits"), (ages, "ages"), (sexes, "sexes")):
        if len(values) > 1:
            raise CohortError(f"{_rows_of(group)} describe one image but name {len(values)} {what}; correct the table")
    words = list(dict.fromkeys(word for row in group for word in row.words)) or [BLANK]
    return LabelledImage(
        key=group[0].key,
        label="|".join(words),
        reference=reference,
        patient_id=max(patients, default=""),
        subtype=next((row.subtype for row in group if row.subtype), ""),
        official_split=next((split for split in SPLITS if split in splits), ""),
        rows=group[0].rows,
        cols=group[0].cols,
        view_position=group[0].view_position,
        age_years=next(iter(ages), None),
        sex=next((row.sex for row in group if row.sex), ""),
    )


def _disagreement(groups: Sequence[Sequence[LabelRow]]) -> str:
    listed = "; ".join(_rows_of(group) for group in groups[:_EXAMPLES])
    more = f"; and {len(groups) - _EXAMPLES} more" if len(groups) > _EXAMPLES else ""
    return (
        f"{len(groups)} image{'s have' if len(groups) > 1 else ' has'} rows that disagree ({listed}{more}); "
        f"correct the table, or choose --consensus {', '.join(CONSENSUS_RULES[:-1])} or {CONSENSUS_RULES[-1]}"
    )


def _rows_of(group: Sequence[LabelRow]) -> str:
    numbers = [str(row.number) for row in group if row.number]
    return f"rows {', '.join(numbers[:-1])} and {numbers[-1]}" if len(numbers) > 1 else "the rows"


def _some(words: Sequence[str]) -> str:
    listed = ", ".join(f"'{word}'" for word in words[:_EXAMPLES])
    return f"{listed} and {len(words) - _EXAMPLES} more" if len(words) > _EXAMPLES else listed
