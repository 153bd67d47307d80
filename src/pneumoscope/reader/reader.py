"""Define the reader: an ONNX graph with its card that reads radiographs with ONNX Runtime, never with PyTorch."""

import functools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pneumoscope import PneumoscopeError
from pneumoscope import radiograph as radiographs
from pneumoscope.classifier import Card, CardError, Score, trained_on
from pneumoscope.classifier.backbone import backbone
from pneumoscope.classifier.identity import identity_sha256
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
from pneumoscope.reader.bundle import DISTANCE, IMAGE, LOGITS, LOOKED_AT, open_bundle, without_image
from pneumoscope.reader.errors import ModelOutputError, SourceError
from pneumoscope.reader.outcome import Outcome, Source
from pneumoscope.reader.output_checks import check_finite, check_outputs
from pneumoscope.readings import DomainCheck, ModelIdentity, ModelReading, extract

_BUNDLES = Path(__file__).parent / "bundles"
SHIPPED = {"default": _BUNDLES / "default", "whole": _BUNDLES / "whole"}
"""Bundles of the package: of the lungs, which is taken by default, and of the whole image with Grad-CAM, as published."""
DEFAULT_BUNDLE = SHIPPED["default"]
PREDICTED = "predicted"
"""Stands for the class that the decision is for."""


