"""Settings of a notification: which system is told about readings, in which form, and after which destinations."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from pneumoscope.pacs.peers import Credentials, Tls, check_name, check_port, check_service

Protocol = Literal["fhir", "hl7"]
ProcessingId = Literal["P", "T", "D"]
_FHIR_ONLY = ("url", "credentials", "patient_id_system", "accession_number_system")
_HL7_ONLY = (
    "host", "port", "assigning_authority", "sending_application", "sending_facility", "receiving_application",
    "receiving_facility", "processing_id",
)  # fmt: skip


@dataclass(frozen=True)
class Notification:
    """A system that is told about each reading.

    Parameters
    ----------
    name : str
        Name in rules, lists and messages.
    protocol : {"fhir", "hl7"}
        A FHIR R5 transaction by REST, or an HL7 v2.5.1 message ORU^R01 by MLLP.
    after : tuple of str
        Destinations whose objects the notification refers to: it waits until they have stored all objects of the reading. Empty
        for a notification that refers to the source image alone and does not wait.
    url : str
        Base URL of the FHIR server, such as ``https://host/fhir``, for ``fhir``.
    credentials : Credentials, optional
        For ``fhir``; only over https, or to this machine.
    patient_id_system, accession_number_system : str
        URI of the namespace of Patient IDs and of Accession Numbers (``Identifier.system``), for ``fhir``; empty: not stated.
    host, port
        The MLLP listener, for ``hl7``.
    assigning_authority : str
        Namespace of Patient IDs (PID-3.4) for a source that states no Issuer of Patient ID, for ``hl7``.
    sending_application, sending_facility, receiving_application, receiving_facility : str
        MSH-3 to MSH-6, for ``hl7``.
    processing_id : {"P", "T", "D"}
        MSH-11: production, training or debugging, for ``hl7``.
    tls : Tls, optional
        Certificates. An ``hl7`` notification with it is sent by TLS; a ``fhir`` one is if its URL says https.
    seconds : float
        Longest wait for a connection and for each answer, > 0.
    """

    name: str
    protocol: Protocol
    after: tuple[str, ...] = ()
    url: str = ""
    credentials: Credentials | None = None
    patient_id_system: str = ""
    accession_number_system: str = ""
    host: str = ""
    port: int = 0
    assigning_authority: str = ""
    sending_application: str = "PNEUMOSCOPE"
    sending_facility: str = ""
    receiving_application: str = ""
    receiving_facility: str = ""
    processing_id: ProcessingId = "P"
    tls: Tls | None = None
    seconds: float = 30.0

    def __post_init__(self) -> None:
        what = f"the notification '{self.name}'"
        check_name("a notification", self.name)
        if not self.seconds > 0:
            raise ValueError(f"'seconds' of {what} must be above 0, not {self.seconds:g}")
        self._check_unused(what, _HL7_ONLY if self.protocol == "fhir" else _FHIR_ONLY)
        if self.protocol == "fhir":
            check_service(what, self.url, self.credentials, "the base URL of a FHIR server, such as https://host/fhir")
            for name in ("patient_id_system", "accession_number_system"):
                _check_uri(what, name, getattr(self, name))
        else:
            if not self.host:
                raise ValueError(f"{what} needs the 'host' and the 'port' of an MLLP listener")
            check_port(what, self.port)

    def _check_unused(self, what: str, names: tuple[str, ...]) -> None:
        used = next((name for name in names if getattr(self, name) != getattr(type(self), name)), None)
        if used is not None:
            raise ValueError(f"{what} has the protocol '{self.protocol}', which does not take '{used}'")


def _check_uri(what: str, name: str, uri: str) -> None:
    if uri and (not urlsplit(uri).scheme or any(letter.isspace() for letter in uri)):
        raise ValueError(f"'{name}' of {what} must be a URI, such as https://hospital.example/patients, not '{uri}'")
