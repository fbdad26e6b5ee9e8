"""What every operation has at hand: the open file, its plug-ins, and the frame in which it runs."""

from __future__ import annotations

from collections.abc import Mapping

from retrovue_uow.errors import OperationError
from retrovue_uow.media.interfaces import EnricherFactory, ImporterFactory
from retrovue_uow.model import Extension
from retrovue_uow.rules.curation import Protection
from retrovue_uow.store.claims import Claims
from retrovue_uow.store.frame import Operation
from retrovue_uow.store.recorder import Recorder
from retrovue_uow.uow.database import Database


class OpenCatalog:
    """The state of an open catalogue. `Catalog` opens it, and adds the verbs.

    Attributes:
        importers: Importer types by name.
        enrichers: Enricher types by name.
        given_extensions: Those that it was opened with; `Catalog.extensions` lists what the file has.
        protections: What must not be taken off the air, in production; nothing elsewhere.
    """

    database: Database
    importers: Mapping[str, ImporterFactory]
    enrichers: Mapping[str, EnricherFactory]
    given_extensions: tuple[Extension, ...]
    protections: tuple[Protection, ...]
    _claims: Claims
    _recorder: Recorder

    def operation(
        self,
        name: str,
        error: type[OperationError] = OperationError,
        /,
        *,
        dry_run: bool = False,
        prepares: bool = False,
        **arguments: object,
    ) -> Operation:
        """The frame of an operation, the library's or your own: three phases in one unit, or nothing.

        Where a pre-condition does not hold, a plug-in fails, or SQLite or a rule refuses the result, all is rolled back.

        Args:
            name: As the log and the journal name it.
            error: The class of the error that is raised from the original one, with `operation`, `phase` and `cause`.
            dry_run: Do the whole work, report it, and roll it back, without an error.
            prepares: It has slow work outside: its pre-flight reads a snapshot, its preparation runs without any lock.
            arguments: For the log and the journal.
        """
        return Operation(
            self.database,
            self._claims,
            self._recorder,
            name=name,
            error=error,
            dry_run=dry_run,
            prepares=prepares,
            arguments=arguments,
        )
