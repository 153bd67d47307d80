"""What can go wrong in the node.

PneumoscopeError
└── NodeError
    └── ConfigError  the configuration of the node cannot be used

No message quotes an identifier of a patient, a study or an instance.
"""

from pneumoscope import PneumoscopeError


class NodeError(PneumoscopeError):
    """The node, or a part of it, cannot do what it was asked to do."""


class ConfigError(NodeError):
    """The configuration of the node is missing, damaged or contradicts itself."""
