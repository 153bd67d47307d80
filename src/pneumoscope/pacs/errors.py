"""What can go wrong in the node.

PneumoscopeError
└── NodeError
    ├── ConfigError          the configuration of the node cannot be used
    ├── LedgerError          the database cannot be used
    │   ├── LedgerBusyError  another process holds the database for longer than the wait that is configured
    │   ├── LeaseLostError   another worker has taken over what this worker had claimed
    │   └── ResultTakenError a result has the UID of a result of another image
    ├── SpoolError           the spool folder cannot be used
    │   └── SpoolFullError   the disk or the quota of the spool is full
    ├── NotUnderstoodError   what was sent is no instance that can be received
    │   └── MismatchError    the data set is not the one that was announced
    ├── InvalidMessageError  a notification is not valid by its standard
    └── ListenError          the node cannot listen

No message quotes an identifier of a patient, a study or an instance.
"""

from pneumoscope import PneumoscopeError


class NodeError(PneumoscopeError):
    """The node, or a part of it, cannot do what it was asked to do."""


class ConfigError(NodeError):
    """The configuration of the node is missing, damaged or contradicts itself."""


class LedgerError(NodeError):
    """The ledger's database cannot be used."""


class LedgerBusyError(LedgerError):
    """The ledger's database is locked by another process for longer than the configured wait."""


class LeaseLostError(LedgerError):
    """Another worker has taken over what this worker had claimed, because the lease ran out."""


class ResultTakenError(LedgerError):
    """A result has the UID of a result of another image, so that a PACS would keep only one of them."""


class SpoolError(NodeError):
    """The spool folder cannot be used."""


class SpoolFullError(SpoolError):
    """The disk of the spool, or the quota of the spool, is full."""


class NotUnderstoodError(NodeError):
    """What was sent is no DICOM instance that can be received."""


class CutOffError(NotUnderstoodError):
    """A data set has fewer bytes than it states."""


class MismatchError(NotUnderstoodError):
    """A data set is not the one that the message announced."""


class InvalidMessageError(NodeError):
    """A notification is not valid by its standard, so that it is not sent."""


class ListenError(NodeError):
    """The node cannot listen, because the port is taken or a certificate cannot be used."""
