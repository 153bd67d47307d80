"""The noun `Reader`: an ONNX graph with its card; reads radiographs with ONNX Runtime and never with PyTorch."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pneumoscope import PneumoscopeError
from pneumoscope import radiograph as radiographs
from pneumoscope.classifier import Card, CardError, Score, trained_on
from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.preprocessing import ModelInput, place
from pneumoscope.fingerprint import Fingerprint
from pneumoscope.heatmap import heatmap
from pneumoscope.lung_fields import LungFields, finder
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.ordered_map import chunks, cores, ordered_map
from pneumoscope.radiograph import AcceptancePolicy, Placement, Radiograph, review
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.reader.bundle import DISTANCE, GIVEN, IMAGE, LOGITS, LOOKED_AT, SQUARE, open_bundle
from pneumoscope.readings import DomainCheck, ModelIdentity, Reading, extract

_BUNDLES = Path(__file__).parent / "bundles"
SHIPPED = {"default": _BUNDLES / "default", "whole": _BUNDLES / "whole"}
"""Bundles of the package: of the lungs, which is taken by default, and of the whole image with Grad-CAM, as published."""
DEFAULT_BUNDLE = SHIPPED["default"]
PREDICTED = "predicted"
"""Stands for the class that the decision is for."""

Source = Path | str | bytes | Radiograph
"""What can be read: a file, its content, or a radiograph."""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one of many: its reading, or the error that says why there is none."""

    source: Source
    radiograph: Radiograph | None = None
    reading: Reading | None = None
    error: PneumoscopeError | OSError | None = None


