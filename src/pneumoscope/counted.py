"""Write numbers with their nouns."""


def counted(number: int, noun: str) -> str:
    """Write a number with its noun.

    Parameters
    ----------
    number : int
        The number.
    noun : str
        Singular, with a regular plural.

    Returns
    -------
    str
        Such as "1 reader" or "2 readers".
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"
