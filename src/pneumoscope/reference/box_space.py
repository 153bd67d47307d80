"""The noun `BoxSpace`: the pixel grid that the coordinates of boxes refer to."""

import re
from dataclasses import dataclass

from pneumoscope.reference.errors import RegionsError

_SIZE = re.compile(r"([1-9]\d{0,5})\s*[x×]\s*([1-9]\d{0,5})", re.IGNORECASE)


@dataclass(frozen=True)
class BoxSpace:
    """The pixel grid that coordinates refer to: a stated size, or the grid of each image file.

    Attributes
    ----------
    width, height
        Size of the grid in pixels, > 0; both ``None`` for the grid of the image file itself.

    Examples
    --------
    >>> str(BoxSpace.parse("1024x1024")), str(BoxSpace.parse("file"))
    ('1024 × 1024 (width × height)', "each file's own pixels")
    """

    width: float | None = None
    height: float | None = None

    @classmethod
    def parse(cls, text: str) -> "BoxSpace":
        """Read ``file`` or ``WIDTHxHEIGHT``, as ``--box-space`` takes it.

        Parameters
        ----------
        text
            ``file`` for the pixels of each image file, or two whole numbers with an x between them.

        Returns
        -------
        BoxSpace
            The grid.

        Raises
        ------
        RegionsError
            If the text is neither.
        """
        if text.strip().lower() == "file":
            return cls()
        size = _SIZE.fullmatch(text.strip())
        if size is None:
            raise RegionsError(f"a box space is 'file' or WIDTHxHEIGHT such as 1024x1024; '{text}' is neither")
        return cls(float(size[1]), float(size[2]))

    @property
    def size(self) -> tuple[float, float] | None:
        """(width, height) in pixels, or ``None`` for the grid of the image file."""
        return None if self.width is None or self.height is None else (self.width, self.height)

    def __str__(self) -> str:
        return "each file's own pixels" if self.size is None else f"{self.width:g} × {self.height:g} (width × height)"
