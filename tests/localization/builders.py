"""Cases as a model read them, made by hand."""

import numpy as np

from pneumoscope.localization import uninformed_maps
from pneumoscope.localization.case import LocalizationCase
from pneumoscope.localization.packed import Packed
from pneumoscope.radiograph import Region


def filled(shape, *boxes):
    """A mask by whole-numbered (top, left, bottom, right)."""
    mask = np.zeros(shape, bool)
    for top, left, bottom, right in boxes:
        mask[top:bottom, left:right] = True
    return mask


def case(
    values,
    mask=None,
    *,
    patient="p",
    reference=1,
    probability=0.9,
    positive=True,
    right=None,
    left=None,
    lung_box=None,
    boxes=None,
    pixels=None,
) -> LocalizationCase:
    """A case on the grid of its map; without more it has no lungs, black pixels, and one box around its mask."""
    values = np.asarray(values, np.float32)
    nothing = np.zeros(values.shape, bool)
    if boxes is None:
        boxes = () if mask is None or not mask.any() else (Region.around(mask),)
    return LocalizationCase(
        path=f"{patient}.png",
        patient_id=patient,
        reference=reference,
        probability=probability,
        positive=positive,
        values=values,
        pixels=np.zeros(values.shape, np.float32) if pixels is None else pixels,
        mask=mask,
        boxes=boxes,
        right=nothing if right is None else right,
        left=nothing if left is None else left,
        lung_box=lung_box or Region(0, 0, *map(float, values.shape)),
    )


def baselines(cases, seed=0):
    """Every uninformed baseline of each case, by rule; the empty mask of a case without one adds nothing to the means."""
    rng, others = np.random.default_rng(seed), uninformed_maps.OtherRegions()
    for one in cases:
        mask = np.zeros(one.values.shape, bool) if one.mask is None else one.mask
        others.add(uninformed_maps.MarkedRegion(one.patient_id, Packed.of(mask), one.lung_box))
    by_case = [uninformed_maps.maps_of_one_case(one, rng) | others.maps(k) for k, one in enumerate(cases)]
    return {rule: [maps[rule] for maps in by_case] for rule in uninformed_maps.RULES}
