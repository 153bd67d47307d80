"""Defined terms of the DICOM attributes that are read: PS3.3 C.7.3.1.1.1, C.7.6.3.1.2, C.8.1.1, C.8.11 and PS3.16 annex L."""

from collections.abc import Mapping
from typing import Literal

Sex = Literal["F", "M", "O"]
"""Patient's Sex (PS3.3 C.7.1.1): female, male, other."""
NOT_A_TERM = "(no defined term)"
"""Stands for text of a header that is none of the Standard's defined terms."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PROJECTION_MODALITIES = frozenset({"CR", "DX", "RG"})
"""Modalities of projection radiographs of the body."""

_MODALITIES = PROJECTION_MODALITIES | _words(
    "AR ASMT AU BDUS BI BMD CFM CT CTPROTOCOL DMS DG DOC ECG EEG EMG EOG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER KO LEN LS MG "
    "MR NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS OT PLAN POS PR PT PX REG RESP RF RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD "
    "RTRECORD RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC"
)
_BODY_PARTS = _words(
    "ABDOMEN ABDOMENPELVIS ADRENAL ANKLE ANUS AORTA ARM AXILLA BACK BLADDER BRAIN BREAST BRONCHUS BUTTOCK CALCANEUS CALF CAROTID "
    "CEREBELLUM CERVIX CHEEK CHEST CHESTABDOMEN CHESTABDPELVIS CIRCLEOFWILLIS CLAVICLE COCCYX COLON CORNEA CORONARYARTERY "
    "CSPINE CTSPINE DUODENUM EAR ELBOW ESOPHAGUS EXTREMITY EYE EYELID FACE FEMUR FINGER FOOT FOREARM GALLBLADDER HAND HEAD "
    "HEADNECK HEART HIP HUMERUS ILEUM ILIUM IAC JAW JEJUNUM KIDNEY KNEE LARYNX LEG LIVER LOWERLEG LSPINE LSSPINE LUNG MAXILLA "
    "MANDIBLE MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE OPTICCANAL ORBIT OVARY PANCREAS PAROTID "
    "PATELLA PELVIS PENIS PHARYNX PROSTATE RADIUS RADIUSULNA RECTUM RIB SACRUM SCALP SCAPULA SCLERA SCROTUM SHOULDER SIJOINT "
    "SINUS SKULL SPINE SPLEEN SSPINE STERNUM STOMACH SUBMANDIBULAR TESTIS THIGH THUMB THYMUS THYROID TLSPINE TMJ TOE TONGUE "
    "TRACHEA TSPINE ULNA UPPERARM URETER URETHRA UTERUS VAGINA VULVA WHOLEBODY WRIST ZYGOMA"
)
_CHEST = ("CHEST", "THORAX", "TORAX", "LUNG", "RIB")

LATERAL_VIEWS = frozenset({"LL", "RL", "LAT", "LATERAL", "OBLIQUE", "LLAT", "RLAT", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO"})
"""Lateral and oblique views, with the abbreviations that devices write."""
FRONTAL_VIEWS = frozenset({"PA", "AP", "RLD", "LLD"})
"""Frontal views; the lateral decubitus views RLD and LLD are projected from front to back as well."""

TERMS: Mapping[str, frozenset[str]] = {
    "BodyPartExamined": _BODY_PARTS,
    "BurnedInAnnotation": frozenset({"YES", "NO"}),
    "ConversionType": frozenset({"DV", "DI", "DF", "WSD", "SD", "SI", "DRW", "SYN"}),
    "FieldOfViewHorizontalFlip": frozenset({"YES", "NO"}),
    "LossyImageCompression": frozenset({"00", "01"}),
    "Modality": _MODALITIES,
    "PatientSex": frozenset("FMO"),
    "PhotometricInterpretation": frozenset(
        {
            "MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "HSV", "ARGB", "CMYK", "YBR_FULL", "YBR_FULL_422",
            "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT", "XYB",
        }
    ),
    "PixelSpacingCalibrationType": frozenset({"GEOMETRY", "FIDUCIAL"}),
    "PresentationIntentType": frozenset({"FOR PRESENTATION", "FOR PROCESSING"}),
    "PresentationLUTShape": frozenset({"IDENTITY", "INVERSE", "LIN OD"}),
    "ViewPosition": LATERAL_VIEWS | FRONTAL_VIEWS,
    "VOILUTFunction": frozenset({"LINEAR", "LINEAR_EXACT", "SIGMOID"}),
}  # fmt: skip
"""Terms by the keyword of their attribute."""


def is_chest(text: str) -> bool:
    """Whether a body part, in any spelling, is the chest.

    Parameters
    ----------
    text : str
        Text of Body Part Examined.

    Returns
    -------
    bool
        Whether it names the chest, the thorax, the lungs or the ribs.
    """
    return any(name in text.upper() for name in _CHEST)


def named_view(text: str) -> str:
    """Recognise a lateral or oblique view in a text that is no defined term.

    Parameters
    ----------
    text : str
        Text of View Position.

    Returns
    -------
    str
        ``LATERAL`` or ``OBLIQUE``, in every spelling that contains ``LAT`` or ``OBL``; empty for other text.
    """
    upper = text.upper()
    return "LATERAL" if "LAT" in upper else "OBLIQUE" if "OBL" in upper else ""
