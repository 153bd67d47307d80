"""Settings of the node itself: how it listens, reads, sends and keeps, and what peers may use."""

from dataclasses import dataclass, field
from datetime import date

from pneumoscope.classifier import Population
from pneumoscope.limited_process import DECODING_BYTES
from pneumoscope.pacs.peers import Tls, check_ae_title, check_name, check_port, is_loopback

_LEAST_READINGS = 20


def _check_positive(settings: object, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) > 0:
            raise ValueError(f"'{name}' must be above 0, not {getattr(settings, name):g}")


def _check_not_negative(settings: object, *names: str) -> None:
    for name in names:
        if not getattr(settings, name) >= 0:
            raise ValueError(f"'{name}' must be at least 0, not {getattr(settings, name):g}")


@dataclass(frozen=True)
class Receiving:
    """How the node listens.

    Parameters
    ----------
    ae_title : str
        Own AE title; also the calling AE title to destinations.
    host : str
        Address to listen on.
    port : int
        TCP port for DIMSE (C-ECHO, C-STORE); 0: the node does not listen for DIMSE.
    stow_port : int
        TCP port for HTTP: STOW-RS, and the metrics for Prometheus at ``/metrics``; 0: the node does not listen for HTTP.
    stow_token_file : str
        File whose first line is the bearer token that an HTTP client must present; needed with ``stow_port`` unless ``tls``
        asks for certificates.
    tls : Tls, optional
        Own certificate and key, and the authority of the clients' certificates; TLS 1.2 or newer is then the only way in.
    allow_network : bool
        Whether other machines may connect; needed where ``host`` is not this machine alone.
    """

    ae_title: str = "PNEUMOSCOPE"
    host: str = "127.0.0.1"
    port: int = 11112
    stow_port: int = 0
    stow_token_file: str = field(default="", repr=False)
    tls: Tls | None = None
    allow_network: bool = False

    def __post_init__(self) -> None:
        check_ae_title("the node", self.ae_title)
        if not self.host:
            raise ValueError("'host' of the node is empty; name an address, such as '127.0.0.1' for this machine alone")
        for port in (self.port, self.stow_port):
            check_port("the node", port, lowest=0)
        if self.port and self.port == self.stow_port:
            raise ValueError(f"'port' and 'stow_port' are both {self.port}; choose two ports")
        if self.stow_port and not (self.stow_token_file or self.tls):
            raise ValueError("'stow_port' needs a 'stow_token_file' or certificates in 'tls': it would take images from anybody")
        if self.tls and not (self.tls.authority and self.tls.certificate):
            raise ValueError("'tls' of a listener needs 'authority', 'certificate' and 'key'")
        if not is_loopback(self.host) and not self.allow_network:
            raise ValueError(f"other machines could connect to {self.host}; say  allow_network = true  if they may")


@dataclass(frozen=True)
class Limits:
    """What the peers of the node and a single radiograph may use.

    Parameters
    ----------
    associations, associations_per_address : int
        Most associations at the same time, in all and from one address.
    pdu_bytes : int
        Longest PDU that is accepted, and the maximum length that is negotiated.
    pdu_seconds : float
        Longest time for a whole PDU from its first byte, and between two PDUs of one message.
    request_seconds : float
        Longest time from a connection to the whole request: the TLS handshake, and the request of an association or the head of
        an HTTP request.
    idle_seconds : float
        Longest time without any PDU between two messages of an association.
    wait_seconds : float
        How long a sender waits for its answer while the spool is full, before it is refused.
    drain_seconds : float
        How long the processes may finish what they hold when the node stops.
    instance_bytes : int
        Largest instance that is accepted.
    spool_bytes : int
        Quota of the spool folder.
    spool_free_bytes : int
        Free space that the file system of the spool must keep.
    pause_polls_at, refuse_at : float
        Share of the quota from which polls pause, and from which C-STORE is answered 0xA700 and STOW-RS 503.
    """

    associations: int = 32
    associations_per_address: int = 8
    pdu_bytes: int = 2**20
    pdu_seconds: float = 8.0
    request_seconds: float = 5.0
    idle_seconds: float = 60.0
    wait_seconds: float = 20.0
    drain_seconds: float = 20.0
    instance_bytes: int = 2**28
    spool_bytes: int = 50 * 2**30
    spool_free_bytes: int = 2**30
    pause_polls_at: float = 0.8
    refuse_at: float = 0.95

    def __post_init__(self) -> None:
        if not 0 < self.pause_polls_at <= self.refuse_at <= 1:
            raise ValueError("'pause_polls_at' and 'refuse_at' are shares: 0 < pause_polls_at <= refuse_at <= 1")
        if not 2**12 <= self.pdu_bytes <= 2**27:
            raise ValueError(f"'pdu_bytes' must be 4096 to 134217728, not {self.pdu_bytes}")
        _check_positive(self, "associations", "associations_per_address", "pdu_seconds", "idle_seconds", "instance_bytes")
        _check_positive(self, "request_seconds", "spool_bytes")
        _check_not_negative(self, "wait_seconds", "drain_seconds", "spool_free_bytes")


@dataclass(frozen=True)
class Model:
    """A bundle that the node reads with.

    Parameters
    ----------
    name : str
        Name in rules, lists and messages.
    bundle : str
        Folder of the bundle, or the name of a shipped one (``default``, ``whole``).
    shadow : bool
        Whether its readings are kept and never sent.
    population : {"child", "adult"}, optional
        Population of patients whose age the file does not state, for a model with settings by population.
    """

    name: str
    bundle: str = "default"
    shadow: bool = False
    population: Population | None = None

    def __post_init__(self) -> None:
        check_name("a model", self.name)


