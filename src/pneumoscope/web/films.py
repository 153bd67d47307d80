"""The films that are open: where each comes from, what is known of it, and the ones decoded last."""

import hashlib
import itertools
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from pneumoscope import PneumoscopeError
from pneumoscope.radiograph import AcceptancePolicy
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY
from pneumoscope.web.bounded_cache import BoundedCache
from pneumoscope.web.decoding import DecodedFilm, decode
from pneumoscope.web.errors import ChangedError, FullError, NoFilmError, UnavailableError, UnusableFilmError
from pneumoscope.web.sources import Source, UploadSource

DECODED_BYTES = 512 * 2**20
"""Most bytes of decoded films in memory."""
THUMBNAIL_BYTES = 128 * 2**20
"""Most bytes of thumbnails in memory: about ten thousand."""
UPLOADED_BYTES = 2 * 2**30
"""Most bytes of uploads in memory."""
_REPLACED = "the file was replaced since it was opened; read the film again to use the new file"
_CHANGED = ChangedError(_REPLACED).kind
ID_BYTES = 12
"""Random bytes of an id."""

Decode = Callable[[bytes, AcceptancePolicy], DecodedFilm]


@dataclass(frozen=True)
class FilmFacts:
    """What is known of a film once it was decoded; it names no patient."""

    rows: int
    cols: int
    view_position: str
    modality: str


@dataclass(frozen=True)
class FilmError:
    """Why a film cannot be used: the class of the error and its sentence."""

    kind: str
    message: str


@dataclass(frozen=True, eq=False)
class OpenFilm:
    """One open film.

    Parameters
    ----------
    id : str
        Random, so that it tells nothing of the file.
    number : int
        Its place in the order of opening, from 1.
    source : Source
        Where its bytes come from.
    revision : int
        Revision of the store at its last change.
    facts : FilmFacts, optional
        None before it was decoded.
    error : FilmError, optional
        Why it cannot be decoded.
    sha256 : str
        Of its bytes; empty before they were loaded.
    version : str
        `Source.version` of the file when it was opened or loaded.
    replacements : int
        How often its file was replaced since it was opened: what was decoded or read before the last time is of another file.
    """

    id: str
    number: int
    source: Source = field(repr=False)
    revision: int
    facts: FilmFacts | None = None
    error: FilmError | None = None
    sha256: str = ""
    version: str = ""
    replacements: int = 0


