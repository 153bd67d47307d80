"""Reference lung masks: a folder with one PNG a radiograph, named like the radiograph."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pneumoscope.reference.annotation import CaseNames, Mask
from pneumoscope.reference.errors import RegionsError
from pneumoscope.reference.mask_files import painted
from pneumoscope.reference.rasterization import Grid, fitted


@dataclass(frozen=True)
class LungMasks:
    """The lung masks of a folder, by path of the case; a mask is decoded when it is asked for.

    Parameters
    ----------
    folder
        The folder.
    files
        The mask of each case that has one, by path of the case.
    """

    folder: Path
    files: Mapping[str, Path]

    def stored(self, path: str) -> Mask | None:
        """Decode the mask of a case on its own grid.

        Parameters
        ----------
        path
            Path of the case.

        Returns
        -------
        ndarray or None
            bool (rows, cols), true where the picture is above zero; None if the case has no mask.

        Raises
        ------
        RegionsError
            If the file is damaged.
        """
        return painted(self.files[path], self._where(path)) if path in self.files else None

    def on_grid(self, path: str, grid: Grid) -> Mask | None:
        """Decode the mask of a case and bring it to the grid of its radiograph by the nearest pixel.

        Parameters
        ----------
        path
            Path of the case.
        grid
            Size of the radiograph, (rows, cols) in pixels.

        Returns
        -------
        ndarray or None
            bool (rows, cols); None if the case has no mask.

        Raises
        ------
        RegionsError
            If the file is damaged, is empty, or has another aspect ratio than the radiograph.
        """
        mask = self.stored(path)
        return None if mask is None else fitted(mask, grid, self._where(path))

    def _where(self, path: str) -> str:
        return f"the lung mask '{self.files[path].relative_to(self.folder)}'"


def lung_masks(folder: Path, paths: Iterable[str]) -> LungMasks:
    """Find the lung masks of cases in a folder.

    A mask belongs to the case of the same relative path, apart from the suffix, or of the same stem, by the rule for masks of
    reference regions (`pneumoscope.reference.annotation.CaseNames`).

    Parameters
    ----------
    folder
        A folder of PNG files, in subfolders or not; files that belong to none of the cases are left out.
    paths
        The paths of the cases that a mask may belong to.

    Returns
    -------
    LungMasks
        The file of each case that has a mask.

    Raises
    ------
    RegionsError
        If a mask may belong to several cases, a case has two masks, or no mask belongs to any case.
    """
    names, files = CaseNames(paths), dict[str, Path]()
    for file in sorted(folder.rglob("*.png")):
        relative = PurePosixPath(file.relative_to(folder).as_posix())
        where = f"the lung mask '{relative}'"
        for path in names.find((relative.with_suffix(""),), where, from_root=True):
            if path in files:
                raise RegionsError(
                    f"{where} and '{files[path].relative_to(folder)}' belong to one radiograph; keep one of them in '{folder}'"
                )
            files[path] = file
    if not files:
        raise RegionsError(f"no mask in '{folder}' has the name of a radiograph of these cases; give the masks of this cohort")
    return LungMasks(folder, files)
