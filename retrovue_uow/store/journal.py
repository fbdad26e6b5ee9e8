"""The journal: one row for each unit of work that was committed, one for each operation in it, in the same transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import version

from retrovue_uow.store import queries_journal as queries
from retrovue_uow.store.database import Database
from retrovue_uow.store.identity import new_id, utc_now


@cache
def library_version() -> str:
    """The installed version of this library."""
    return version("retrovue_uow")


class Journal:
    """What the open unit will be remembered by, and the gate in front of its COMMIT.

    Args:
        database: Every outermost unit of it is judged and journalled.
        validate: Judges the whole catalogue; raises `ValidationError`.
    """

    def __init__(self, database: Database, validate: Callable[[Database], None]) -> None:
        self._database = database
        self._validate = validate
        self._unit_id: str | None = None
        self._started_at = ""
        self._validated_changes = 0
        database.before_commit(self._close_unit)

    @property
    def unit_id(self) -> str:
        """Identifier of the open unit, drawn when it is first asked for."""
        if self._unit_id is None:
            self._database.at_end(self._forget_unit)
            self._unit_id = new_id()
            self._started_at = utc_now()
        return self._unit_id

    def _forget_unit(self) -> None:
        self._unit_id = None
        self._validated_changes = 0

    def validated(self) -> None:
        """Note that the rules have seen everything that the open unit wrote so far."""
        self._validated_changes = self._database.unit_changes()

    @property
    def _is_validated(self) -> bool:
        return self._validated_changes == self._database.unit_changes()

    def add_operation(
        self, name: str, arguments: Mapping[str, object], result: object, *, started_at: str, duration_ms: int
    ) -> None:
        """Remember an operation; forgotten again if its savepoint, or the unit, is rolled back."""
        was_validated = self._is_validated
        queries.ensure_unit(
            self._database,
            self.unit_id,
            started_at=self._started_at,
            pid=os.getpid(),
            library_version=library_version(),
        )
        queries.add_operation(
            self._database,
            self.unit_id,
            name=name,
            arguments=arguments,
            result=result,
            started_at=started_at,
            duration_ms=duration_ms,
        )
        if was_validated:
            self.validated()

    def _close_unit(self) -> None:
        """The gate: what the rules have not seen is judged now; then the unit's own row is finished."""
        database = self._database
        if database.unit_changes() == 0:
            return
        if not self._is_validated:
            self._validate(database)
        if queries.operations_of_unit(database, self.unit_id) == 0:
            self.add_operation("session", {}, None, started_at=self._started_at, duration_ms=0)
        queries.close_unit(database, self.unit_id, committed_at=utc_now())