class Reader:
    """Reads radiographs with one model. A reader may be used from several threads."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        card: Card,
        sha256: str,
        threads: int,
        policy: AcceptancePolicy = DEFAULT_POLICY,
        trained_on: tuple[Fingerprint, ...] = (),
    ) -> None:
        self._session = session
        self._threads = threads
        self.policy = policy
        self.card = card
        self.trained_on = trained_on
        self.model = ModelIdentity(card.name, sha256)

    @classmethod
    def load(
        cls,
        bundle: Path | str = DEFAULT_BUNDLE,
        *,
        threads: int = 0,
        providers: Sequence[str] = (),
        policy: AcceptancePolicy = DEFAULT_POLICY,
    ) -> Self:
        """Load a bundle (the shipped model by default) after checking it against its card.

        `threads` is the number of threads within one inference, 0 for as many as pay: 1 is best for `read_many`, which runs as
        many inferences at once as there are cores. `providers` are ONNX Runtime's execution providers by name, the processor by
        default. `policy` says which radiographs are refused. Raises BundleError or CardError.
        """
        session, card, sha256 = open_bundle(Path(bundle), threads, providers)
        return cls(session, card, sha256, threads, policy, trained_on.read(Path(bundle), card))

    def read(self, radiograph: Radiograph, *, target: str = "", method: str = "") -> Reading:
        """Read one radiograph.

        `target` is the class whose evidence the heat map shows, ``predicted`` for the one that is decided for, the card's own
        by default; `method` one of the card's ways to make it. Score and decision are always the card's target's. Raises
        NotAcceptedError where the policy refuses the radiograph.
        """
        self._can(target, method)
        review(radiograph, self.policy)
        return self._read_all([radiograph], target, method)[0]

    def read_many(
        self, sources: Iterable[Source], *, batch: int = 1, target: str = "", method: str = "", workers: int = 0
    ) -> Iterator[Outcome]:
        """Read any number of files, their contents, or radiographs, in their order and in memory that does not grow with them.

        So many `workers` decode and read at once, `self.workers` by default. `batch` radiographs go through the graph
        together: more than one pays on a GPU alone.
        """
        together = functools.partial(self.read_together, target=target, method=method)
        for outcomes in ordered_map(together, chunks(sources, batch), workers or self.workers):
            yield from outcomes

    def read_together(self, sources: Sequence[Source], *, target: str = "", method: str = "") -> list[Outcome]:
        """Read a few that go through the graph together; of one that cannot be read the outcome has the error."""
        self._can(target, method)
        outcomes = [self._decoded(source) for source in sources]
        images = [outcome.radiograph for outcome in outcomes if outcome.radiograph is not None]
        readings = iter(self._read_all(images, target, method) if images else ())
        return [o if o.radiograph is None else Outcome(o.source, o.radiograph, next(readings)) for o in outcomes]

    @property
    def workers(self) -> int:
        """How many threads should read at once: as many as there are cores where one inference takes one thread, else two,
        so that one radiograph is decoded while another is read."""
        return cores() if self._threads == 1 else 2

    def find(self, radiograph: Radiograph) -> LungFields:
        """The lung fields of one radiograph."""
        fields = self._run(FIELDS, {IMAGE: self.seen(radiograph)[None, None]})
        return finder.fields([part[0] for part in fields], radiograph.rows, radiograph.cols, radiograph.orientation)

    def square(self, radiograph: Radiograph) -> Grey:
        """What the graph makes of a radiograph before it looks at it, float32 (channels, side, side)."""
        (square,) = self._run((LOOKED_AT,), {IMAGE: self.seen(radiograph)[None, None]})
        return np.asarray(square[0])

    def prepare(self, radiograph: Radiograph) -> ModelInput:
        """What the graph looks at, for those who change it before it is looked at."""
        return place(radiograph, self.card.preprocessing, self.find(radiograph))

    def log_odds(self, squares: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-odds of the target, shape (n,), of prepared squares, shape (n, channels, side, side) in [0, 1]."""
        (logits,) = self._run((LOGITS,), self._given(squares))
        return np.asarray(logits[:, -1] - logits[:, 0], np.float64)

    def explain(self, squares: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Log-odds (n,) and raw heat maps (n, h, w) of the target, of prepared squares as `log_odds` takes them."""
        logits, maps = self._run((LOGITS, self.card.map_method), self._given(squares))
        return np.asarray(logits[:, -1] - logits[:, 0], np.float64), maps[:, -1]

    def raw_maps(self, squares: NDArray[np.float32], method: str) -> NDArray[np.float32]:
        """Raw heat maps of all classes by a method of the card, (n, classes, h, w), of prepared squares."""
        return self._run((method,), self._given(squares))[0]

    def _run(self, names: Sequence[str], inputs: dict[str, NDArray[np.generic]]) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = self._session.run([*names], inputs)
        return found

    def _given(self, squares: NDArray[np.float32]) -> dict[str, NDArray[np.generic]]:
        side = self.card.preprocessing.seen_px
        return {IMAGE: np.zeros((1, 1, side, side), np.float32), SQUARE: squares, GIVEN: np.array(True)}

    def seen(self, radiograph: Radiograph) -> Grey:
        """The whole radiograph as it is handed to the graph, float32 (side, side) in [0, 1]."""
        return on_whole(radiograph, self.card.preprocessing.seen_px).pixels_to_square(radiograph)

    def explained(self, target: str, decision: str) -> str:
        """The class whose evidence a reading of this decision shows, when `target` was asked for."""
        decided = self.card.target if decision == "positive" else self.card.classes[0]
        return decided if target == PREDICTED else target or self.card.target

    def _can(self, target: str, method: str) -> None:
        if target and target not in (*self.card.classes, PREDICTED):
            raise CardError(f"the model has the classes {', '.join(self.card.classes)}, not '{target}'; {PREDICTED} is either")
        if method and method not in self.card.map_scales:
            raise CardError(f"the model gives heat maps by {', '.join(self.card.map_scales)}, not '{method}'")

    def _read_all(self, images: Sequence[Radiograph], target: str, method: str) -> list[Reading]:
        """Readings of radiographs that go through the graph together."""
        method = method or self.card.map_method
        seen = np.stack([self.seen(image) for image in images])[:, None]
        found = self._run((*FIELDS, LOGITS, DISTANCE, method), {IMAGE: seen})
        return [self._reading(image, [part[k] for part in found], target, method) for k, image in enumerate(images)]

    def _reading(self, image: Radiograph, found: Sequence[NDArray[np.float32]], target: str, method: str) -> Reading:
        fields = finder.fields(found[: len(FIELDS)], image.rows, image.cols, image.orientation)
        logits, distance, maps = found[len(FIELDS) :]
        log_odds = float(logits[-1] - logits[0])
        score = Score(self.card.target, float(self.card.calibration(np.array([log_odds]))[0]), log_odds)
        point = self.card.operating_point
        decision = point.decide(score.probability)
        explained = self.explained(target, decision)
        raw = maps[self.card.classes.index(explained)]
        layer = "evidence" if method == heatmap.EVIDENCE else backbone(self.card.backbone).explained_layer
        shown = heatmap.on_radiograph(raw, self._placement(image, fields), self.card, explained, layer, method)
        speaks = decision == "positive" and explained == self.card.target
        marks = extract(shown, score.probability, fields) if speaks else ()
        domain = self._domain(float(distance), fields)
        cautions = review(image, self.policy)
        return Reading(score, decision, point, shown, marks, fields, self.model, self.card.grey_zone, domain, cautions)

    def _placement(self, image: Radiograph, fields: LungFields) -> Placement:
        wanted = self.card.preprocessing
        box = fields.box if wanted.view == "lungs" else image.whole
        return Placement.of(image, box, wanted.side_px)

    def _domain(self, distance: float, fields: LungFields) -> DomainCheck | None:
        limit = self.card.domain
        return DomainCheck(distance, limit.distance, fields.state != "not found") if limit else None

    def _decoded(self, source: Source) -> Outcome:
        try:
            image = source if isinstance(source, Radiograph) else radiographs.read(source)
            review(image, self.policy)
        except (PneumoscopeError, OSError) as error:
            return Outcome(source, error=error)
        return Outcome(source, image)
