"""Put a server together: models, processes that decode, films of files, cohorts and DICOMweb services, and the application."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp

from pneumoscope.archive import manifest
from pneumoscope.classifier import Population
from pneumoscope.limited_process import Limits, decoding_limits
from pneumoscope.ordered_map import cores
from pneumoscope.radiograph import AcceptancePolicy
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY
from pneumoscope.web import app
from pneumoscope.web.decoding import decoding_pool
from pneumoscope.web.dicomweb.catalogue import Catalogue, object_pool, parsing_pool
from pneumoscope.web.dicomweb.opening import checked_origins, is_url, remote_films
from pneumoscope.web.dicomweb.routes import routes
from pneumoscope.web.films import FilmStore
from pneumoscope.web.guard import Access
from pneumoscope.web.models import Models
from pneumoscope.web.regions import CohortFilms
from pneumoscope.web.sources import FileSource, Source
from pneumoscope.web.store_folder import StoreFolder
from pneumoscope.web.workspace import Options, Workspace

_FEWEST_AT_ONCE, _MOST_AT_ONCE = 2, 8
"""Films that are decoded, and read, at the same time."""
_NO_OUTPUT = Path(os.devnull)
"""An output folder that holds nothing, for the listing of files."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Launch:
    """What a server is started with.

    Parameters
    ----------
    models : tuple of Path
        Folders of bundles, the default one first.
    inputs : tuple of str
        Files, folders, patterns, and URLs of DICOMweb services.
    cohort : CohortFilms
        Files of a cohort with its reference regions; none by default.
    population : {"child", "adult"}, optional
        Population of patients whose age the file does not state.
    policy : AcceptancePolicy
        Rules by which films are refused or read with a caution.
    store : Path, optional
        Folder that keeps uploads and readings; None for none.
    options : Options
        Token, and what clients may see and do.
    hosts, origins : tuple of str
        As in `pneumoscope.web.guard.Access`.
    limits : Limits
        Of decoding one file.
    """

    models: tuple[Path, ...]
    inputs: tuple[str, ...] = ()
    cohort: CohortFilms = field(default_factory=CohortFilms)
    population: Population | None = None
    policy: AcceptancePolicy = DEFAULT_POLICY
    store: Path | None = None
    options: Options = field(default_factory=Options)
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=decoding_limits)


@contextlib.contextmanager
def launched(launch: Launch, say: Say) -> Iterator[tuple[ASGIApp, Workspace]]:
    """Load the models and open the films.

    Parameters
    ----------
    launch : Launch
        What to start with.
    say : callable
        Called with lines for a person: what was read, assumed and left out.

    Yields
    ------
    tuple of (ASGI application, Workspace)
        Ready to be run by `pneumoscope.web.server.run`, which closes the workspace.

    Raises
    ------
    PneumoscopeError
        Of a named class, if a model, a file, the store or a DICOMweb service cannot be used.
    """
    origins = checked_origins(launch.origins)
    files = _files([text for text in launch.inputs if not is_url(text)], launch.store, say)
    models = Models.load(launch.models, launch.population, launch.policy)
    at_once, limits = max(_FEWEST_AT_ONCE, min(cores(), _MOST_AT_ONCE)), launch.limits
    with (
        remote_films([text for text in launch.inputs if is_url(text)], say) as remote,
        decoding_pool(limits, at_once) as decode,
        parsing_pool(limits) as parse,
        object_pool(limits) as make,
    ):
        decode.start()
        folder = StoreFolder.open(launch.store) if launch.store else None
        films, references = FilmStore(decode, launch.policy), launch.cohort.references
        workspace = Workspace.of(models, films, launch.options, references=references, folder=folder, threads=at_once)
        sources: list[Source] = [*launch.cohort.sources, *files, *remote]
        for source in sources:
            workspace.open(source)
        access = Access(launch.options.token, launch.hosts, origins)
        yield app.build(workspace, access, routes(workspace, Catalogue(workspace, parse, make))), workspace


def _files(inputs: Sequence[str], store: Path | None, say: Say) -> list[FileSource]:
    if not inputs:
        return []
    files = manifest.find(inputs, store or _NO_OUTPUT)
    if str(files):
        say(f"  {files}")
    return [FileSource(item.file, item.name) for item in files.items]