class Reader:
    """A model that reads radiographs. It may be used from several threads, and called like `read`.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Session of a checked graph (`pneumoscope.reader.bundle.open_bundle`).
    card : Card
        Card of the graph.
    sha256 : str
        SHA-256 of the graph.
    threads : int
        Threads within one inference, 0 for as many as pay.
    policy : AcceptancePolicy
        Which radiographs are refused, and which are read with a caution.
    trained_on : tuple of Fingerprint
        Salted hashes of the patients and images that the model was trained on.

    Examples
    --------
    >>> from pneumoscope.cohort.sample import sample
    >>> reader = Reader.load()
    >>> with sample() as cohort:
    ...     reading = reader.read(cohort.file(cohort.cases[0]))
    >>> reading.decision
    'negative'
    """

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
        self.trained_on = trained_on
        self.card = card
        self.model = ModelIdentity(card.name, identity_sha256(card, sha256))

    def __repr__(self) -> str:
        return f"<Reader {self.card.name} ({self.model.sha256[:12]}) for {self.card.target}>"

    @classmethod
    def load(
        cls,
        bundle: Path | str = DEFAULT_BUNDLE,
        *,
        threads: int = 0,
        providers: Sequence[str] = (),
        policy: AcceptancePolicy = DEFAULT_POLICY,
    ) -> Self:
        """Load a bundle after checking it against its card.

        Parameters
        ----------
        bundle : Path or str
            Folder of the bundle; the shipped model by default.
        threads : int
            Threads within one inference, 0 for as many as pay. 1 is best for `read_many`, which runs as many inferences at once
            as there are cores.
        providers : sequence of str
            ONNX Runtime's execution providers by name; the processor by default.
        policy : AcceptancePolicy
            Which radiographs are refused, and which are read with a caution.

        Returns
        -------
        Reader
            The reader.

        Raises
        ------
        BundleError
            The graph is missing, damaged, not the card's, or calibrates otherwise than the card.
        CardError
            The card is missing or damaged.
        """
        session, card, sha256 = open_bundle(Path(bundle), threads, providers)
        return cls(session, card, sha256, threads, policy, trained_on.read(Path(bundle), card))

    def __call__(self, source: Source) -> ModelReading:
        """Read one radiograph; the same as `read` without options.

        Parameters
        ----------
        source : Radiograph, Path, str or bytes
            As in `read`.

        Returns
        -------
        ModelReading
            The answer.
        """
        return self.read(source)

    def read(self, source: Source, *, target: str = "", method: str = "") -> ModelReading:
        """Read one radiograph.

        Parameters
        ----------
        source : Radiograph, Path, str or bytes
            A decoded radiograph, a file (DICOM, PNG, JPEG), or a file's content.
        target : str
            The class whose evidence the heat map shows, ``predicted`` for the one that is decided for; the card's target by
            default. Score and decision are always the card's target's.
        method : str
            How the heat map is made, of the methods that the card names; the card's own by default.

        Returns
        -------
        ModelReading
            The answer.

        Raises
        ------
        RadiographError
            The file cannot be read as a radiograph.
        NotAcceptedError
            The policy refuses the radiograph: a lateral view, another part of the body, raw detector data.
        ModelOutputError
            The model failed, or gave a value that no model can give.
        CardError
            The model does not have this target or method.
        SourceError
            The source is none of these types.
        """
        self.check(target, method)
        (answer,) = self._read_all([self._accepted(source)], target, method)
        if isinstance(answer, PneumoscopeError):
            raise answer
        return answer

    def read_many(
        self, sources: Iterable[Source], *, batch: int = 1, target: str = "", method: str = "", workers: int = 0
    ) -> Iterator[Outcome]:
        """Read any number of radiographs in memory that does not grow with them.

        Parameters
        ----------
        sources : iterable of Radiograph, Path, str or bytes
            As in `read`.
        batch : int
            Radiographs that go through the graph together, >= 1; more than one pays on a GPU alone.
        target, method : str
            As in `read`.
        workers : int
            Threads that decode and read, 0 for `self.workers`.

        Yields
        ------
        Outcome
            One a source, in their order.

        Raises
        ------
        CardError
            The model does not have this target or method.
        """
        together = functools.partial(self.read_together, target=target, method=method)
        for outcomes in ordered_map(together, chunks(sources, batch), workers or self.workers):
            yield from outcomes

    def read_together(self, sources: Sequence[Source], *, target: str = "", method: str = "") -> list[Outcome]:
        """Read a few radiographs that go through the graph together.

        Parameters
        ----------
        sources : sequence of Radiograph, Path, str or bytes
            As in `read`.
        target, method : str
            As in `read`.

        Returns
        -------
        list of Outcome
            One a source, in their order; of one that cannot be read the outcome has the error.

        Raises
        ------
        CardError
            The model does not have this target or method.
        """
        self.check(target, method)
        outcomes = [self._decoded(source) for source in sources]
        images = [outcome.radiograph for outcome in outcomes if outcome.radiograph is not None]
        answers = iter(self._read_all(images, target, method) if images else ())
        return [o if o.radiograph is None else o.answered(next(answers)) for o in outcomes]

    @property
    def workers(self) -> int:
        """How many threads should read at once.

        As many as there are cores where one inference takes one thread, else two, so that one radiograph is decoded while another
        is read.
        """
        return cores() if self._threads == 1 else 2

    def find(self, radiograph: Radiograph) -> LungFields:
        """Find the lung fields of one radiograph.

        Parameters
        ----------
        radiograph : Radiograph
            The radiograph.

        Returns
        -------
        LungFields
            As a reading has them.
        """
        fields = self._run(FIELDS, {IMAGE: self.seen(radiograph)[None, None]})
        return finder.fields([part[0] for part in fields], radiograph.rows, radiograph.cols, radiograph.orientation)

    def square(self, radiograph: Radiograph) -> Grey:
        """Compute the square that the graph's classifier gets for a radiograph.

        Parameters
        ----------
        radiograph : Radiograph
            The radiograph.

        Returns
        -------
        ndarray of float32, shape (channels, size, size)
            In [0, 1], resampled by the graph itself.
        """
        (square,) = self._run((LOOKED_AT,), {IMAGE: self.seen(radiograph)[None, None]})
        return np.asarray(square[0])

    def prepare(self, radiograph: Radiograph) -> ModelInput:
        """Prepare the model's input outside of the graph, so that its pixels can be changed before they are scored.

        Parameters
        ----------
        radiograph : Radiograph
            The radiograph.

        Returns
        -------
        ModelInput
            Pixels with the way back to the radiograph.
        """
        return place(radiograph, self.card.preprocessing, self.find(radiograph))

    def log_odds(self, squares: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score prepared squares.

        Parameters
        ----------
        squares : ndarray of float32, shape (n, channels, size, size)
            Prepared squares in [0, 1].

        Returns
        -------
        ndarray of float64, shape (n,)
            Log-odds of the target before calibration, finite.

        Raises
        ------
        ModelOutputError
            The model failed, or a value is not finite.
        """
        (logits,) = self._run((LOGITS,), without_image(self.card, squares))
        check_finite(LOGITS, logits)
        return np.asarray(logits[:, -1] - logits[:, 0], np.float64)

    def explain(self, squares: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Score and explain prepared squares.

        Parameters
        ----------
        squares : ndarray of float32, shape (n, channels, size, size)
            Prepared squares in [0, 1].

        Returns
        -------
        log_odds : ndarray of float64, shape (n,)
            Log-odds of the target before calibration.
        maps : ndarray of float32, shape (n, h, w)
            Raw heat maps of the target by the card's own method.

        Raises
        ------
        ModelOutputError
            The model failed, or a value is not finite.
        """
        logits, maps = self._run((LOGITS, self.card.map_method), without_image(self.card, squares))
        check_finite(LOGITS, logits)
        check_finite("heat map", maps)
        return np.asarray(logits[:, -1] - logits[:, 0], np.float64), maps[:, -1]

    def raw_maps(self, squares: NDArray[np.float32], method: str) -> NDArray[np.float32]:
        """Compute the raw heat maps of all classes.

        Parameters
        ----------
        squares : ndarray of float32, shape (n, channels, size, size)
            Prepared squares in [0, 1].
        method : str
            A method of the card.

        Returns
        -------
        ndarray of float32, shape (n, classes, h, w)
            Before scaling.
        """
        return self._run((method,), without_image(self.card, squares))[0]

    def _run(self, names: Sequence[str], inputs: dict[str, NDArray[np.generic]]) -> list[NDArray[np.float32]]:
        try:
            outputs: list[NDArray[np.float32]] = self._session.run([*names], inputs)
        except Exception as error:  # ONNX Runtime has a class of its own for each kind of failure
            raise ModelOutputError(
                f"ONNX Runtime could not run the model on this radiograph ({type(error).__name__}); read it on the processor, "
                "or with fewer files at once"
            ) from error
        return outputs

    def seen(self, radiograph: Radiograph) -> Grey:
        """Resample the whole radiograph to the graph's input.

        Parameters
        ----------
        radiograph : Radiograph
            The radiograph.

        Returns
        -------
        ndarray of float32, shape (size, size)
            In [0, 1].
        """
        return on_whole(radiograph, self.card.preprocessing.seen_px).pixels_to_square(radiograph)

    def explained(self, target: str, decision: str) -> str:
        """Name the class whose evidence a reading shows.

        Parameters
        ----------
        target : str
            The class that was asked for, ``predicted``, or empty for the card's target.
        decision : str
            ``positive`` or ``negative``.

        Returns
        -------
        str
            A class of the card.
        """
        decided = self.card.target if decision == "positive" else self.card.classes[0]
        return decided if target == PREDICTED else target or self.card.target

    def check(self, target: str, method: str) -> None:
        """Check that the model has a class and a method before anything is read.

        Parameters
        ----------
        target : str
            A class of the card, ``predicted``, or empty.
        method : str
            A method of the card, or empty.

        Raises
        ------
        CardError
            The model does not have them; the message lists those that it has.
        """
        if target and target not in (*self.card.classes, PREDICTED):
            raise CardError(f"the model has the classes {', '.join(self.card.classes)}, not '{target}'; {PREDICTED} is either")
        if method and method not in self.card.map_scales:
            raise CardError(f"the model gives heat maps by {', '.join(self.card.map_scales)}, not '{method}'")

    def _read_all(self, images: Sequence[Radiograph], target: str, method: str) -> list[ModelReading | PneumoscopeError]:
        """Readings of radiographs that go through the graph together, or the error of each; one by one where that fails."""
        method = method or self.card.map_method
        seen = np.stack([self.seen(image) for image in images])[:, None]
        try:
            outputs = self._run((*FIELDS, LOGITS, DISTANCE, method), {IMAGE: seen})
        except ModelOutputError as error:
            if len(images) == 1:
                return [error]
            return [answer for image in images for answer in self._read_all([image], target, method)]
        answers: list[ModelReading | PneumoscopeError] = []
        for k, image in enumerate(images):
            try:
                answers.append(self._reading(image, [part[k] for part in outputs], target, method))
            except ModelOutputError as error:
                answers.append(error)
        return answers

    def _reading(self, image: Radiograph, outputs: Sequence[NDArray[np.float32]], target: str, method: str) -> ModelReading:
        check_outputs(outputs)
        fields = finder.fields(outputs[: len(FIELDS)], image.rows, image.cols, image.orientation)
        logits, distance, maps = outputs[len(FIELDS) :]
        log_odds = float(logits[-1] - logits[0])
        score = Score(self.card.target, float(self.card.calibration(np.array([log_odds]))[0]), log_odds)
        point = self.card.operating_point
        decision = point.decide(score.probability)
        explained = self.explained(target, decision)
        raw = maps[self.card.classes.index(explained)]
        layer = "evidence" if method == heatmap.EVIDENCE else backbone(self.card.backbone).explained_layer
        shown = heatmap.on_radiograph(raw, self._placement(image, fields), self.card, explained, layer, method)
        speaks = decision == "positive" and explained == self.card.target
        findings = extract(shown, score.probability, fields) if speaks else ()
        domain = self._domain(float(distance), fields)
        cautions = review(image, self.policy)
        return ModelReading(score, decision, point, shown, findings, fields, self.model, self.card.grey_zone, domain, cautions)

    def _placement(self, image: Radiograph, fields: LungFields) -> Placement:
        wanted = self.card.preprocessing
        box = fields.box if wanted.crop == "lungs" else image.whole
        return Placement.of(image, box, wanted.size_px)

    def _domain(self, distance: float, fields: LungFields) -> DomainCheck | None:
        limit = self.card.domain
        return DomainCheck(distance, limit.distance, fields.state != "not found") if limit else None

    def _accepted(self, source: Source) -> Radiograph:
        """The radiograph of a source; the errors of `read`."""
        if not isinstance(source, Radiograph | Path | str | bytes):
            raise SourceError(
                f"a radiograph, a path or a file's bytes can be read, not {type(source).__name__}; make grey levels in [0, 1] a "
                "radiograph by  pneumoscope.Radiograph(pixels)  with float32 (rows, cols)"
            )
        image = source if isinstance(source, Radiograph) else radiographs.read(source)
        review(image, self.policy)
        return image

    def _decoded(self, source: Source) -> Outcome:
        try:
            return Outcome(source, self._accepted(source))
        except (PneumoscopeError, OSError) as error:
            return Outcome(source, error=error)
