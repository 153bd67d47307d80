"""Define `Reader`: an ONNX graph with its card that reads radiographs with ONNX Runtime, without PyTorch."""

import copy
import functools
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from pneumoscope import PneumoscopeError
from pneumoscope.classifier import Card, Population, PopulationChoice, trained_on
from pneumoscope.classifier.identity import identity_sha256
from pneumoscope.classifier.population_settings import choose_population, require_population
from pneumoscope.classifier.preprocessing import ModelInput, place
from pneumoscope.fingerprint import Fingerprint
from pneumoscope.lung_fields import LungFields, finder
from pneumoscope.lung_fields.finder import OUTPUT_NAMES as FIELDS
from pneumoscope.onnx_session import CPU
from pneumoscope.ordered_map import chunks, cores, ordered_map
from pneumoscope.radiograph import AcceptancePolicy, Radiograph, review
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY
from pneumoscope.radiograph.placement import on_whole
from pneumoscope.radiograph.radiograph import Grey
from pneumoscope.radiograph.reduction import Decoding
from pneumoscope.reader import earlier_format
from pneumoscope.reader.bundle import ANSWERS, DISTANCE, IMAGE, LOGITS, LOOKED_AT, open_bundle, scaled_name, without_image
from pneumoscope.reader.composition import check_asked, compose
from pneumoscope.reader.errors import ModelOutputError
from pneumoscope.reader.outcome import Outcome, Source, open_source
from pneumoscope.reader.output_checks import check_finite
from pneumoscope.reader.shipped import DEFAULT_BUNDLE
from pneumoscope.readings import ModelIdentity, ModelReading

_COMPOSING = threading.Lock()
"""Held by the thread that composes readings. Composing is many short steps of NumPy, each of which releases Python's own lock:
threads that compose at the same time hand it to and fro, which takes as long as the steps."""


