"""Numbers, intervals and p values as text: one minus sign, one precision, for every table and message."""

import math

DECIMALS = 4
"""Decimals of figures between −1 and 1."""
MISSING = "–"
"""What stands in a table where there is no number."""


def number(value: float, *, decimals: int = DECIMALS, signed: bool = False) -> str:
    """Write a number with a fixed number of decimals and a typographic minus sign (U+2212).

    Parameters
    ----------
    value
        Any number; NaN is written as a dash.
    decimals
        Digits after the point.
    signed
        Whether a number above zero gets a plus sign, as differences do.

    Returns
    -------
    str
        The number, without an exponent.

    Examples
    --------
    >>> number(0.98765), number(-0.5, decimals=2), number(0.25, decimals=2, signed=True)
    ('0.9877', '−0.50', '+0.25')
    """
    if math.isnan(value):
        return MISSING
    text = f"{value:+.{decimals}f}" if signed else f"{value:.{decimals}f}"
    return text.replace("-", "−")


def interval(low: float, high: float, *, decimals: int = DECIMALS, signed: bool = False) -> str:
    """Write an interval: its ends joined by an en dash, or by the word "to" where an end has a sign.

    Parameters
    ----------
    low, high
        The ends; empty text if either is NaN.
    decimals, signed
        As in `number`.

    Returns
    -------
    str
        The two ends.

    Examples
    --------
    >>> interval(0.97, 0.99), interval(-0.01, 0.02, decimals=2, signed=True)
    ('0.9700–0.9900', '−0.01 to +0.02')
    """
    if math.isnan(low) or math.isnan(high):
        return ""
    joint = " to " if signed or low < 0 else "–"
    return joint.join(number(end, decimals=decimals, signed=signed) for end in (low, high))


def figure(value: float, low: float, high: float, *, reason: str = "", decimals: int = DECIMALS, signed: bool = False) -> str:
    """Write a figure with its interval, or with the reason why it has none.

    Parameters
    ----------
    value, low, high
        The figure and the ends of its interval, NaN where undefined.
    reason
        Why the figure or its interval is undefined.
    decimals, signed
        As in `number`.

    Returns
    -------
    str
        For example ``0.9877 (0.9700–0.9900)``.

    Examples
    --------
    >>> figure(1.0, math.nan, math.nan, reason="no variance")
    '1.0000 (no interval: no variance)'
    """
    if math.isnan(value):
        return f"undefined ({reason})" if reason else "undefined"
    shown = number(value, decimals=decimals, signed=signed)
    if ends := interval(low, high, decimals=decimals, signed=signed):
        return f"{shown} ({ends})"
    return f"{shown} (no interval: {reason})" if reason else shown


def p_value(p: float) -> str:
    """Write a p value with three decimals, or as below 0.001.

    Parameters
    ----------
    p
        In [0, 1]; NaN is written as a dash.

    Returns
    -------
    str
        The p value.

    Examples
    --------
    >>> p_value(0.0321), p_value(1e-9)
    ('0.032', '< 0.001')
    """
    if math.isnan(p):
        return MISSING
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
