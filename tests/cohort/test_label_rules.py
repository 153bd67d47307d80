"""Words of labels, sets of them in a cell, several rows of an image: what is decided, counted, joined and refused."""

import doctest
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pneumoscope.cohort import CohortError, label_rules
from pneumoscope.cohort.label_rules import CONSENSUS_RULES, LabelRules, decide
from pneumoscope.cohort.label_table import LabelRow, LabelTable, LabelWords, WordCount
from tests.cohort.conftest import property_test

WORDS = LabelWords(("Pneumonia",), ("Normal", "Effusion"), ("Unclear",))


def table(*rows, words=WORDS, **values):
    """Rows of (key, words) or of (key, words, more values of a row)."""
    made = [LabelRow(key, tuple(cell), number=number, **dict(*more)) for number, (key, cell, *more) in enumerate(rows, start=2)]
    return LabelTable(Path("images"), tuple(made), words, "a test", **values)


def references(labelled):
    return {image.key: image.reference for image in labelled.images}


# Words


def test_cell_is_a_set_and_one_positive_word_makes_it_positive():
    rows = (("a", ["Effusion", "Pneumonia"]), ("b", ["Effusion"]), ("c", ["Pneumonia", "Unclear"]), ("d", ["Normal", "Effusion"]))
    labelled = decide(table(*rows))
    assert references(labelled) == {"a": 1, "b": 0, "c": 1, "d": 0}
    assert [image.label for image in labelled.images] == [
        "Effusion|Pneumonia",
        "Effusion",
        "Pneumonia|Unclear",
        "Normal|Effusion",
    ]


def test_image_with_an_ignored_word_and_no_positive_one_is_left_out_and_counted():
    labelled = decide(table(("a", ["Pneumonia"]), ("b", ["Unclear", "Normal"]), ("c", ["Unclear"])))
    assert references(labelled) == {"a": 1}
    assert labelled.left_out == {"only ignored words": 2}


def test_every_word_is_counted_with_what_it_was_taken_for():
    labelled = decide(table(("a", ["Pneumonia", "Effusion"]), ("b", ["effusion "]), ("c", ["Unclear"]), ("d", ["Effusion"])))
    assert labelled.words == (
        WordCount("Effusion", 3, "negative"),
        WordCount("Pneumonia", 1, "positive"),
        WordCount("Unclear", 1, "ignored"),
    )


def test_word_without_a_meaning_is_refused_with_its_count():
    rows = (("a", ["Pneumonia"]), ("b", ["COVID"]), ("c", ["COVID"]), ("d", []))
    message = (
        r"^2 words of the label column have no meaning: 'COVID' \(2 rows\), '\(blank\)' \(1 row\); "
        r"positive here means 'Pneumonia': say --positive, --negative or --ignore for each"
    )
    with pytest.raises(CohortError, match=message):
        decide(table(*rows))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (LabelWords(positive=("COVID", "Pneumonia")), {"a": 1, "b": 1, "c": 0}),
        (LabelWords(negative=("COVID", "Effusion")), {"a": 1, "b": 0, "c": 0}),
        (LabelWords(ignored=("COVID",)), {"a": 1, "c": 0}),
        (LabelWords(negative=("*",)), {"a": 1, "b": 0, "c": 0}),
        (LabelWords(ignored=("*",)), {"a": 1, "c": 0}),
        (LabelWords(positive=("COVID",), negative=("*",)), {"a": 0, "b": 1, "c": 0}),
        (LabelWords(ignored=("Pneumonia",), positive=("COVID",)), {"b": 1, "c": 0}),
    ],
)
def test_user_gives_words_a_meaning(words, expected):
    rows = (("a", ["Pneumonia"]), ("b", ["COVID"]), ("c", ["Effusion"]))
    assert references(decide(table(*rows), LabelRules(words))) == expected


def test_word_is_compared_without_case_and_surplus_space():
    rules = LabelRules(LabelWords(("lung  opacity",), ("*",)))
    assert references(decide(table(("a", ["Lung Opacity"]), ("b", ["x"])), rules)) == {"a": 1, "b": 0}


def test_positive_word_that_never_occurs_is_refused():
    rows = (("a", ["Normal"]), ("b", ["Effusion"]))
    with pytest.raises(CohortError, match=r"the positive word 'Pneumonia' occurs in no row; the words are 'Normal', 'Effusion'"):
        decide(table(*rows))
    rules = LabelRules(LabelWords(("Normal", "Pneumonai")))
    with pytest.raises(CohortError, match="the positive word 'Pneumonai' occurs in no row"):
        decide(table(*rows), rules)
    assert references(decide(table(*rows), LabelRules(allow_no_positive=True))) == {"a": 0, "b": 0}


