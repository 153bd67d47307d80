"""The former name of `silenced_decoders`, until its last caller has moved."""

from pneumoscope.radiograph.silenced_decoders import silenced_decoders as quiet

__all__ = ["quiet"]
