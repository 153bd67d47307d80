"""How probabilities are written for people, the same in every output (`strings/figures.js` in the front end)."""


def probability_text(value: float) -> str:
    """Write a probability, or a threshold or rating on its scale: three decimals, but never a rounded 0 or 1.

    Parameters
    ----------
    value : float
        In [0, 1].

    Returns
    -------
    str
        Such as ``0.963``; ``>0.999`` from 0.9995, and ``<0.001`` below 0.0005.

    Examples
    --------
    >>> [probability_text(value) for value in (0.0, 0.0005, 0.5, 0.9994, 0.9995)]
    ['<0.001', '0.001', '0.500', '0.999', '>0.999']
    """
    if value >= 0.9995:
        return ">0.999"
    return "<0.001" if value < 0.0005 else f"{value:.3f}"
