"""What the open unit has changed, what of it the rules have seen, and the gate in front of its COMMIT."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import NamedTuple

import attrs

from retrovue_uow.errors import ContractError, ValidationError
from retrovue_uow.log import logger
from retrovue_uow.model import Changes
from retrovue_uow.store import checks, extensions, journal, migrations
from retrovue_uow.store.ids import new_id, utc_now
from retrovue_uow.store.rows import changes_in
from retrovue_uow.uow.changes import HAS_SESSIONS, Changeset, Recording
from retrovue_uow.uow.database import Database
from retrovue_uow.uow.guard import Guard
from retrovue_uow.uow.tables import Shape

_KEPT = frozenset({*journal.JOURNAL_TABLES, "extension", "sqlite_sequence"})


class Retention(NamedTuple):
    """How much of the past can be undone: the changesets of so many units, and of so many bytes, compressed."""

    units: int = 200
    size: int = 2**30


@attrs.define
class Recorded:
    """What an operation changes, or the whole unit where that is the outermost thing.

    Attributes:
        since: How many rows the unit had changed when it began.
        changeset: What it had changed when the rules last looked; None where this SQLite cannot record it.
    """

    recording: Recording | None
    since: int = 0
    changeset: Changeset | None = None

    @property
    def changes(self) -> Changes | None:
        """The changeset, as results show it."""
        return None if self.changeset is None else changes_in(self.changeset)


@attrs.define
class RecordedUnit(Recorded):
    """What an outermost unit changes.

    Attributes:
        judged: The rules have seen all that was changed by the time when so many rows had been.
        whole: All that was changed, if the rules looked at that last; None where they looked at a part, which may be undone.
    """

    id: str = ""
    started_at: str = ""
    judged: int = 0
    whole: Changeset | None = None


class Recorder:
    """Records, judges and journals every outermost unit of a database, but for those in which its keeper shapes it.

    Args:
        schemas: What there is in it.
        validate: Judges what was touched; raises `ValidationError`.
        allow: Judges all that a unit changed, with what was there before it; raises an error of its own. None: all is allowed.
    """

    def __init__(
        self,
        database: Database,
        schemas: migrations.Schemas,
        validate: Callable[[Database], None],
        retention: Retention,
        *,
        allow: Callable[[Database, Changeset], None] | None = None,
    ) -> None:
        self._database = database
        self._validate = validate
        self._retention = retention
        self._allow = allow
        self._unit = RecordedUnit(None)
        if not HAS_SESSIONS:
            logger.warning("changes_are_not_recorded", reason="this SQLite has no session extension")
        self.know(schemas)
        database.after_begin(self._open_unit)
        database.before_commit(self._close_unit)

    def know(self, schemas: migrations.Schemas) -> None:
        """Hold the catalogue to this from now on."""
        self.schemas, self._schema_version = schemas, -1
        self._shape, self._extended = Shape({}, {}, ()), dict[str, Set[str]]()
        self._guard = Guard(kept=_KEPT, named=frozenset(name for _, name in schemas.all))
        self._database.transaction.set_guard(self._guard)
        self._database.transaction.altered = schemas.altered

    @property
    def unit_id(self) -> str:
        """Identifier of the open unit."""
        return self._unit.id

    def _open_unit(self) -> None:
        if self._database.transaction.is_keeper:
            return
        self._database.at_end(self._forget_unit)
        self._look_at_schema()
        self._unit = RecordedUnit(self._recording(), id=new_id(), started_at=utc_now())

    def _forget_unit(self) -> None:
        unit, self._unit = self._unit, RecordedUnit(None)
        if unit.recording is not None:
            unit.recording.close()

    def _read_schema_version(self) -> int:
        ((version,),) = self._database.execute("PRAGMA schema_version")
        return int(version)

    def _look_at_schema(self) -> None:
        """Another program may have changed the schema since we last looked: rules, tables, even to a newer version's."""
        version = self._read_schema_version()
        if version != self._schema_version:
            migrations.require_current(self._database, self.schemas)
            self._schema_version, self._extended = version, {**extensions.rules(self._database)}
        shape = self._database.shape
        if shape is not self._shape:
            unrecorded = frozenset(table.lower() for table in shape.unkeyed)
            self._database.transaction.set_guard(self._guard._replace(unrecorded=unrecorded))
            self._shape = shape

    def _recording(self) -> Recording | None:
        return Recording(self._database, self._shape) if HAS_SESSIONS else None

    def record(self) -> Recorded:
        """Record what the operation that has just opened its unit changes; the outermost one shares the unit's own record."""
        since = self._database.unit_changes()
        if since == 0:
            is_outermost = len(self._database.transaction.units) == 1
            return self._unit if is_outermost else Recorded(self._unit.recording)
        recorded = Recorded(self._recording(), since)
        if recorded.recording is not None:
            self._database.at_end(recorded.recording.close)
        return recorded

    @contextmanager
    def narrowed(self, recorded: Recorded) -> Iterator[None]:
        """Within the block the rules look at what is recorded; what all of them have looked at need not be judged again."""
        if recorded.recording is None:
            yield
            return
        recorded.changeset = recorded.recording.changeset()
        self._unit.whole = recorded.changeset if recorded is self._unit else None
        with checks.narrowed(self._database, recorded.changeset, self._extended) as scope:
            yield
        if scope.has_judged_all and recorded.since <= self._unit.judged:
            self._unit.judged = self._database.unit_changes()

    @property
    def _is_judged(self) -> bool:
        return self._unit.judged == self._database.unit_changes()

    def require_json(self, arguments: Mapping[str, object]) -> None:
        """Refuse, before the work and not after it, arguments that the journal could not keep."""
        try:
            journal.json_text(arguments)
        except (TypeError, ValueError, RecursionError) as error:
            raise ContractError(f"the arguments of an operation must be JSON, for the journal: {error}") from error

    def add_operation(
        self, name: str, arguments: Mapping[str, object], result: object, *, started_at: str, duration_ms: int
    ) -> None:
        """Remember an operation; forgotten again if its savepoint, or the unit, is rolled back."""
        db, unit, was_judged = self._database, self._unit, self._is_judged
        with db.as_keeper():
            journal.add_operation(
                db,
                unit.id,
                unit_started_at=unit.started_at,
                name=name,
                arguments=arguments,
                result=result,
                started_at=started_at,
                duration_ms=duration_ms,
            )
        if was_judged:
            unit.judged = db.unit_changes()

    def _close_unit(self) -> None:
        """The gate: what the rules have not seen is judged, and all by what was before; then the unit's own row is finished."""
        db, unit = self._database, self._unit
        if db.transaction.is_keeper:
            return
        if self._read_schema_version() != self._schema_version:
            raise ContractError("the shape of a catalogue is changed by migrations only: everything was rolled back")
        if db.unit_changes() == 0:
            return
        if unkeyed := [table for table in db.shape.nulls if table in self._shape.keys]:
            raise ValidationError(f"a row of table {unkeyed[0]!r} has no key, so it cannot be recorded: give it one")
        changeset = self._judged_changeset(unit)
        if self._allow is not None and changeset is not None:
            self._allow(db, changeset)
        if journal.operations_of_unit(db, unit.id) == 0:
            if changeset is not None and not changeset:
                return  # all that was written was undone again
            self.add_operation("session", {}, None, started_at=unit.started_at, duration_ms=0)
        with db.as_keeper():
            journal.close_unit(db, unit.id, committed_at=utc_now(), changeset=changeset)
            journal.expire_changesets(db, units=self._retention.units, size=self._retention.size)

    def _judged_changeset(self, unit: RecordedUnit) -> Changeset | None:
        if not self._is_judged:
            with self.narrowed(unit), self._database.read_only():
                self._validate(self._database)
        elif unit.recording is not None and unit.whole is None:
            unit.whole = unit.recording.changeset()
        return unit.whole
