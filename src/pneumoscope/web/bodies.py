"""The bodies of the API's requests and answers; the OpenAPI document takes their schemas from here."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from pneumoscope.classifier import Population
from pneumoscope.classifier.score import Decision
from pneumoscope.lung_fields.lung_fields import Laterality, State, Zone
from pneumoscope.radiograph.radiograph import Intent, SpacingKind
from pneumoscope.readings.line import FindingLine, SeverityLine, ZoneLine

FilmState = Literal["waiting", "queued", "reading", "read", "failed"]
JobState = Literal["running", "done", "cancelled"]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0)]
Point = tuple[float, float]


@dataclass(frozen=True)
class ErrorBody:
    """Why a request was refused: the kind of error, and one sentence for a person."""

    kind: str
    message: str


@dataclass(frozen=True)
class ErrorAnswer:
    """The answer to a request that was refused."""

    error: ErrorBody


@dataclass(frozen=True)
class ModelItem:
    """A model that the server reads with. Probabilities and thresholds lie in [0, 1]."""

    id: str
    name: str
    sha256: str
    target: str
    methods: tuple[str, ...]
    default_method: str
    threshold: float
    finding_threshold: float
    populations: tuple[Population, ...]
    abstains: bool
    has_domain: bool
    sees: Literal["whole", "lungs"]
    intended_population: str
    limits: str
    card: str


@dataclass(frozen=True)
class ModelList:
    """The models; `default` is the id of the one that the worklist shows."""

    default: str
    items: tuple[ModelItem, ...]
    disclaimer: str


@dataclass(frozen=True)
class FilmSummary:
    """One row of the worklist. What comes from a reading is null before the model has read the film; `state` is about the model
    that the list was asked for. `replacements` counts how often the file was replaced since the film was opened: what a client
    fetched before the last time is of another file."""

    id: str
    label: str
    number: int
    revision: Count
    state: FilmState
    error: ErrorBody | None
    rows: int | None
    cols: int | None
    view_position: str | None
    modality: str | None
    probability: Share | None
    decision: Decision | None
    abstains: bool | None
    outside_domain: bool | None
    n_findings: int | None
    has_reference: bool
    replacements: Count


@dataclass(frozen=True)
class FilmList:
    """A page of the worklist: `total` films match, `n_films` are open; with `since`, `removed` are those closed after it."""

    total: Count
    n_films: Count
    revision: Count
    items: tuple[FilmSummary, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True)
class WindowBody:
    """A window of DICOM PS3.3 C.11.2.1.2, in modality values."""

    centre: float
    width: float
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]


@dataclass(frozen=True)
class GreyBody:
    """How levels become grey: `source` says what the initial display follows."""

    n_levels: Count
    inverse: bool
    window: WindowBody | None
    source: Literal["", "header", "range", "bulk"]


@dataclass(frozen=True)
class SpacingBody:
    """Millimetres between pixels, and where they hold: at the detector, in the patient, calibrated, or not stated."""

    row_mm: float
    col_mm: float
    kind: SpacingKind


@dataclass(frozen=True)
class OrientationBody:
    """The turn from the stored grid to the displayed picture, and the letters at the edges of the displayed picture (R, L, A, P,
    H, F; empty where unknown)."""

    transposed: bool
    flip_rows: bool
    flip_cols: bool
    left: str
    right: str
    top: str
    bottom: str


@dataclass(frozen=True)
class FilmDetails(FilmSummary):
    """All that is shown of one film; nothing in it names the patient."""

    grey: GreyBody
    spacing: SpacingBody | None
    aspect: float
    orientation: OrientationBody
    cautions: tuple[str, ...]
    refusal: str | None
    file_format: Literal["", "DICOM", "PNG", "JPEG"]
    intent: Intent
    lossy: bool
    body_part: str
    sha256: str


@dataclass(frozen=True)
class BoxBody:
    """A rectangle in continuous pixels of the stored grid."""

    top: float
    left: float
    bottom: float
    right: float


@dataclass(frozen=True)
class CellSize:
    """Extent of one cell of a map along the stored rows and columns, in millimetres, with the kind of the spacing."""

    row_mm: float
    col_mm: float
    kind: SpacingKind


@dataclass(frozen=True)
class MapBody:
    """A heat map without its values, which `….f32` gives: float32, little-endian, row by row, over the model's square in the
    displayed order. `looked` has 1 for each cell that takes part in the score, row by row; null: all. Outside of the rectangle
    nothing was looked at."""

    name: str
    model: str
    method: str
    target: str
    rows: Count
    cols: Count
    rectangle: BoxBody
    looked: tuple[Literal[0, 1], ...] | None
    threshold: float
    full_scale: float
    unit: Literal["probability", "share of full scale"]
    scale: float
    cell_mm: CellSize | None


@dataclass(frozen=True)
class LungsBody:
    """The lung fields: polygons of [row, col] on the stored grid, and the box that a model of the lungs looks at. Right and left
    are the patient's."""

    state: State
    quality: Share
    right: tuple[tuple[Point, ...], ...]
    left: tuple[tuple[Point, ...], ...]
    box: BoxBody


@dataclass(frozen=True)
class FindingsBody:
    """The opacities that the model marked, highest rating first; empty where the decision is negative."""

    items: tuple[FindingLine, ...]


@dataclass(frozen=True)
class ZoneBody:
    """One zone of a lung with its outline on the stored grid, and its opacity by the heat map."""

    laterality: Laterality
    zone: Zone
    outline: tuple[tuple[Point, ...], ...]
    opacity: ZoneLine | None


@dataclass(frozen=True)
class ZonesBody:
    """The six lung zones; empty, with a reason, where the lungs were not found."""

    items: tuple[ZoneBody, ...]
    severity: SeverityLine | None
    reason: str | None


@dataclass(frozen=True)
class DifferenceBody:
    """The second map minus the first on a grid over the whole film, stored order; `compare.f32` gives the values, NaN where one
    of them did not look."""

    rows: Count
    cols: Count
    unit: str
    comparable: bool
    reason: str | None
    largest: float | None


@dataclass(frozen=True)
class ComparisonBody:
    """Two maps of one film and their difference."""

    first: MapBody
    second: MapBody
    difference: DifferenceBody


@dataclass(frozen=True)
class RegionsBody:
    """What radiologists drew on the film; `outlines` are polygons of [row, col] on the stored grid."""

    boxes: tuple[BoxBody, ...]
    outlines: tuple[tuple[Point, ...], ...]
    n_readers: Count


@dataclass(frozen=True)
class JobRequest:
    """What is to be read: all films or some, by which model, as which population where the file does not state the age."""

    films: Literal["all"] | tuple[str, ...] = "all"
    model: str = ""
    population: Population | None = None


@dataclass(frozen=True)
class JobBody:
    """The progress of a job; `failed` films are counted in `done` too."""

    id: str
    model: str
    population: Population | None
    state: JobState
    total: Count
    done: Count
    failed: Count


@dataclass(frozen=True)
class JobStarted:
    """A job that reads one film."""

    job: JobBody


@dataclass(frozen=True)
class ServerInfo:
    """The program and what it was started with."""

    name: str
    version: str
    form: int
    disclaimer: str
    show_names: bool
    stow: bool
    has_reference: bool
    store: bool
    max_body_bytes: int
