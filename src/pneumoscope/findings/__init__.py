"""A heat map becomes `Finding`s; score, map and findings become one `Reading`."""

from pneumoscope.findings.finding import Finding, extract
from pneumoscope.findings.reading import DomainCheck, ModelIdentity, Reading

__all__ = ["DomainCheck", "Finding", "ModelIdentity", "Reading", "extract"]
