"""Let libjpeg decode a grey JPEG at a reduced scale, which Pillow calls a draft."""

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from pneumoscope.radiograph.reduction import Reduction


def draft(image: Image.Image, seen_px: int) -> Reduction | None:
    """Let an opened JPEG be decoded at a reduced scale, if it is grey and large enough.

    Parameters
    ----------
    image : Image
        Opened, not loaded; its size changes.
    seen_px : int
        Edge of the square on which a model sees the whole picture, >= 1.

    Returns
    -------
    Reduction or None
        None where it stays as it is.
    """
    cols, rows = image.size
    reduction = Reduction.choose(rows, cols, seen_px, "DCT")
    if not isinstance(image, JpegImageFile) or image.mode != "L" or reduction is None:
        return None
    image.draft("L", (cols >> reduction.halvings, rows >> reduction.halvings))
    return reduction
