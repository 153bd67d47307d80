"""Print names of files, which may hold any character, on a terminal."""


def printable(text: str) -> str:
    """Escape what is no printable character: control characters, line breaks, marks of direction, bytes that are no UTF-8.

    Parameters
    ----------
    text : str
        A text with names of files.

    Returns
    -------
    str
        The text in one line that shows what it holds, and nothing that a terminal would obey.

    Examples
    --------
    >>> print(printable("a\\nb\\x1b[31m é"))
    a\\nb\\x1b[31m é
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
