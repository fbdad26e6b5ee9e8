"""The journal: one row for each unit of work that was committed, one for each operation in it, in the same transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from operator import attrgetter

import attrs

from retrovue_uow.errors import ContractError, ResourceError, ValidationError, loading
from retrovue_uow.log import logger
from retrovue_uow.model import Changes, JournalUnit, RowChange
from retrovue_uow.store import checks, migrations, rows, touched
from retrovue_uow.store import journal as queries
from retrovue_uow.store.ids import new_id, utc_now
from retrovue_uow.store.journal import JOURNAL_TABLES
from retrovue_uow.uow.changes import HAS_SESSIONS, NOT_HAD, Changeset, Key, Recording, decompressed
from retrovue_uow.uow.database import Database
from retrovue_uow.uow.guard import Guard
from retrovue_uow.uow.tables import Shape


@cache
def library_version() -> str:
    """The installed version of this library."""
    with loading("the version of this library"):
        from importlib.metadata import version  # slow to import, and only who writes needs it

        return version("retrovue_uow")


@attrs.frozen
class Retention:
    """How much of the past can be undone: the changesets of so many units, and of so many bytes, compressed."""

    units: int = 200
    size: int = 2**30


@attrs.define
class Watch:
    """What is recorded of an operation, or of the whole unit where that is the outermost thing.

    Attributes:
        starts_validated: Whether the rules had seen everything before it.
    """

    recording: Recording | None
    starts_validated: bool
    changeset: Changeset | None = None

    @property
    def changes(self) -> Changes | None:
        """What was changed when the rules last looked; None where this SQLite cannot record it."""
        return None if self.changeset is None else rows.changes_in(self.changeset)


class Journal:
    """What the open unit will be remembered by, and the gate in front of its COMMIT.

    Args:
        database: Every outermost unit of it is recorded, judged and journalled.
        validate: Judges what was touched; raises `ValidationError`.
        allow: Judges all that a unit changed, with what was there before it; raises an error of its own. None: all is allowed.
    """

    def __init__(
        self,
        database: Database,
        validate: Callable[[Database], None],
        retention: Retention,
        *,
        allow: Callable[[Database, Changeset], None] | None = None,
    ) -> None:
        self._database = database
        self._validate = validate
        self._retention = retention
        self._allow = allow
        self._shape = Shape({}, {}, ())
        self._unit_id = ""
        self._started_at = ""
        self._unit: Watch | None = None
        self._validated_changes = 0
        self._whole: Changeset | None = None
        self._schema_version = -1
        if not HAS_SESSIONS:
            logger.warning("changes_are_not_recorded", reason="this SQLite has no session extension")
        self._guard = Guard(kept=frozenset({*JOURNAL_TABLES, "sqlite_sequence"}), named=migrations.own_names())
        database.transaction.set_guard(self._guard)
        database.after_begin(self._open_unit)
        database.before_commit(self._close_unit)

    @property
    def unit_id(self) -> str:
        """Identifier of the open unit."""
        return self._unit_id

    def _open_unit(self) -> None:
        self._database.at_end(self._forget_unit)
        self._unit_id = new_id()
        self._started_at = utc_now()
        self._validated_changes = 0
        self._whole = None
        self._look_at_schema()
        self._unit = Watch(self._recording(), starts_validated=True)

    def _read_schema_version(self) -> int:
        ((version,),) = self._database.execute("PRAGMA schema_version")
        return int(version)

    def _look_at_schema(self) -> None:
        """Another program may have changed the schema since we last looked: rules, tables, even to a newer version's."""
        version = self._read_schema_version()
        if version != self._schema_version:
            migrations.require_current(self._database)
            migrations.require_own_triggers(self._database, len(migrations.migrations()))
            migrations.require_own_schema(self._database)
            self._schema_version = version
        if self._shape is not self._database.shape:
            self._shape = self._database.shape
            unrecorded = frozenset(table.lower() for table in self._shape.unkeyed)
            self._database.transaction.set_guard(attrs.evolve(self._guard, unrecorded=unrecorded))

    def _recording(self) -> Recording | None:
        return Recording(self._database, self._shape) if HAS_SESSIONS else None

    def _forget_unit(self) -> None:
        unit, self._unit = self._unit, None
        if unit is not None and unit.recording is not None:
            unit.recording.close()

    def watch(self) -> Watch:
        """Watch what the operation that has just opened its unit changes. The outermost one's watch is the unit's own."""
        if self._unit is not None and self._database.unit_changes() == 0:
            return self._unit
        watch = Watch(self._recording(), starts_validated=self._is_validated)
        if watch.recording is not None:
            self._database.at_end(watch.recording.close)
        return watch

    @contextmanager
    def narrowed(self, watch: Watch) -> Iterator[None]:
        """Within the block the rules look at what is watched; what all of them have looked at need not be judged again."""
        if watch.recording is None:
            yield
            return
        watch.changeset = watch.recording.changeset()
        self._whole = watch.changeset if watch is self._unit and len(self._database.transaction.units) == 1 else None
        with touched.narrowed(self._database, watch.changeset) as narrowing:
            yield
        if watch.starts_validated and checks.has_judged_all(narrowing.judged):
            self._note_validated()

    def _note_validated(self) -> None:
        self._validated_changes = self._database.unit_changes()

    @property
    def _is_validated(self) -> bool:
        return self._validated_changes == self._database.unit_changes()

    def require_json(self, arguments: Mapping[str, object]) -> None:
        """Refuse, before the work and not after it, arguments that the journal could not keep."""
        try:
            queries.json_text(arguments)
        except (TypeError, ValueError, RecursionError) as error:
            raise ContractError(f"the arguments of an operation must be JSON, for the journal: {error}") from error

    def add_operation(
        self, name: str, arguments: Mapping[str, object], result: object, *, started_at: str, duration_ms: int
    ) -> None:
        """Remember an operation; forgotten again if its savepoint, or the unit, is rolled back."""
        was_validated = self._is_validated
        with self._database.as_keeper():
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
            self._note_validated()

    def _close_unit(self) -> None:
        """The gate: what the rules have not seen is judged, and all by what was before; then the unit's own row is finished."""
        unit = self._unit
        if self._read_schema_version() != self._schema_version:
            raise ContractError("the shape of a catalogue is changed by migrations only: everything was rolled back")
        if unit is None or self._database.unit_changes() == 0:
            return
        if unkeyed := [table for table in self._database.shape.nulls if table in self._shape.keys]:
            raise ValidationError(f"a row of table {unkeyed[0]!r} has no key, so it cannot be recorded: give it one")
        if not self._is_validated:
            with self.narrowed(unit), self._database.read_only():
                self._validate(self._database)
        changeset = self._changeset_of(unit)
        if self._allow is not None and changeset is not None:
            self._allow(self._database, changeset)
        if queries.operations_of_unit(self._database, self.unit_id) == 0:
            if changeset is not None and not changeset:
                return  # all that was written was undone again
            self.add_operation("session", {}, None, started_at=self._started_at, duration_ms=0)
        with self._database.as_keeper():
            queries.close_unit(self._database, self.unit_id, committed_at=utc_now(), changeset=changeset)
            queries.expire_changesets(self._database, units=self._retention.units, size=self._retention.size)

    def _changeset_of(self, unit: Watch) -> Changeset | None:
        """All that the unit changed: read now, unless the rules have just looked at all of it, none of which can be undone."""
        if self._whole is not None or unit.recording is None:
            return self._whole
        return unit.recording.changeset()