class Reader:
    """A model that reads radiographs. It is safe to use from several threads; calling it is the same as `read`.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Session of a checked graph (`pneumoscope.reader.bundle.open_bundle`).
    card : Card
        Card of the graph.
    sha256 : str
        SHA-256 of the graph.
    threads : int
        Number of threads within one inference, >= 0; 0 for the number of available cores, at most 8.
    policy : AcceptancePolicy
        Rules by which radiographs are refused or read with a caution.
    trained_on : tuple of Fingerprint
        Salted hashes of the patients and images that the model was trained on.
    population : {"child", "adult"}, optional
        Population of every patient whose age the file does not tell, unless a call states another; None if it is unknown.

    Raises
    ------
    CardError
        If the model has no settings of its own for the population.

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
        population: Population | None = None,
    ) -> None:
        require_population(card.populations, population)
        self.population = population
        self._session = session
        self._threads = threads
        self.policy = policy
        self.trained_on = trained_on
        self.card = card
        self._earlier = not {*ANSWERS} <= {output.name for output in session.get_outputs()}
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
        population: Population | None = None,
    ) -> Self:
        """Load a bundle and check its graph against its card.

        Parameters
        ----------
        bundle : Path or str
            Folder of the bundle; the shipped model by default.
        providers : sequence of str
            Execution providers of ONNX Runtime by name; the CPU by default.
        threads, policy, population
            As in the class. Use one thread for `read_many`, which then runs one inference per core at the same time.

        Returns
        -------
        Reader
            The reader.

        Raises
        ------
        BundleError
            If the graph is missing, damaged, not the one that the card names, or has another calibration than the card.
        CardError
            If the card is missing or damaged, or if the model has no settings of its own for the population.
        """
        folder = Path(bundle)
        session, card, sha256 = open_bundle(folder, threads, providers)
        return cls(session, card, sha256, threads, policy, trained_on.read(folder, card), population)

    def assuming(self, population: Population | None) -> Self:
        """Make a reader that assumes a population for patients whose age the file does not tell.

        Parameters
        ----------
        population : {"child", "adult"}, optional
            The population; None if it is unknown.

        Returns
        -------
        Reader
            A reader with the same session.

        Raises
        ------
        CardError
            If the model has no settings of its own for the population.
        """
        require_population(self.card.populations, population)
        other = copy.copy(self)
        other.population = population
        return other

    def __call__(self, source: Source) -> ModelReading:
        """Read one radiograph; the same as `read` without options."""
        return self.read(source)

    def read(self, source: Source, *, target: str = "", method: str = "", population: Population | None = None) -> ModelReading:
        """Read one radiograph.

        Parameters
        ----------
        source : Radiograph, Path, str or bytes
            A decoded radiograph, the path of a file (DICOM, PNG, JPEG), or the bytes of a file.
        target : str
            Class that the heat map explains, or ``predicted`` for the class that the decision favours; the card's target if
            empty. Score and decision always refer to the card's target.
        method : str
            Method of the heat map, one of the card's; the card's default method if empty.
        population : {"child", "adult"}, optional
            The patient's population, for a model that has settings by population. If None, it is the reader's own, `population`.
            The age in the file comes first; if neither tells the population, the cautious settings decide
            (`pneumoscope.classifier.Card.settings`), and the reading says so.

        Returns
        -------
        ModelReading
            Score, decision, heat map, findings and lung fields.

        Raises
        ------
        RadiographError
            If the file cannot be decoded as a radiograph.
        NotAcceptedError
            If the policy refuses the radiograph, for example a lateral view, another part of the body or raw detector data.
        ModelOutputError
            If the model failed on the radiograph or gave an invalid output.
        CardError
            If the model does not have this target or method, or no settings for the patient's population.
        PopulationError
            If the patient's age in the file contradicts the stated population.
        SourceError
            If the source has another type.
        """
        check_asked(self.card, target, method, population)
        (answer,) = self._read_all([self._accepted(source, population)], target, method, population)
        if isinstance(answer, PneumoscopeError):
            raise answer
        return answer

    def read_many(
        self,
        sources: Iterable[Source],
        *,
        batch: int = 1,
        target: str = "",
        method: str = "",
        population: Population | None = None,
        workers: int = 0,
        decode: Decoding = "full",
    ) -> Iterator[Outcome]:
        """Read many radiographs in parallel, with memory use that does not depend on their number.

        Parameters
        ----------
        sources : iterable of Radiograph, Path, str or bytes
            As in `read`.
        batch : int
            Number of radiographs per inference, >= 1; see `batch` for what is fastest.
        target, method, population
            As in `read`, for every source.
        workers : int
            Number of threads that decode and read, >= 0; 0 for `self.workers`.
        decode : {"full", "reduced"}
            Whether every pixel of a file is decoded, or a smaller picture where that suffices (`ModelReading.decoded_scale`).

        Yields
        ------
        Outcome
            The outcome of each source, in the order of the sources.

        Raises
        ------
        CardError
            If the model does not have this target or method, or no settings for the stated population.
        """
        check_asked(self.card, target, method, population)
        together = functools.partial(self.read_together, target=target, method=method, population=population, decode=decode)
        for outcomes in ordered_map(together, chunks(sources, batch), workers or self.workers):
            yield from outcomes

    def read_together(
        self,
        sources: Sequence[Source],
        *,
        target: str = "",
        method: str = "",
        population: Population | None = None,
        decode: Decoding = "full",
    ) -> list[Outcome]:
        """Read a batch of radiographs in one inference.

        Parameters
        ----------
        sources : sequence of Radiograph, Path, str or bytes
            As in `read`.
        target, method, population, decode
            As in `read_many`.

        Returns
        -------
        list of Outcome
            The outcome of each source, in the order of the sources; that of a source that cannot be read has the error.

        Raises
        ------
        CardError
            If the model does not have this target or method, or no settings for the stated population.
        """
        check_asked(self.card, target, method, population)
        seen_px = self.card.preprocessing.seen_px if decode == "reduced" else 0
        outcomes = [self._decoded(source, population, seen_px) for source in sources]
        images = [outcome.radiograph for outcome in outcomes if outcome.radiograph is not None]
        answers = iter(self._read_all(images, target, method, population) if images else ())
        return [o if o.radiograph is None else o.answered(next(answers)) for o in outcomes]

    @property
    def workers(self) -> int:
        """Number of threads that `read_many` uses by default.

        All cores if an inference uses one thread; else two, so that one radiograph is decoded during the inference of another.
        """
        return cores() if self._threads == 1 else 2

    @property
    def batch(self) -> int:
        """Number of radiographs per inference with which many are read fastest, of those that change no bit of a reading.

        Four on one thread of the processor: each of four takes a tenth less time and gets the same bits. Else one: on another
        execution provider the numbers of a batch may differ in their last bits from those of one image.
        """
        return 4 if self._threads == 1 and self._session.get_providers() == [CPU] else 1

    def find(self, radiograph: Radiograph) -> LungFields:
        """Segment the lung fields of a radiograph.

        Parameters
        ----------
        radiograph : Radiograph
            The radiograph.

        Returns
        -------
        LungFields
            The same lung fields as in a reading of the radiograph.
        """
        fields = self._run(FIELDS, {IMAGE: self.seen(radiograph)[None, None]})
        return finder.fields([part[0] for part in fields], radiograph.rows, radiograph.cols, radiograph.orientation)

    def square(self, radiograph: Radiograph) -> Grey:
        """Compute the square of a radiograph that the classifier in the graph scores.

        Parameters
        ----------
        radiograph : Radiograph
            The radiograph.

        Returns
        -------
        ndarray of float32, shape (channels, size_px, size_px)
            The square in [0, 1], resampled by the graph.
        """
        (square,) = self._run((LOOKED_AT,), {IMAGE: self.seen(radiograph)[None, None]})
        return np.asarray(square[0])

    def prepare(self, radiograph: Radiograph) -> ModelInput:
        """Prepare the square of a radiograph outside the graph, so that its pixels can be changed before they are scored.

        Parameters
        ----------
        radiograph : Radiograph
            The radiograph.

        Returns
        -------
        ModelInput
            The square, with its placement on the radiograph.
        """
        return place(radiograph, self.card.preprocessing, self.find(radiograph))

    def log_odds(self, squares: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score prepared squares.

        Parameters
        ----------
        squares : ndarray of float32, shape (n, channels, size_px, size_px)
            Prepared squares in [0, 1].

        Returns
        -------
        ndarray of float64, shape (n,)
            Log-odds of the target before calibration, finite.

        Raises
        ------
        ModelOutputError
            If the model failed, or if a value is not finite.
        """
        (logits,) = self._run((LOGITS,), without_image(self.card, squares))
        check_finite(LOGITS, logits)
        return np.asarray(logits[:, -1] - logits[:, 0], np.float64)

    def distance(self, squares: NDArray[np.float32]) -> NDArray[np.float64]:
        """Compute the distances of prepared squares from the training images, for a model with a domain.

        Parameters
        ----------
        squares : ndarray of float32, shape (n, channels, size_px, size_px)
            Prepared squares in [0, 1].

        Returns
        -------
        ndarray of float64, shape (n,)
            Distances before any check that they are finite.
        """
        return self._run((DISTANCE,), without_image(self.card, squares))[0].reshape(-1).astype(np.float64)

    def explain(self, squares: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Score and explain prepared squares.

        Parameters
        ----------
        squares : ndarray of float32, shape (n, channels, size_px, size_px)
            Prepared squares in [0, 1].

        Returns
        -------
        log_odds : ndarray of float64, shape (n,)
            Log-odds of the target before calibration.
        maps : ndarray of float32, shape (n, h, w)
            Raw heat maps of the target by the card's default method, before scaling.

        Raises
        ------
        ModelOutputError
            If the model failed, or if a value is not finite.
        """
        logits, maps = self._run((LOGITS, self.card.map_method), without_image(self.card, squares))
        check_finite(LOGITS, logits)
        check_finite("heat map", maps)
        return np.asarray(logits[:, -1] - logits[:, 0], np.float64), maps[:, -1]

    def raw_maps(self, squares: NDArray[np.float32], method: str) -> NDArray[np.float32]:
        """Compute the raw heat maps of all classes.

        Parameters
        ----------
        squares : ndarray of float32, shape (n, channels, size_px, size_px)
            Prepared squares in [0, 1].
        method : str
            Method of the heat maps, one of the card's.

        Returns
        -------
        ndarray of float32, shape (n, classes, h, w)
            Raw heat maps, before scaling.
        """
        return self._run((method,), without_image(self.card, squares))[0]

    def _run(self, names: Sequence[str], inputs: dict[str, NDArray[np.generic]]) -> list[NDArray[np.float32]]:
        try:
            outputs: list[NDArray[np.float32]] = self._session.run([*names], inputs)
        except Exception as error:  # ONNX Runtime raises a different class for each kind of failure
            raise ModelOutputError(
                f"ONNX Runtime could not run the model on this radiograph ({type(error).__name__}); run it on the CPU, "
                "or read fewer files at once"
            ) from error
        return outputs

    def seen(self, radiograph: Radiograph) -> Grey:
        """Resample the whole radiograph to the size at which the graph receives it.

        Parameters
        ----------
        radiograph : Radiograph
            The radiograph.

        Returns
        -------
        ndarray of float32, shape (seen_px, seen_px)
            Grey levels in the displayed order, in [0, 1]; `seen_px` is that of the card's preprocessing.
        """
        return on_whole(radiograph, self.card.preprocessing.seen_px).pixels_to_square(radiograph)

    def _read_all(
        self, images: Sequence[Radiograph], target: str, method: str, population: Population | None
    ) -> list[ModelReading | PneumoscopeError]:
        """Read a batch of radiographs, or return the error of each; if the inference of the batch fails, read one by one."""
        method = method or self.card.map_method
        try:
            outputs = self._outputs(np.stack([self.seen(image) for image in images])[:, None], method)
        except ModelOutputError as error:
            if len(images) == 1:
                return [error]
            return [answer for image in images for answer in self._read_all([image], target, method, population)]
        answers: list[ModelReading | PneumoscopeError] = []
        with _COMPOSING:
            for k, image in enumerate(images):
                try:
                    own, choice = {name: part[k] for name, part in outputs.items()}, self._choice(image, population)
                    answers.append(compose(self.card, self.model, self.policy, image, own, target, method, choice))
                except ModelOutputError as error:
                    answers.append(error)
        return answers

    def _outputs(self, seen: NDArray[np.float32], method: str) -> dict[str, NDArray[np.floating]]:
        """Compute the outputs that readings use, by name, for resampled radiographs (n, 1, seen_px, seen_px)."""
        names = (*FIELDS, LOGITS, DISTANCE, method, *(() if self._earlier else (*ANSWERS, scaled_name(method))))
        outputs = dict(zip(names, self._run(names, {IMAGE: seen}), strict=True))
        return earlier_format.answered(outputs, self.card, method) if self._earlier else outputs

    def _choice(self, image: Radiograph, stated: Population | None) -> PopulationChoice | None:
        return choose_population(self.card.populations, image.age_years, stated or self.population)

    def _accepted(self, source: Source, population: Population | None, seen_px: int = 0) -> Radiograph:
        """Decode a source, and apply the acceptance policy and the rules of populations; raise the errors of `read`."""
        image = open_source(source, seen_px)
        review(image, self.policy)
        self._choice(image, population)
        return image

    def _decoded(self, source: Source, population: Population | None, seen_px: int) -> Outcome:
        try:
            return Outcome(source, self._accepted(source, population, seen_px))
        except (PneumoscopeError, OSError) as error:
            return Outcome(source, error=error)
