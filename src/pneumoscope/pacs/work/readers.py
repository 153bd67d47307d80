"""The models that the node reads with."""

from collections.abc import Mapping
from dataclasses import dataclass

from pneumoscope.pacs.config import NodeConfig, bundle_folder
from pneumoscope.pacs.errors import ConfigError
from pneumoscope.pacs.settings import Model
from pneumoscope.reader import Reader
from pneumoscope.readings.model_reading import ReadsRadiographs


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to read.

    Parameters
    ----------
    model : Model
        Its settings.
    read : callable
        Reads a radiograph.
    sha256 : str
        Identity of its bundle, as in its readings.
    target : str
        What it reads for.
    """

    model: Model
    read: ReadsRadiographs
    sha256: str
    target: str


def load(config: NodeConfig) -> Mapping[str, LoadedModel]:
    """Load the models of a node.

    Parameters
    ----------
    config : NodeConfig
        Models, acceptance, and the number of radiographs that are read at the same time.

    Returns
    -------
    mapping of str to LoadedModel
        The models by their names.

    Raises
    ------
    ConfigError
        If two models have the same bundle.
    BundleError, CardError
        If a model cannot be loaded, or has no settings for its population.
    """
    threads = 0 if config.work.readers == 1 else 1
    models = {model.name: _loaded(model, config, threads) for model in config.models}
    names: dict[str, str] = {}
    for name, loaded in models.items():
        if (other := names.setdefault(loaded.sha256, name)) != name:
            raise ConfigError(f"the models '{other}' and '{name}' are the same bundle, which reads an image only once; drop one")
    return models


def _loaded(model: Model, config: NodeConfig, threads: int) -> LoadedModel:
    reader = Reader.load(bundle_folder(model), threads=threads, policy=config.acceptance, population=model.population)
    return LoadedModel(model, reader, reader.model.sha256, reader.card.target)