def recorded(db: Database, unit: JournalUnit) -> Changeset:
    """What a unit changed.

    Raises:
        ValidationError: Its record has expired or is damaged, or the tables have another shape now.
        ResourceError: This SQLite cannot read it.
    """
    reshaped = reshaped_since(db, unit)
    if reshaped:
        raise ValidationError(f"table {reshaped[0]!r} has another shape now than when unit {unit.id!r} was recorded")
    changeset = _read(db, unit)
    changeset.require_fitting()
    return changeset


def reshaped_since(db: Database, unit: JournalUnit) -> list[str]:
    """The tables in which a unit changed rows, and whose columns a migration has changed since, but for more at the end."""
    if unit.schema_version == len(migrations.migrations()):
        return []
    then, now = migrations.columns_at(unit.schema_version), db.shape.columns
    return [table for table in unit.counts or {} if table in then and then[table] != [*now.get(table, ())][: len(then[table])]]


def _read(db: Database, unit: JournalUnit) -> Changeset:
    if not HAS_SESSIONS:
        raise ResourceError(NOT_HAD)
    found = queries.changeset(db, unit.id)
    if found is None:
        raise ValidationError(
            f"what unit {unit.id!r} changed is no longer recorded row by row, so it can be neither told nor undone: the "
            "newest units alone are kept so (`undo_units` and `undo_bytes` of the catalogue)"
        )
    return decompressed(*found, db.shape, unit_id=unit.id)


def last_unit_that_changed(db: Database, table: str, key: Key, *, after: JournalUnit) -> JournalUnit | None:
    """The newest of the units committed after another one that changed a row; None if the journal knows of none."""
    units = queries.recorded_units(db, after=after.id, table=table)
    return next((unit for unit in reversed(units) if _row_of(db, unit, table, key) is not None), None)


def changed_since(db: Database, unit: JournalUnit) -> list[Changeset]:
    """What has changed since a unit, as far as that is recorded: on balance under each version of the schema."""
    later = groupby(queries.recorded_units(db, after=unit.id, table=None), key=attrgetter("schema_version"))
    read = [[_read(db, each) for each in units] for _, units in later]
    return [first.followed_by(*others) for first, *others in read]


def changes_of(db: Database, table: str, key: Key) -> Iterator[tuple[JournalUnit, RowChange]]:
    """What the recorded units changed in a row, the oldest first."""
    for unit in queries.recorded_units(db, after=None, table=table):
        row = _row_of(db, unit, table, key)
        if row is not None:
            yield unit, row


def _row_of(db: Database, unit: JournalUnit, table: str, key: Key) -> RowChange | None:
    """What a unit changed in one row; that it did not touch the row can most often be told without walking its changes."""
    changeset = _read(db, unit)
    if not changeset.may_speak_of(key):
        return None
    changeset.require_fitting()
    found = changeset.find(table, key)
    return None if found is None else rows.shown(found)
