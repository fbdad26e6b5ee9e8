"""What an operation needs of the catalogue that it works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from retrovue_uow.errors import OperationError
from retrovue_uow.media.interfaces import EnricherFactory, ImporterFactory
from retrovue_uow.rules.curation import Protection
from retrovue_uow.store.frame import Operation
from retrovue_uow.uow.database import Database


class OpenCatalog(Protocol):
    """`Catalog`, as the operations below it see it."""

    @property
    def database(self) -> Database:
        """The catalogue file."""

    @property
    def importers(self) -> Mapping[str, ImporterFactory]:
        """Importer types by name."""

    @property
    def enrichers(self) -> Mapping[str, EnricherFactory]:
        """Enricher types by name."""

    @property
    def protections(self) -> Sequence[Protection]:
        """What must not be taken off the air, in production; nothing elsewhere."""

    def operation(
        self,
        name: str,
        error: type[OperationError],
        /,
        *,
        dry_run: bool = False,
        prepares: bool = False,
        **arguments: object,
    ) -> Operation:
        """The frame of an operation."""
