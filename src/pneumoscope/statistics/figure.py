"""The names of the figures: the keys of every result, its tables and its JSON."""

from enum import StrEnum


class Figure(StrEnum):
    """A figure by its name, as tables and JSON have it; it is a string."""

    ROC_AUC = "ROC-AUC"
    PR_AUC = "PR-AUC"
    BRIER = "Brier"
    ECE = "ECE"
    CALIBRATION_SLOPE = "calibration slope"
    CALIBRATION_INTERCEPT = "calibration intercept"
    ACCURACY = "accuracy"
    BALANCED_ACCURACY = "balanced accuracy"
    SENSITIVITY = "sensitivity"
    SPECIFICITY = "specificity"
    PPV = "PPV"
    NPV = "NPV"
    F1 = "F1"
    MCC = "MCC"
    ROC_AUC_ON_TUNE = "ROC-AUC on tune"
    HIT = "hit"
    PIXEL_AP = "pixel AP"
    ENERGY_INSIDE = "energy inside"
    PEAK_IN_LUNGS = "peak in the lungs"
    ENERGY_IN_LUNGS = "energy in the lungs"
    LUNG_SHARE = "share of the image that is lung"
    DELETION = "deletion AUC"
    INSERTION = "insertion AUC"
