"""Work on received instances: decode, decide, read, write the results, record everything in one transaction."""

import errno
import json
import logging
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from pneumoscope import PneumoscopeError
from pneumoscope.dicom_objects import DicomObject, Profile, Result, source_image, write_objects
from pneumoscope.limited_process import LimitedPool, LimitedProcessError, decoding_limits
from pneumoscope.pacs import quality_sample, retention
from pneumoscope.pacs.config import NodeConfig
from pneumoscope.pacs.decision import decide, destinations_of, in_shadow, notifications_of, sender_of
from pneumoscope.pacs.device import device_of
from pneumoscope.pacs.errors import LeaseLostError, LedgerError, NodeError, ResultTakenError
from pneumoscope.pacs.ledger import Instance, Ledger, NewReading, NewResult
from pneumoscope.pacs.ledger.instances import CONFLICT, TO_COMPARE
from pneumoscope.pacs.ledger.rows import Reading
from pneumoscope.pacs.notifications.message import FORMS, Message
from pneumoscope.pacs.pseudonym import pseudonym
from pneumoscope.pacs.rules import Rule
from pneumoscope.pacs.send.outcome import wait_seconds
from pneumoscope.pacs.send.result_file import read_and_hash
from pneumoscope.pacs.threads import run_threads
from pneumoscope.pacs.work.notices import EarlierReading, SentObject, messages
from pneumoscope.pacs.work.readers import LoadedModel, load
from pneumoscope.pacs.work.results import WritesObjects, kinds_by_profile, path_of, save, takers, time_of
from pneumoscope.pacs.work.same_image import same_image
from pneumoscope.radiograph import Radiograph
from pneumoscope.radiograph.every_format import read as read_radiograph
from pneumoscope.readings import CaseKey, ModelReading, form

