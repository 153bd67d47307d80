"""Tell other systems about a reading: a FHIR R5 DiagnosticReport, or an HL7 v2.5.1 message ORU^R01."""
