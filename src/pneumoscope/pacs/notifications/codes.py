"""Codes of notifications that DICOM objects do not need, and how FHIR names the coding schemes."""

from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from pneumoscope.dicom_objects import concepts
from pneumoscope.dicom_objects.uids import derived_uid

STUDY = Code("113014", "DCM", "DICOM Study")
SOURCE_IMAGE: Code = codes.DCM.SourceImage
IMAGE_REGION: Code = codes.DCM.ImageRegion
LATERALITY: Code = codes.SCT.Laterality
CHEST_EXAMINATION = Code("36554-4", "LN", "XR Chest Single view")
"""LOINC code of the examination: one radiograph of the chest, which is what was read."""
FINDINGS_TEXT = Code("59776-5", "LN", "Procedure findings")
OUTSIDE = Code("OUTSIDE", concepts.SCHEME, "Outside of the domain of the model")
RESULT_OBJECT = Code("RESULT_OBJECT", concepts.SCHEME, "DICOM object of the reading")

OID_SYSTEM = "urn:ietf:rfc:3986"
"""Namespace of identifiers that are URIs, among them UIDs in the form ``urn:oid:…``."""
FHIR_SYSTEMS = {
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "UCUM": "http://unitsofmeasure.org",
    concepts.SCHEME: f"urn:oid:{derived_uid('coding scheme', concepts.SCHEME)}",
}
"""URI of each coding scheme by its designator in DICOM."""