PROCESS = "work"
"""Name of the process in the ledger."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS})
_NO_ROOM_SENTENCE = "results cannot be written"
SAME_IMAGE = "the same image was received before in another transfer syntax"
_LOG = logging.getLogger(__name__)


class SpoiledFileError(NodeError):
    """A received file no longer has the bytes that were received."""


@dataclass(frozen=True)
class Worker:
    """Works on instances, one at a time; several threads may each call `step`.

    Parameters
    ----------
    config : NodeConfig
        The node.
    ledger : Ledger
        What waits, and what came of it.
    models : mapping of str to LoadedModel
        What reads, by the names in the configuration.
    decode : callable
        Decodes the bytes of a file; in a node within limited processes.
    write : callable
        Writes the objects of a reading.
    chance : random.Random
        Source of the jitter.
    """

    config: NodeConfig
    ledger: Ledger
    models: Mapping[str, LoadedModel]
    decode: Callable[[bytes], Radiograph] = read_radiograph
    write: WritesObjects = write_objects
    chance: random.Random = field(default_factory=random.Random, repr=False)

    def step(self, name: str) -> bool:
        """Work on the instance that has waited longest.

        Parameters
        ----------
        name : str
            Name of the worker in the ledger.

        Returns
        -------
        bool
            Whether there was one.

        Raises
        ------
        LedgerError
            If the ledger cannot be used; the claim ends by itself.
        """
        instance = self.ledger.claim_instance(name, self.config.work.lease_seconds)
        if instance is None:
            return False
        shown = pseudonym(self.config.salt, instance.sop_instance_uid)
        try:
            _LOG.info("image %s: %s", shown, self._outcome(instance))
        except LeaseLostError as error:
            _LOG.warning("image %s: %s", shown, error)
        return True

    def _outcome(self, instance: Instance) -> str:
        """Work on an instance, and say in a few words what came of it."""
        if instance.attempts > self.config.work.attempts and not instance.reason.startswith(_NO_ROOM_SENTENCE):
            return self._end(instance, "failed", f"reading was begun {instance.attempts - 1} times and never ended")
        try:
            return self._read(instance)
        except (LeaseLostError, LimitedProcessError) as error:
            if isinstance(error, LeaseLostError):
                raise
            return self._again(instance, str(error))
        except ResultTakenError as error:
            return self._end(instance, "failed", str(error))
        except LedgerError:
            raise
        except PneumoscopeError as error:
            return self._end(instance, "failed", str(error))
        except OSError as error:
            return self._without_disk(instance, error)
        except Exception as error:  # a library's own error; its text may quote the header
            return self._again(instance, f"reading ended with an unexpected {type(error).__name__}")

    def _read(self, instance: Instance) -> str:
        content = self._content(instance)
        if instance.reason == TO_COMPARE:
            return self._compared(instance, content)
        radiograph = self.decode(content)
        decision = decide(self.config, radiograph, sender_of(instance.sender, instance.route))
        if decision.rule is None or decision.skipped:
            return self._end(instance, "skipped", decision.skipped)
        earlier = {reading.model_sha256: reading for reading in self.ledger.readings_of(instance.id)}
        sent = frozenset(self.models[one.name].sha256 for one in decision.models if not in_shadow(self.config, one))
        image = _Image(instance, content, radiograph, decision.rule, earlier, sent)
        made = [self._reading(self.models[model.name], image) for model in decision.models]
        if not earlier:
            quality_sample.consider(self.config, instance, content, str(json.loads(made[0].line)["decision"]))
        self.ledger.record_readings(instance, made, device_of(content, self.config.salt))
        return f"read by {', '.join(model.name for model in decision.models)}, {sum(len(one.results) for one in made)} results"

    def _compared(self, instance: Instance, content: bytes) -> str:
        """Compare an instance with the one of the same UID that was received in another transfer syntax."""
        first = self.ledger.kept_content(instance)
        try:
            is_same = first is not None and same_image(self._content(first), content, self.decode)
        except LimitedProcessError:
            raise
        except (PneumoscopeError, OSError):  # one of the two cannot be decoded, or its file was removed
            is_same = False
        return self._end(instance, "skipped", SAME_IMAGE) if is_same else self._end(instance, "conflict", CONFLICT)

    def _content(self, instance: Instance) -> bytes:
        content, sha256 = read_and_hash(self.config.spool_folder / instance.path)
        if sha256 != instance.sha256:
            raise SpoiledFileError("the file in the spool has other bytes than those that were received; send the image again")
        return content

    def _reading(self, loaded: LoadedModel, image: "_Image") -> NewReading:
        earlier = image.earlier.get(loaded.sha256)
        created_at = earlier.created_at if earlier else float(int(self.ledger.clock()))
        reading = loaded.read(image.radiograph)
        case = CaseKey(pseudonym(self.config.salt, image.instance.sop_instance_uid), image.instance.sha256)
        line = form.to_json(form.line_of(case, reading))
        results = tuple(self._results(loaded, image, reading, created_at))
        return NewReading(loaded.sha256, line, in_shadow(self.config, loaded.model), results, created_at)

    def _results(self, loaded: LoadedModel, image: "_Image", reading: ModelReading, created_at: float) -> Iterator[NewResult]:
        earlier = image.earlier.get(loaded.sha256)
        there = {one.sop_instance_uid: one for one in self.ledger.results_of(earlier.id)} if earlier else {}
        destinations, sent = destinations_of(self.config, image.rule), list[SentObject]()
        for profile, kinds in kinds_by_profile(destinations).items():
            before = self._predecessors(loaded, image, profile)
            objects = self.write(
                image.content, image.radiograph, reading, kinds, profile, time_of(created_at), predecessors=before
            )
            for made in objects:
                sent.append(SentObject(made, takers(destinations, profile, made.kind)))
                yield self._result(made, profile, sent[-1].destinations, there)
        told = notifications_of(self.config, image.rule)
        if told and not in_shadow(self.config, loaded.model):  # what a message says depends on what was sent before it
            source = source_image(image.content)
            result = Result(source, image.radiograph, reading, Profile.PLAIN, time_of(created_at))
            for one, message in messages(result, told, sent, self._earlier(image)):
                yield self._result(message, FORMS[one.protocol], (one.name,), there)

    def _result(
        self, made: DicomObject | Message, profile: str, to: tuple[str, ...], there: Mapping[str, NewResult]
    ) -> NewResult:
        """The row of a result; one that was written before keeps its file, or gets it back where it was removed."""
        before = there.get(made.sop_instance_uid)
        # A file that was removed comes back only with its own bytes: no other bytes may be sent under its UID.
        if before is None or (str(path_of(made)) == before.path and not (self.config.spool_folder / before.path).is_file()):
            return save(self.config.spool_folder, made, profile, to)
        return replace(before, destinations=to)

    def _earlier(self, image: "_Image") -> list[EarlierReading]:
        """Readings by models that are no longer sent, the oldest first."""
        others = [one for sha256, one in image.earlier.items() if sha256 not in image.sent_models and not one.shadow]
        return [
            EarlierReading(form.parse_line(one.line), frozenset(each.sop_instance_uid for each in self.ledger.results_of(one.id)))
            for one in sorted(others, key=lambda one: (one.created_at, one.id))
        ]

    def _predecessors(self, loaded: LoadedModel, image: "_Image", profile: str) -> list[bytes]:
        """The Structured Reports of this profile by other models, as far as they were sent and their files are still there."""
        others = (one for sha256, one in image.earlier.items() if sha256 != loaded.sha256 and not one.shadow)
        reports = [r for other in others for r in self.ledger.results_of(other.id) if (r.kind, r.profile) == ("sr", profile)]
        paths = [self.config.spool_folder / report.path for report in reports]
        return [path.read_bytes() for path in paths if path.is_file()]

    def _end(self, instance: Instance, state: Literal["skipped", "failed", "conflict"], reason: str) -> str:
        self.ledger.finish_instance(instance, state, reason)
        return f"{state}: {reason}"

    def _again(self, instance: Instance, reason: str) -> str:
        """Try again later, or give up after as many attempts as the configuration allows."""
        if instance.attempts >= self.config.work.attempts:
            return self._end(instance, "failed", reason)
        self.ledger.retry_instance(instance, reason, self.ledger.clock() + self._wait(instance))
        return f"to be tried again: {reason}"

    def _without_disk(self, instance: Instance, error: OSError) -> str:
        """A full or broken disk is no fault of the image: try again until there is room."""
        if error.errno not in _NO_ROOM:
            return self._again(instance, f"a file cannot be read or written ({(error.strerror or type(error).__name__).lower()})")
        reason = f"{_NO_ROOM_SENTENCE} ({(error.strerror or 'disk').lower()}); make room on the disk of the spool"
        self.ledger.retry_instance(instance, reason, self.ledger.clock() + self._wait(instance))
        return f"to be tried again: {reason}"

    def _wait(self, instance: Instance) -> float:
        return wait_seconds(instance.attempts, self.config.send, self.chance)


@dataclass(frozen=True)
class _Image:
    """A received image that is read, with the readings that there are already, and the models whose readings are sent."""

    instance: Instance
    content: bytes = field(repr=False)
    radiograph: Radiograph
    rule: Rule
    earlier: Mapping[str, Reading]
    sent_models: frozenset[str]


def serve(config: NodeConfig, stop: threading.Event) -> None:
    """Work until it is told to stop; then what is being read is finished.

    Parameters
    ----------
    config : NodeConfig
        The node.
    stop : threading.Event
        Set to stop.

    Raises
    ------
    BundleError, CardError
        If a model cannot be loaded.
    LedgerError
        If the ledger cannot be opened.
    """
    limits = decoding_limits(config.work.decode_seconds, config.work.decode_bytes)
    pool = LimitedPool(read_radiograph, "decoding", limits, workers=config.work.readers)
    with Ledger.open(config.ledger_url) as ledger, pool as decode:
        write = partial(write_objects, deflated_maps=config.work.deflated_maps)
        worker = Worker(config, ledger, load(config), decode, write)
        removing = threading.Thread(target=retention.keep_removing, args=(config, ledger, stop), name="retention")
        removing.start()
        try:
            run_threads([f"{PROCESS}/{k}" for k in range(config.work.readers)], worker.step, stop)
        finally:
            stop.set()
            removing.join()
