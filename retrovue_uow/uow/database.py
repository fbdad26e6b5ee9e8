"""One SQLite file, opened with care: statements, units of work, read-only blocks. Knows nothing of the catalogue's tables."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import apsw

from retrovue_uow.errors import ContractError, ResourceError
from retrovue_uow.uow.connection import (
    MEMORY,
    BusyWait,
    frozen_state,
    open_beside,
    open_connection,
    translated,
    usable_path,
)
from retrovue_uow.uow.guard import Guarding, Hook
from retrovue_uow.uow.tables import Shape, null_keys, read_shape
from retrovue_uow.uow.unit import ReadOnly, Transaction, Unit, WatchedUnit
from retrovue_uow.uow.writer_queue import WriterQueue

_LONGEST_NAME = 255
"""Bytes; asked before the work, and not when the finished copy is to be called so."""
_STEPS = 10_000
"""Of SQLite's virtual machine between two looks at the clock: a few tenths of a millisecond."""
Value = int | float | str | bytes | None
Row = tuple[Any, ...]  # what comes out is known to the query alone, which gives it its types
Params = Sequence[Value] | Mapping[str, Value]


class Database:
    """One APSW connection in WAL mode with foreign keys on, `synchronous=FULL`, and every setting asserted.

    Reads may be made at any time; writes only inside `session()`: SQLite's commit hook vetoes every other one.

    Args:
        path: The file, or `":memory:"`. Created if it does not exist; its folder is not.
        busy_timeout_ms: How long to wait for another connection's lock before a `ResourceError`.
        read_only: SQLite refuses every write, and `session()` is refused. On a read-only file system, the file is read
            without a lock, and a read fails with `ResourceError` if somebody has written it from elsewhere.
        write_wait_s: How long to wait for one's turn among the writers that queue, before a `ResourceError`.

    Attributes:
        transaction: What the library's own wings know of the connection; nobody else needs it.
        scope: What the wing above keeps here of the block that is open.

    Raises:
        ResourceError: The file or its folder is missing, unreadable, unwritable, not a database, damaged or locked.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        busy_timeout_ms: int = 5000,
        read_only: bool = False,
        write_wait_s: float = 60,
    ) -> None:
        self.path = usable_path(path)
        self.is_read_only = read_only
        self.scope: object = None
        self._shape = Shape({}, {}, ())
        self._shape_of: tuple[object, ...] = ()
        self._busy = BusyWait(busy_timeout_ms)
        queue = WriterQueue(None if self.path == MEMORY else self.path, write_wait_s)
        self.transaction = Transaction(self._open, self.path, queue)

    def _open(self) -> apsw.Connection:
        self._frozen = frozen_state(self.path) if self.is_read_only else None
        immutable = self._frozen is not None
        return open_connection(self.path, busy=self._busy, read_only=self.is_read_only, immutable=immutable)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def connection(self) -> apsw.Connection:
        """APSW's connection; another one after a fork."""
        self.transaction.reopen()
        return self.transaction.connection

    def execute(self, sql: str, params: Params = ()) -> list[Row]:
        """All rows of `sql`, as a list: no cursor stays open.

        Raises:
            ConstraintError: SQLite refused a row.
            ContractError: The statement is faulty, controls the transaction, writes outside a unit, or is not the owner's.
            TransactionLostError: SQLite has ended the transaction under the unit.
            ResourceError: Disk, lock or memory failed.
        """
        return self._run("execute", sql, params)

    def executemany(self, sql: str, rows: Iterable[Params]) -> None:
        """Run `sql` once for each of `rows`. Raises what `execute` raises."""
        self._run("executemany", sql, rows)

    def insert(self, sql: str, params: Params = ()) -> int:
        """Run an INSERT of one row: its integer key. Raises what `execute` raises.

        Half the time of a RETURNING clause, for which SQLite keeps a table of its own.
        """
        self.execute(sql, params)
        return self.connection.last_insert_rowid()

    def _run(self, method: str, sql: str, params: object) -> list[Row]:
        self.transaction.admit()
        try:
            run: Callable[..., apsw.Cursor] = getattr(self.transaction.connection, method)
            # SQLite does not authorise a cached statement again: what a keeper writes, nobody may find there
            rows = run(sql, params, can_cache=not self.transaction.is_keeper).fetchall()
        except (apsw.ConnectionClosedError, apsw.CursorClosedError) as error:
            if self.transaction.reopen():  # another thread has forked since we were admitted; outside a unit nothing is written
                return self._run(method, sql, params)
            raise self.transaction.refusal(error) from error
        except (apsw.Error, UnicodeError, OverflowError, TypeError) as error:
            self._refuse_torn(error)
            refusal = self.transaction.refusal(error)
            self.transaction.observe(refusal)
            raise refusal from error
        except BaseException as error:
            self.transaction.observe(error)
            if isinstance(error, ValueError) and "\0" in sql:
                raise ContractError("SQLite cannot run a statement that has a NUL character: bind it as a value") from error
            raise
        self._refuse_torn()
        return rows

    def _refuse_torn(self, error: BaseException | None = None) -> None:
        """What was read without a lock holds only as long as nobody has written."""
        if self._frozen is not None and frozen_state(self.path) != self._frozen:
            raise ResourceError(
                f"catalogue {self.path!r} lies on a file system that is read-only here, and was written from elsewhere since "
                "it was opened: close it and open it again"
            ) from error

    def apply(self, changeset: bytes, conflict: Callable[[int, apsw.TableChange], int]) -> None:
        """Make the changes of a changeset, `conflict` judging those that do not fit. Raises APSW's own errors.

        Foreign-key actions are off, for what they did is in the changeset itself: left on, they would delete rows that were
        added later (https://www.sqlite.org/session/c_changesetapply_fknoaction.html). SQLite then forgets which references are
        broken: they must be searched.
        """
        self.transaction.admit()
        self.transaction.has_applied = self.transaction.is_applying = True
        try:
            apsw.Changeset.apply(changeset, self.connection, conflict=conflict, flags=apsw.SQLITE_CHANGESETAPPLY_FKNOACTION)
        finally:
            self.transaction.is_applying = False

    @contextmanager
    def without_triggers(self) -> Iterator[None]:
        """A block in which no trigger runs: what they did is in the changeset that is applied, and would be done twice."""
        self.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        try:
            yield
        finally:
            self.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)

    @contextmanager
    def without_references(self) -> Iterator[None]:
        """A block in which SQLite acts on no reference: a table that is dropped, to be made anew, takes nothing along.

        What is broken then is for the caller to find.
        """
        self.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)
        try:
            yield
        finally:
            self.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)

    @property
    def has_enforced_references(self) -> bool:
        """Whether SQLite itself has enforced every reference so far in the open unit, so that none need be searched."""
        ((is_deferring,),) = self.execute("PRAGMA defer_foreign_keys")  # which stays on until the unit ends
        deferred, _ = self.connection.status(apsw.SQLITE_DBSTATUS_DEFERRED_FKS)
        return not (self.transaction.has_applied or is_deferring or deferred)

    @contextmanager
    def as_keeper(self) -> Iterator[None]:
        """A block for the keeper's own statements, to which the guard does not apply."""
        self.transaction.is_keeper = True
        try:
            yield
        finally:
            self.transaction.is_keeper = False

    @contextmanager
    def guarded(self, guard: Guarding) -> Iterator[None]:
        """A block in which this guard judges the statements, in place of the one that does, and also those of the keeper."""
        transaction = self.transaction
        usual, is_keeper = transaction.guard, transaction.is_keeper
        transaction.is_keeper = False
        transaction.set_guard(guard)
        try:
            yield
        finally:
            transaction.is_keeper = is_keeper
            transaction.set_guard(usual)

    @contextmanager
    def interrupted_after(self, seconds: float) -> Iterator[None]:
        """A block whose statements SQLite gives up, with a `ResourceError`, once it has lasted so long."""
        deadline = time.monotonic() + seconds
        self.connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        try:
            yield
        finally:
            self.connection.set_progress_handler(None)

    def tables_read_by(self, query: str) -> set[str]:
        """The tables that a query reads, through whatever views. Raises what `execute` raises where it cannot run."""
        read: set[str] = set()

        def note(action: int, first: str | None, *_: str | None) -> int:
            read.update([first or ""] if action == apsw.SQLITE_READ else [])
            return apsw.SQLITE_OK

        self.connection.authorizer = note
        try:
            self.execute(f"EXPLAIN {query}")
        finally:
            self.transaction.set_guard(self.transaction.guard)
        return read.intersection(name for (name,) in self.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"))

    def damage(self) -> str | None:
        """The first thing that is wrong with the file or its schema, for which all of it is read."""
        ((found,),) = self.execute("PRAGMA integrity_check(1)")
        return str(found) if found != "ok" else next(iter(self.transaction.altered_schema()), None)

    def changes(self) -> int:
        """How many rows the last INSERT, UPDATE or DELETE changed, not counting cascades."""
        return self.connection.changes()

    def unit_changes(self) -> int:
        """How many rows the open unit has changed, cascades and what was undone since included."""
        return self.connection.total_changes() - self.transaction.changes_at_begin

    @property
    def shape(self) -> Shape:
        """Keys, columns and references of the tables but the keeper's; read once for each version of the schema."""
        ((version,),) = self.execute("PRAGMA schema_version")
        # a rollback gives back a version, under which other tables may be made
        asked = (self.transaction.connection, self.transaction.rollbacks, version, self.transaction.guard.kept)
        if asked != self._shape_of or null_keys(self.execute, self._shape.nullable) != self._shape.nulls:
            self._shape, self._shape_of = read_shape(self.execute, self.transaction.guard.kept), asked
        return self._shape

    def data_version(self) -> tuple[object, ...]:
        """A mark of what the database holds: between two equal ones nobody has written, here or elsewhere.

        Ask for each inside the unit or read-only block that it speaks of. What was rolled back counts as written, too.
        SQLite counts what others committed (https://www.sqlite.org/pragma.html#pragma_data_version), and this connection what
        it changed itself; so those of two connections are never equal.
        """
        ((version,),) = self.execute("PRAGMA data_version")
        return self.transaction.connection, version, self.transaction.connection.total_changes()

    def session(self, *, contain: bool = False, durable: bool = False) -> Unit[Database]:
        """A unit of work: BEGIN IMMEDIATE … COMMIT where none is open, a savepoint inside one.

        Any exception undoes the unit. A nested unit that failed makes the enclosing ones roll back even where its error is
        swallowed.

        Args:
            contain: The failure of this nested unit may be survived: only the unit itself is undone.
            durable: Insist on being outermost, so that leaving the block means that the data is on disk.

        Raises:
            ResourceError: Another writer holds the lock for longer than the time-out, or the database is read-only.
            ContractError: `durable` inside another unit, a unit of another thread or task, or a swallowed failure.
        """
        if self.is_read_only:
            raise ResourceError(f"database {self.path!r} was opened read-only: open it for writing")
        kind: type[Unit[Database]] = Unit if self.transaction.units else WatchedUnit
        return kind(self, self.transaction, contain=contain, durable=durable)

    def read_only(self) -> ReadOnly[Database]:
        """A block in which SQLite refuses to write: within a unit on its own rows, outside on a consistent snapshot."""
        self._refuse_torn()
        return ReadOnly(self, self.transaction)

    @property
    def in_unit(self) -> bool:
        """Whether a unit of work is open."""
        return bool(self.transaction.units)

    def on_commit(self, hook: Hook) -> None:
        """Call `hook` after the outermost COMMIT, outside the unit; never if this unit or an enclosing one rolls back."""
        self._innermost().on_commit.append(hook)

    def set_rollback_only(self, reason: str) -> None:
        """Roll the innermost unit back at its end, without an error: a dry run."""
        self._innermost().rollback_only = reason

    def after_begin(self, hook: Hook) -> None:
        """Call `hook` inside each outermost unit, as the first thing after BEGIN; what it raises rolls back."""
        self.transaction.after_begin.append(hook)

    def before_commit(self, hook: Hook) -> None:
        """Call `hook` inside each outermost unit, as the last thing before COMMIT; what it raises rolls back."""
        self.transaction.before_commit.append(hook)

    def at_end(self, hook: Hook) -> None:
        """Call `hook` once when the open outermost unit has ended, whichever way; also where SQLite has ended it already."""
        if not self.transaction.is_lost:
            self._innermost()
        self.transaction.at_end.append(hook)

    def _innermost(self) -> Unit[Database]:
        self.transaction.admit()
        if not self.transaction.units:
            raise ContractError("no unit of work is open: this belongs inside `with database.session():`")
        return self.transaction.units[-1]  # type: ignore[return-value]  # only `session` makes units

    def close(self) -> None:
        """Close the connection. Refused inside a unit, which is rolled back."""
        self.transaction.admit(reopens=False)
        if self.transaction.units:
            self.transaction.end()
            raise ContractError("the database was closed inside a unit of work: the unit was rolled back")
        try:
            self.transaction.close()
        except apsw.Error as error:
            raise translated(error, self.path) from error

    def backup(self, target: str, *, progress: Callable[[int, int], None] | None = None) -> None:
        """Copy the whole database into the file `target` with SQLite's backup API, writers going on meanwhile.

        The copy has its name only once it is whole. Not to be called inside a unit of work, which the copy could not have.
        """
        self.transaction.admit()
        self.execute("SELECT 1")  # says so where the database is closed
        if self.transaction.units:
            raise ContractError("a backup cannot be made inside a unit of work: leave it first")
        unfinished = f"{os.path.dirname(target) or '.'}/retrovue-{os.urandom(16).hex()}.part"
        try:
            if len(os.path.basename(target).encode()) > _LONGEST_NAME:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            os.close(open_beside(self.path, unfinished, os.O_RDWR))
            try:
                self._copy(unfinished, progress)
                self._refuse_torn()
                os.replace(unfinished, target)
            finally:
                Path(unfinished).unlink(missing_ok=True)
        except OSError as error:
            raise ResourceError(f"backup {target!r} cannot be written: {error.strerror}") from error
        except apsw.Error as error:
            raise translated(error, target) from error

    def _copy(self, target: str, progress: Callable[[int, int], None] | None) -> None:
        with closing(apsw.Connection(target)) as copy, copy.backup("main", self.connection, "main") as backup:
            while not backup.done:
                backup.step(4096)
                if progress is not None:
                    progress(backup.page_count - backup.remaining, backup.page_count)
