"""Which SOP classes the node takes, and in which transfer syntaxes: those that `pneumoscope.radiograph` decodes."""

from pydicom import uid
from pynetdicom.presentation import PresentationContext, build_context

STORED_CLASSES: tuple[uid.UID, ...] = (
    uid.ComputedRadiographyImageStorage,
    uid.DigitalXRayImageStorageForPresentation,
    uid.SecondaryCaptureImageStorage,
)
"""SOP classes that are received."""

TRANSFER_SYNTAXES: tuple[uid.UID, ...] = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.JPEGBaseline8Bit,
    uid.JPEGExtended12Bit,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
    uid.RLELossless,
)
"""Transfer syntaxes that are received."""

VERIFICATION = uid.UID("1.2.840.10008.1.1")
STORAGE_COMMITMENT = uid.UID("1.2.840.10008.1.20.1")


def contexts(*, with_commitment: bool = False) -> list[PresentationContext]:
    """Make the presentation contexts that the node accepts.

    Parameters
    ----------
    with_commitment : bool
        Whether reports of storage commitment are taken, from peers that act as its provider.

    Returns
    -------
    list of PresentationContext
        Verification, and one for each class of `STORED_CLASSES`.
    """
    uncompressed: list[str | uid.UID] = [uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian]
    stored = [build_context(sop_class, list(TRANSFER_SYNTAXES)) for sop_class in STORED_CLASSES]
    made = [build_context(VERIFICATION, uncompressed), *stored]
    if with_commitment:
        reports = build_context(STORAGE_COMMITMENT, uncompressed)
        reports.scu_role, reports.scp_role = True, True
        made.append(reports)
    return made
