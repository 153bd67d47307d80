"""Write the heat map of a reading as a Parametric Map, and read it back."""

from dataclasses import dataclass, field

import numpy as np
from highdicom import VOILUTTransformation, pm
from pydicom.dataset import Dataset
from pydicom.uid import ParametricMapStorage

from pneumoscope import DISCLAIMER
from pneumoscope.dicom_objects import concepts
from pneumoscope.dicom_objects.dicom_object import DicomObject
from pneumoscope.dicom_objects.encoding import coded, common_arguments, finished, parsed
from pneumoscope.dicom_objects.errors import DicomObjectError
from pneumoscope.dicom_objects.nominal_frame import framed_source
from pneumoscope.dicom_objects.result import Result
from pneumoscope.dicom_objects.silenced_libraries import silenced_libraries
from pneumoscope.heatmap import Heatmap
from pneumoscope.radiograph.radiograph import Grey

_LEVELS = 1024
_ROUNDED = f", rounded to 1/{_LEVELS}"
_MOST_LO = 64
_DESCRIPTION = f"Pneumoscope heat map. {DISCLAIMER}"


@dataclass(frozen=True, eq=False)
class EvidenceMap:
    """What a Parametric Map holds of a heat map.

    Parameters
    ----------
    values : ndarray of float32, shape (rows, cols)
        The heat map on the stored grid of the radiograph (`Heatmap.values`); rounded to 1/1024 in a deflated map.
    method : str
        Method of the map (`Heatmap.method`).
    threshold : float
        Lowest value of a pixel in a finding, > 0, to six significant digits.
    """

    values: Grey = field(repr=False)
    method: str
    threshold: float


def write(result: Result) -> DicomObject:
    """Write the heat map, at the source's rows and columns.

    Parameters
    ----------
    result : Result
        The reading of a radiograph with a spacing. Its `deflated_maps` chooses the form.

    Returns
    -------
    DicomObject
        Parametric Map of 32 bit floating point values, in the nominal frame of reference. It has the grid of the film also where
        it is deflated: OHIF shows no map that has another.

    Raises
    ------
    DicomObjectError
        The source states no spacing.
    """
    if result.radiograph.spacing is None:
        raise DicomObjectError("the source states no pixel spacing, which a Parametric Map needs; leave pm out")
    heatmap, rounded = result.reading.heatmap, result.deflated_maps
    values = np.round(heatmap.values * _LEVELS) / np.float32(_LEVELS) if rounded else heatmap.values
    made = pm.ParametricMap(
        source_images=[framed_source(result)],
        pixel_array=values,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping(heatmap)],
        voi_lut_transformations=[VOILUTTransformation(window_center=0.5, window_width=1.0)],
        content_label="PNEUMOSCOPE",
        content_description=_description(result),
        **common_arguments(result, "pm", _DESCRIPTION),
    )
    made.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [_anatomy()]
    return finished(made, result, "pm", deflated=rounded)


def _description(result: Result) -> str:
    described = f"Heat map of a model for {result.reading.score.target}"
    return f"{described[: _MOST_LO - len(_ROUNDED)]}{_ROUNDED}" if result.deflated_maps else described[:_MOST_LO]


def _anatomy() -> Dataset:
    """The Frame Anatomy macro (PS3.3 C.7.6.16.2.8), which a Parametric Map needs: both lungs."""
    item = Dataset()
    item.AnatomicRegionSequence, item.FrameLaterality = [coded(concepts.LUNG)], "B"
    return item


def _mapping(heatmap: Heatmap) -> pm.RealWorldValueMapping:
    """The values as they are; 1 is full scale, and a larger value lies above it."""
    return pm.RealWorldValueMapping(
        lut_label=heatmap.method[:16],
        lut_explanation=f"{heatmap.method} for {heatmap.target}; threshold {heatmap.threshold:.6g}"[:64],
        unit=concepts.NO_UNITS,
        value_range=(0.0, max(1.0, float(heatmap.values.max()))),
        slope=1.0,
        intercept=0.0,
        quantity_definition=concepts.EVIDENCE,
    )


def read(content: bytes) -> EvidenceMap:
    """Read a Parametric Map back.

    Parameters
    ----------
    content : bytes
        A Parametric Map that `write` made.

    Returns
    -------
    EvidenceMap
        The heat map's values, method and threshold.

    Raises
    ------
    DicomObjectError
        The object is no such Parametric Map.
    """
    with silenced_libraries("read"):
        dataset = parsed(content)
        if dataset.SOPClassUID != ParametricMapStorage:
            raise DicomObjectError("the DICOM object is no Parametric Map; give a PM that Pneumoscope wrote")
        values = np.frombuffer(dataset.FloatPixelData, "<f4").reshape(dataset.Rows, dataset.Columns)
        mapping = dataset.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence[0]
        threshold = float(str(mapping.LUTExplanation).rpartition(" ")[2])
        return EvidenceMap(values.astype(np.float32), str(mapping.LUTLabel), threshold)
