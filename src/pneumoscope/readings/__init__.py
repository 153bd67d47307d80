"""A heat map becomes `Finding`s; score, map and findings become one `Reading`."""

from pneumoscope.readings.finding import Finding, extract
from pneumoscope.readings.model_reading import DomainCheck, ModelIdentity, Reading

__all__ = ["DomainCheck", "Finding", "ModelIdentity", "Reading", "extract"]
