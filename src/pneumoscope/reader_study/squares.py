"""Latin and Williams squares: orders of conditions that are balanced for place and for what came before."""


def latin(n: int) -> tuple[tuple[int, ...], ...]:
    """Make the cyclic Latin square: each condition once in each row and in each column.

    Parameters
    ----------
    n : int
        Number of conditions, at least 1.

    Returns
    -------
    tuple of tuple of int
        n rows of n conditions from 0.

    Examples
    --------
    >>> latin(3)
    ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    """
    return tuple(tuple((row + column) % n for column in range(n)) for row in range(n))


def williams(n: int) -> tuple[tuple[int, ...], ...]:
    """Make a Williams square: a Latin square in which each condition follows each other one equally often.

    Parameters
    ----------
    n : int
        Number of conditions, at least 1.

    Returns
    -------
    tuple of tuple of int
        n rows for an even number (and for 1), 2·n rows for an odd one.

    References
    ----------
    Williams 1949, Australian Journal of Scientific Research A 2:149.

    Examples
    --------
    >>> williams(2)
    ((0, 1), (1, 0))
    >>> williams(4)
    ((0, 3, 1, 2), (1, 0, 2, 3), (2, 1, 3, 0), (3, 2, 0, 1))
    """
    start = [0]
    for place in range(1, n):
        start.append((start[-1] + (n - place if place % 2 else n + place)) % n)
    rows = tuple(tuple((first + shift) % n for first in start) for shift in range(n))
    return rows if n % 2 == 0 or n == 1 else rows + tuple(row[::-1] for row in rows)
