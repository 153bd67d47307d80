"""Findings that a labeler read from reports: 1 positive, 0 negative, −1 uncertain, blank not mentioned.

CheXpert (Irvin et al., AAAI 2019, section 3) compares what to do with an uncertain label:

=================  =====================================================================================
name of the paper  meaning
=================  =====================================================================================
U-Ignore           leave the image out (for this finding)
U-Zeros            count it as negative
U-Ones             count it as positive
U-SelfTrained      train on U-Ignore, then replace the uncertain labels by that model's predictions
U-MultiClass       train a third class, uncertain
=================  =====================================================================================

The paper groups U-Zeros and U-Ones as binary mapping, which makes four approaches. The first three are decisions about a table
and are offered here. The last two change the training and its outputs; a reference of 0 or 1 cannot express them.
"""

from pneumoscope.cohort.errors import CohortError
from pneumoscope.cohort.label_table import BLANK, LabelWords
from pneumoscope.cohort.layouts.layout import Policy
from pneumoscope.cohort.layouts.tables import TableRow

UNCERTAIN = "(uncertain)"
HINT = (
    f"for {UNCERTAIN} choose --uncertain ignore, zeros or ones (U-Ignore, U-Zeros, U-Ones of Irvin et al. 2019); "
    f"for {BLANK}, which is 'not mentioned', choose --blank ignore, zeros or ones"
)


def word(row: TableRow, finding: str) -> tuple[str, ...]:
    """The label of a row as a word.

    Parameters
    ----------
    row
        The row of the table.
    finding
        The column of the finding.

    Returns
    -------
    tuple of str
        The finding, ``no`` and the finding, `UNCERTAIN`, or nothing where the cell is blank.

    Raises
    ------
    CohortError
        If the cell holds anything but 1, 0, −1 and blank.
    """
    text = row.text(finding)
    if not text:
        return ()
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    names = {1.0: finding, 0.0: f"no {finding}", -1.0: UNCERTAIN}
    if value not in names:
        raise CohortError(f"row {row.number} of {row.table} has none of 1, 0, −1 and blank as {finding}; correct the table")
    return (names[value],)


def words(finding: str, uncertain: Policy | None, blank: Policy | None) -> LabelWords:
    """What the words mean under the chosen policies.

    Parameters
    ----------
    finding
        The column of the finding.
    uncertain, blank
        What an uncertain and a blank label count as; None leaves the word without a meaning, so that it is an error if it
        occurs.

    Returns
    -------
    LabelWords
        The meanings.
    """
    chosen = ((UNCERTAIN, uncertain), (BLANK, blank))
    return LabelWords(
        positive=(finding, *(word for word, policy in chosen if policy == "ones")),
        negative=(f"no {finding}", *(word for word, policy in chosen if policy == "zeros")),
        ignored=tuple(word for word, policy in chosen if policy == "ignore"),
    )