@dataclass(frozen=True)
class Working:
    """How the node reads.

    Parameters
    ----------
    readers : int
        Radiographs that are read at the same time.
    decode_seconds : float
        Longest time that decoding one file may take; half of it as processor time.
    decode_bytes : int
        Memory that decoding one file may take; by default as much as the largest radiograph needs.
    attempts : int
        How often an instance is tried whose reading ends without an answer (a crash, a full disk) before it fails.
    lease_seconds : float
        How long a claim holds; a claim of a process that was killed is taken over after it.
    deflated_maps : bool
        Whether Parametric Maps are rounded to 1/1024 and deflated, 50 times smaller; every destination of maps has to know
        Deflated Explicit VR Little Endian, as OHIF and Orthanc do.
    """

    readers: int = 2
    decode_seconds: float = 20.0
    decode_bytes: int = DECODING_BYTES
    attempts: int = 3
    lease_seconds: float = 300.0
    deflated_maps: bool = False

    def __post_init__(self) -> None:
        _check_positive(self, "readers", "decode_seconds", "decode_bytes", "attempts", "lease_seconds")


@dataclass(frozen=True)
class Sending:
    """How the node sends.

    Parameters
    ----------
    senders : int
        Deliveries at the same time.
    first_wait_seconds, longest_wait_seconds : float
        Wait after the first transient error, doubled by each further one, and its upper bound.
    give_up_hours : float
        Time from the first try after which a delivery becomes a dead letter.
    lease_seconds : float
        How long the claim of a delivery holds.
    """

    senders: int = 2
    first_wait_seconds: float = 5.0
    longest_wait_seconds: float = 1800.0
    give_up_hours: float = 72.0
    lease_seconds: float = 120.0

    def __post_init__(self) -> None:
        _check_positive(self, "senders", "first_wait_seconds", "longest_wait_seconds", "give_up_hours", "lease_seconds")
        if self.longest_wait_seconds < self.first_wait_seconds:
            raise ValueError("'longest_wait_seconds' must be at least 'first_wait_seconds'")


@dataclass(frozen=True)
class Drift:
    """When the readings of a device differ so much from its first weeks that somebody should look.

    A measure alerts where its difference reaches the threshold, the 95 % interval of the difference lies above 0, and both sides
    have enough readings.

    Parameters
    ----------
    reference_weeks : int
        How many of the first weeks with readings of each device and model are the reference, >= 1.
    reference_from : str
        First day (``YYYY-MM-DD``) of the reference, such as the day on which a device was changed on purpose; empty for the first
        reading.
    least_readings : int
        Least number of readings of a week, and of the reference, for an alert, >= 20.
    score_distance : float
        Threshold of the Kolmogorov-Smirnov distance between the scores of a week and those of the reference, 0 to 1.
    abstention_rise, outside_rise : float
        Threshold of the rise of the share of readings in which the model abstains, and of those outside of the model's domain,
        0 to 1.
    seconds : float
        Time between two checks, >= 1.
    """

    reference_weeks: int = 4
    reference_from: str = ""
    least_readings: int = 50
    score_distance: float = 0.2
    abstention_rise: float = 0.1
    outside_rise: float = 0.1
    seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.reference_weeks < 1 or self.least_readings < _LEAST_READINGS or not self.seconds >= 1:
            raise ValueError(f"'reference_weeks' and 'seconds' must be at least 1, 'least_readings' at least {_LEAST_READINGS}")
        if not all(0 < one <= 1 for one in (self.score_distance, self.abstention_rise, self.outside_rise)):
            raise ValueError("'score_distance', 'abstention_rise' and 'outside_rise' must be above 0 and at most 1")
        if self.reference_from:
            try:
                date.fromisoformat(self.reference_from)
            except ValueError:
                raise ValueError(f"'reference_from' must be a day such as '2026-03-02', not '{self.reference_from}'") from None


@dataclass(frozen=True)
class QualitySample:
    """Which of the radiographs that are read are kept for people to read: a random sample that is the same for the same seed.

    Parameters
    ----------
    rate : float
        Share of the radiographs that are read, 0 to 1; 0 where `per_week` is given.
    per_week : int
        Number of the radiographs of each week (ISO 8601, UTC) in which they arrived; 0 where `rate` is given.
    by_decision : bool
        Whether `per_week` counts for each decision of the first model, so that rare positive ones are not missed.
    seed : str
        Decides, together with the salt, which radiographs are chosen.
    """

    rate: float = 0.0
    per_week: int = 0
    by_decision: bool = False
    seed: str = "1"

    def __post_init__(self) -> None:
        if not (0 <= self.rate <= 1 and self.per_week >= 0):
            raise ValueError("'rate' must be 0 to 1, and 'per_week' at least 0")
        if bool(self.rate) == bool(self.per_week):
            raise ValueError("give either 'rate', a share of the radiographs, or 'per_week', a number of them")
        if self.by_decision and not self.per_week:
            raise ValueError("'by_decision' needs 'per_week': a share is the same of every decision")


@dataclass(frozen=True)
class Retention:
    """How long the files of the node are kept; the rows of the ledger stay, and a file that is still needed stays too.

    Parameters
    ----------
    source_days : float
        Days that a received file is kept after its instance is finished and its results are delivered, >= 0.
    result_days : float
        Days that a result is kept after its last delivery, >= 0; at least ``send.give_up_hours`` where a destination commits
        itself to keep results.
    """

    source_days: float = 7.0
    result_days: float = 30.0

    def __post_init__(self) -> None:
        if not (self.source_days >= 0 and self.result_days >= 0):
            raise ValueError("'source_days' and 'result_days' must be at least 0")
