"""The models that the server reads with."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pneumoscope.classifier import Population
from pneumoscope.radiograph import AcceptancePolicy
from pneumoscope.radiograph.acceptance import DEFAULT_POLICY
from pneumoscope.reader import Reader
from pneumoscope.web.errors import MissingError, RequestError

_HASH_LENGTH = 8


@dataclass(frozen=True)
class Models:
    """The loaded models by their id in the API.

    Parameters
    ----------
    readers : mapping of str to Reader
        The models, the default one first.
    """

    readers: Mapping[str, Reader]

    @classmethod
    def of(cls, readers: Sequence[Reader]) -> "Models":
        """Give each reader an id: the name of its card and the beginning of its hash.

        Parameters
        ----------
        readers : sequence of Reader
            At least one, the default first.

        Returns
        -------
        Models
            The models.
        """
        return cls({_id(reader): reader for reader in readers})

    @classmethod
    def load(
        cls, folders: Sequence[Path], population: Population | None = None, policy: AcceptancePolicy = DEFAULT_POLICY
    ) -> "Models":
        """Load bundles, each with one thread for an inference, so that films are read side by side.

        Parameters
        ----------
        folders : sequence of Path
            Folders of the bundles, the default first.
        population : {"child", "adult"}, optional
            Population of patients whose age the file does not state; only for models with settings by population.
        policy : AcceptancePolicy
            Rules by which films are refused or read with a caution.

        Returns
        -------
        Models
            The models.

        Raises
        ------
        BundleError, CardError
            If a model cannot be loaded, or if no model has settings for the population.
        """
        readers = [Reader.load(folder, threads=1, policy=policy) for folder in folders]
        if not any(reader.card.populations for reader in readers):
            return cls.of([reader.assuming(population) for reader in readers])
        return cls.of([reader.assuming(population) if reader.card.populations else reader for reader in readers])

    @property
    def default(self) -> str:
        """Id of the default model."""
        return next(iter(self.readers))

    def reader(self, id: str) -> Reader:
        """Return a model.

        Parameters
        ----------
        id : str
            Its id.

        Returns
        -------
        Reader
            The model.

        Raises
        ------
        MissingError
            If there is no such model.
        """
        if id not in self.readers:
            raise MissingError(f"there is no model with this id; the models are {', '.join(self.readers)}")
        return self.readers[id]

    def method(self, id: str, method: str) -> str:
        """Check a method of heat maps, and fill in the model's default for an empty one.

        Parameters
        ----------
        id : str
            Id of a model.
        method : str
            Name of the method, or empty.

        Returns
        -------
        str
            Name of the method.

        Raises
        ------
        MissingError
            If there is no such model, or it has no such method.
        """
        card = self.reader(id).card
        if method and method not in card.map_scales:
            raise MissingError(f"the model gives heat maps by {', '.join(card.map_scales)}, not by this method")
        return method or card.map_method

    def check_population(self, id: str, population: Population | None) -> None:
        """Refuse a population that a model has no settings for.

        Parameters
        ----------
        id : str
            Id of a model.
        population : {"child", "adult"}, optional
            The population; None is always accepted.

        Raises
        ------
        RequestError
            If the model has no settings for it.
        """
        known = self.reader(id).card.populations
        if population is not None and population not in known:
            has = f"settings for {', '.join(known)}" if known else "the same settings for all patients"
            raise RequestError(f"the model has {has}, none for '{population}'; leave the population out")


def _id(reader: Reader) -> str:
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", reader.card.name).strip("-")
    return f"{name}-{reader.model.sha256[:_HASH_LENGTH]}"