def test_one_of_several_published_positive_words_may_be_absent():
    words = LabelWords(("Typical", "Atypical"), ("Negative",))
    assert references(decide(table(("a", ["Typical"]), ("b", ["Negative"]), words=words))) == {"a": 1, "b": 0}


@pytest.mark.parametrize("words", [LabelWords(("a",), ("A",)), LabelWords(negative=("*",), ignored=("*",))])
def test_word_with_two_meanings_is_refused(words):
    with pytest.raises(CohortError, match="is given more than one meaning"):
        decide(table(("a", ["a"])), LabelRules(words))


def test_every_other_word_cannot_be_positive():
    with pytest.raises(CohortError, match="would make every image positive"):
        decide(table(("a", ["a"])), LabelRules(LabelWords(("*",))))


def test_column_of_something_else_than_labels_is_not_quoted():
    """A wrong --label-column may hold names of patients."""
    with pytest.raises(CohortError, match=r"^30 different words in 30 rows have no meaning: is this the label column\?") as error:
        decide(table(*((str(k), [f"Doe^John{k}"]) for k in range(30))))
    assert "Doe" not in str(error.value)


# Several rows of an image


def test_rows_of_an_image_that_agree_are_joined():
    labelled = decide(table(("a", ["Pneumonia"]), ("a", ["Pneumonia"]), ("b", ["Normal"]), ("a", ["Pneumonia", "Effusion"])))
    assert [(image.key, image.label, image.reference) for image in labelled.images] == [
        ("a", "Pneumonia|Effusion", 1),
        ("b", "Normal", 0),
    ]
    assert labelled.n_joined == 2


def test_rows_of_an_image_that_disagree_are_named_by_their_numbers_and_need_a_rule():
    rows = (("a", ["Pneumonia"]), ("b", ["Normal"]), ("a", ["Normal"]), ("c", ["Pneumonia"]), ("c", ["Effusion"]))
    with pytest.raises(CohortError, match=r"^2 images have rows that disagree \(rows 2 and 4; rows 5 and 6\).*--consensus"):
        decide(table(*rows))


@pytest.mark.parametrize(
    ("consensus", "expected"),
    [
        ("any", {"one of three": 1, "two of three": 1, "one of two": 1, "none": 0}),
        ("majority", {"one of three": 0, "two of three": 1, "none": 0}),
        ("all", {"one of three": 0, "two of three": 0, "one of two": 0, "none": 0}),
        ("leave-out", {"none": 0}),
    ],
)
def test_consensus_rules(consensus, expected):
    votes = {"one of three": "PNN", "two of three": "PNP", "one of two": "NP", "none": "NN"}
    names = {"P": "Pneumonia", "N": "Normal"}
    labelled = decide(
        table(*((key, [names[v]]) for key, several in votes.items() for v in several)), LabelRules(consensus=consensus)
    )
    assert references(labelled) == expected
    assert labelled.n_disagreeing == 3
    assert labelled.left_out == ({"rows disagree": 4 - len(expected)} if len(expected) < 4 else {})


@property_test
@given(st.dictionaries(st.text("abc", min_size=1), st.lists(st.booleans(), min_size=1, max_size=5), min_size=1))
def test_consensus_of_any_is_never_below_majority_and_that_never_below_all(votes):
    rows = [(key, ["Pneumonia" if v else "Normal"]) for key, several in votes.items() for v in several]
    by_rule = {
        rule: references(decide(table(*rows), LabelRules(consensus=rule, allow_no_positive=True))) for rule in CONSENSUS_RULES
    }
    for key, several in votes.items():
        assert by_rule["any"][key] == int(any(several))
        assert by_rule["all"][key] == int(all(several))
        if key in by_rule["majority"]:
            assert by_rule["all"][key] <= by_rule["majority"][key] <= by_rule["any"][key]
        else:
            assert 2 * sum(several) == len(several)
        assert (key in by_rule["leave-out"]) == (len(set(several)) == 1)


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [("patient_id", ("p1", "p2"), "2 patients"), ("official_split", ("train", "test"), "2 official splits")],
)
def test_rows_of_an_image_that_name_two_patients_or_splits_are_refused_by_number(name, values, what):
    rows = [("a", ["Pneumonia"], {name: value}) for value in values]
    with pytest.raises(CohortError, match=f"^rows 2 and 3 describe one image but name {what}; correct the table") as error:
        decide(table(*rows), LabelRules(consensus="any"))
    assert "p1" not in str(error.value)


# Images that the source leaves out


def test_what_the_source_excludes_is_left_out_by_reason_whatever_its_words():
    rows = (("a", ["Pneumonia"]), ("b", ["no word of ours"], {"left_out": "labelled 'exclude' by the set"}))
    labelled = decide(table(*rows))
    assert references(labelled) == {"a": 1}
    assert labelled.left_out == {"labelled 'exclude' by the set": 1}


def test_examples_run():
    assert doctest.testmod(label_rules).failed == 0
