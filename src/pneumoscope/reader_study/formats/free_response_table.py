"""The noun `FreeResponseTable`: all marks, lesions and cases of a free-response study."""

from dataclasses import dataclass

from pneumoscope.statistics.multireader.marks import Lesions, MarkedCases, Marks, from_marks


@dataclass(frozen=True)
class FreeResponseTable:
    """Marks with what they are about.

    Parameters
    ----------
    marks : Marks
        All marks.
    lesions : Lesions
        All lesions.
    cases, readers, modalities : tuple of str
        Names; one may have no mark.
    """

    marks: Marks
    lesions: Lesions
    cases: tuple[str, ...]
    readers: tuple[str, ...]
    modalities: tuple[str, ...]

    def study(self) -> MarkedCases:
        """Arrange the marks by modality, reader and case.

        Returns
        -------
        MarkedCases
            For the figures of merit.
        """
        return from_marks(self.marks, self.lesions, self.cases, self.readers, self.modalities)