class FilmStore:
    """The open films; it is safe to use from several threads.

    Parameters
    ----------
    decode : callable
        From the bytes of a file and the policy to a decoded film; `pneumoscope.web.decoding.decoding_pool` in a server.
    policy : AcceptancePolicy
        Rules by which films are refused or read with a caution.
    decoded_bytes, thumbnail_bytes, uploaded_bytes : int
        Most bytes in memory: of decoded films and of thumbnails, which are made again when they are needed; and of uploads, which
        are refused beyond it.
    """

    def __init__(
        self,
        decode: Decode = decode,
        policy: AcceptancePolicy = DEFAULT_POLICY,
        *,
        decoded_bytes: int = DECODED_BYTES,
        thumbnail_bytes: int = THUMBNAIL_BYTES,
        uploaded_bytes: int = UPLOADED_BYTES,
    ) -> None:
        self._decode = decode
        self._policy = policy
        self._films: dict[str, OpenFilm] = {}
        self._removed: list[tuple[int, str]] = []
        self._numbers = itertools.count(1)
        self._revision = 0
        self._lock = threading.RLock()
        self._decoded: BoundedCache[tuple[str, int], DecodedFilm] = BoundedCache(decoded_bytes, lambda film: film.n_bytes)
        self._thumbnails: BoundedCache[tuple[str, int], bytes] = BoundedCache(thumbnail_bytes, len)
        self._uploaded_bytes, self._reserved_bytes = uploaded_bytes, 0

    def __len__(self) -> int:
        return len(self._films)

    @property
    def revision(self) -> int:
        """A number that grows with every change of a film, or of what is known of one."""
        return self._revision

    def add(self, source: Source | bytes, label: str = "", *, id: str = "") -> str:
        """Open a film; it is decoded when it is needed.

        Parameters
        ----------
        source : Source or bytes
            Where its bytes come from, or the bytes themselves.
        label : str
            Name for people of bytes; a source has its own.
        id : str
            Id of a film of an earlier run; a new random one if empty.

        Returns
        -------
        str
            Its id.

        Raises
        ------
        FullError
            If uploads would take more memory than the limit.
        """
        opened = UploadSource(source, label) if isinstance(source, bytes) else source
        if isinstance(opened, UploadSource):
            self.reserve(len(opened.content))
        with self._lock:
            id, version = id or secrets.token_urlsafe(ID_BYTES), opened.version
            film = OpenFilm(id, next(self._numbers), opened, self._next(), version=version)
            self._films[film.id] = film
        return film.id

    def remove(self, id: str) -> None:
        """Close a film.

        Parameters
        ----------
        id : str
            Its id.

        Raises
        ------
        NoFilmError
            If there is no such film.
        """
        with self._lock:
            film = self.film(id)
            del self._films[id]
            self._removed.append((self._next(), id))
        self._forget(id)
        if isinstance(film.source, UploadSource):
            self.release(len(film.source.content))

    def film(self, id: str) -> OpenFilm:
        """Return an open film.

        Parameters
        ----------
        id : str
            Its id.

        Returns
        -------
        OpenFilm
            As it is now.

        Raises
        ------
        NoFilmError
            If there is no such film.
        """
        film = self._films.get(id)
        if film is None:
            raise NoFilmError("there is no film with this id; it may have been closed")
        return film

    def check(self, id: str) -> OpenFilm:
        """Return an open film after a look whether its file was replaced; a film whose file was is marked with an error.

        The file is loaded only where its size or times have changed. A file that is gone is no other file.

        Parameters
        ----------
        id : str
            Its id.

        Returns
        -------
        OpenFilm
            As it is now.

        Raises
        ------
        NoFilmError
            If there is no such film.
        """
        film = self.film(id)
        version = film.source.version
        if version in ("", film.version):
            return film
        try:
            sha256 = hashlib.sha256(film.source.load()).hexdigest()
        except OSError:
            return film
        except PneumoscopeError as error:
            self._mark_replaced(film, version, "", FilmError(type(error).__name__, str(error)))
            return self.film(id)
        if film.sha256 in ("", sha256):
            self._change(id, sha256=sha256, version=version)
        else:
            self._mark_replaced(film, version, sha256)
        return self.film(id)

    def films(self) -> Sequence[OpenFilm]:
        """Return all open films in the order of opening.

        Returns
        -------
        sequence of OpenFilm
            As they are now.
        """
        with self._lock:
            return list(self._films.values())

    def removed_since(self, revision: int) -> list[str]:
        """List films that were closed after a revision.

        Parameters
        ----------
        revision : int
            A revision of the store.

        Returns
        -------
        list of str
            Their ids.
        """
        with self._lock:
            return [id for at, id in self._removed if at > revision]

    def touch(self, id: str) -> None:
        """Record that what is known of a film has changed, for clients that refresh; nothing for a film that was closed.

        Parameters
        ----------
        id : str
            Its id.
        """
        self._change(id)

    def forget_error(self, id: str) -> None:
        """Let a film that could not be decoded, or whose file was replaced, be tried again; nothing for other films.

        Parameters
        ----------
        id : str
            Its id.

        Raises
        ------
        NoFilmError
            If there is no such film.
        """
        if self.film(id).error:
            self._change(id, error=None)

    def content(self, id: str) -> bytes:
        """Load the bytes of a film.

        Parameters
        ----------
        id : str
            Its id.

        Returns
        -------
        bytes
            The file.

        Raises
        ------
        NoFilmError
            If there is no such film.
        UnusableFilmError
            If its file cannot be opened.
        ChangedError
            If the file is not the one that was loaded before.
        """
        film = self.check(id)
        version = film.source.version
        try:
            content = film.source.load()
        except OSError as error:
            reason = (error.strerror or "it cannot be read").lower()
            raise UnusableFilmError(f"the file could not be opened ({reason}); open it again") from error
        sha256 = hashlib.sha256(content).hexdigest()
        if film.sha256 and film.sha256 != sha256:
            self._mark_replaced(film, version, sha256)
            raise ChangedError(_REPLACED)
        if not film.sha256:
            self._change(id, sha256=sha256, version=version)
        return content

    def decoded(self, id: str) -> DecodedFilm:
        """Decode a film, or return it where it was decoded lately.

        Parameters
        ----------
        id : str
            Its id.

        Returns
        -------
        DecodedFilm
            The film.

        Raises
        ------
        NoFilmError
            If there is no such film.
        UnusableFilmError
            If it cannot be decoded; one sentence says why, again at each later call.
        ChangedError
            If the file is not the one that was loaded before.
        UnavailableError
            If the server that the film lies on does not give it now.
        """
        film = self.check(id)
        if film.error:
            raise (ChangedError if film.error.kind == _CHANGED else UnusableFilmError)(film.error.message)
        return self._decoded.get((id, film.replacements), lambda: self._decode_now(film))

    def thumbnail(self, id: str) -> bytes:
        """Return the thumbnail of a film.

        Parameters
        ----------
        id : str
            Its id.

        Returns
        -------
        bytes
            PNG.

        Raises
        ------
        NoFilmError, UnusableFilmError, ChangedError
            As `decoded`.
        """
        film = self.check(id)
        if film.error:
            return self.decoded(id).thumbnail  # raises the error
        return self._thumbnails.get((id, film.replacements), lambda: self.decoded(id).thumbnail)

    def reserve(self, n_bytes: int) -> None:
        """Count bytes of an upload against the limit.

        Parameters
        ----------
        n_bytes : int
            Bytes that will be kept.

        Raises
        ------
        FullError
            If the limit would be exceeded.
        """
        with self._lock:
            if self._reserved_bytes + n_bytes > self._uploaded_bytes:
                raise FullError(
                    f"the uploads would take more than {self._uploaded_bytes:,} bytes of memory; close films, or start the "
                    "server with the files themselves"
                )
            self._reserved_bytes += n_bytes

    def release(self, n_bytes: int) -> None:
        """Give back bytes that `reserve` counted.

        Parameters
        ----------
        n_bytes : int
            Bytes that are no longer kept.
        """
        with self._lock:
            self._reserved_bytes -= n_bytes

    def _decode_now(self, film: OpenFilm) -> DecodedFilm:
        id = film.id
        try:
            decoded = self._decode(self.content(id), self._policy)
        except UnusableFilmError as error:
            self._change(id, error=FilmError(error.kind, str(error)))
            raise
        except PneumoscopeError as error:
            if isinstance(error, ChangedError | NoFilmError | UnavailableError):
                raise
            self._change(id, error=FilmError(type(error).__name__, str(error)))
            raise UnusableFilmError(str(error)) from error
        facts = decoded.facts
        with self._lock:
            if id in self._films:
                if self._films[id].replacements != film.replacements:
                    raise ChangedError(_REPLACED)
                self._thumbnails.put((id, film.replacements), decoded.thumbnail)
        self._change(id, facts=FilmFacts(decoded.rows, decoded.cols, facts.view_position, facts.modality))
        return decoded

    def _mark_replaced(self, seen: OpenFilm, version: str, sha256: str, error: FilmError | None = None) -> None:
        """Forget what was known of a film, unless another thread has done so since the film was seen."""
        with self._lock:
            film = self._films.get(seen.id)
            if film is None or film.replacements != seen.replacements:
                return
            error = error or FilmError(_CHANGED, _REPLACED)
            self._change(seen.id, sha256=sha256, version=version, error=error, facts=None, replacements=seen.replacements + 1)
        self._forget(seen.id)

    def _forget(self, id: str) -> None:
        for cache in (self._decoded, self._thumbnails):
            cache.drop(lambda key: key[0] == id)

    def _change(self, id: str, **changes: object) -> None:
        with self._lock:
            film = self._films.get(id)
            if film is not None:
                self._films[id] = replace(film, revision=self._next(), **changes)  # type: ignore[arg-type]  # fields by name

    def _next(self) -> int:
        with self._lock:
            self._revision += 1
            return self._revision
