"""One connection and the hooks by which SQLite itself guards its open units of work.

Any SQL can lift `PRAGMA query_only` and end a transaction, so an authorizer refuses what only we may run, a commit hook vetoes
every COMMIT but ours, and a rollback hook counts what SQLite ends by itself.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from typing import NamedTuple, Protocol

import apsw

from retrovue_uow.errors import ConstraintError, ContractError, ResourceError, RetroVueError, TransactionLostError, some
from retrovue_uow.log import logger
from retrovue_uow.uow.connection import MEMORY, Untranslated, file_identity, translated
from retrovue_uow.uow.owner import Owner

Hook = Callable[[], None]
Altered = Callable[[apsw.Connection], Sequence[str]]
OURS = "retrovue_unit"
SIGNATURE = f"-- {OURS} {os.urandom(16).hex()}"
"""Ends every statement of ours: SQLite does not authorise a cached statement again, so nobody else may have the same text."""
_GUARDED_PRAGMAS = frozenset(
    {
        "busy_timeout",
        "foreign_keys",
        "ignore_check_constraints",
        "journal_mode",
        "locking_mode",
        "query_only",
        "recursive_triggers",
        "synchronous",
        "temp_store",
        "trusted_schema",
        "writable_schema",
    }
)
_OFF = frozenset({"0", "off", "no", "false"})
_DENIED = frozenset({apsw.SQLITE_TRANSACTION, apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH})
"""Several files in WAL mode are not committed as one (https://www.sqlite.org/lang_attach.html), and only ours is recorded."""
_WRITES = frozenset({apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE, apsw.SQLITE_DELETE})
_HEADER = frozenset({"application_id", "user_version"})
_TEMPORARY = frozenset({apsw.SQLITE_CREATE_TEMP_TABLE, apsw.SQLITE_CREATE_TEMP_VIEW})


class Guard(NamedTuple):
    """What in a database no statement may write but those of its keeper, be it by a trigger; names in lower case.

    Attributes:
        kept: Tables that are written by their keeper alone; the file's version and application are, too.
        named: What no TEMP table or view may stand in front of, and no TEMP trigger may watch.
        unrecorded: Tables in which nobody could say afterwards what was changed; not even a cascade may write them.
    """

    kept: Set[str] = frozenset()
    named: Set[str] = frozenset()
    unrecorded: Set[str] = frozenset()

    def refusal(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> str | None:
        """Why a statement is refused; None: it is not. The arguments are those of an authorizer."""
        name = (first or "").lower()
        if action in _WRITES:
            if database == "main" and name in self.unrecorded:
                return (
                    f"what changes in table {first!r} cannot be recorded, for it has no primary key of one column that is "
                    "never NULL: give it one, or keep it in a file of its own"
                )
            is_kept = database == "main" and name in self.kept
            return f"table {first!r} is written by this library alone" if is_kept else None
        if action == apsw.SQLITE_PRAGMA:
            is_set = name in _HEADER and second is not None and bool(self.kept)
            return f"PRAGMA {name} is set by this library alone" if is_set else None
        if action == apsw.SQLITE_CREATE_TEMP_TRIGGER and (second or "").lower() in self.named:
            return f"table {second!r} is this library's, and has no TEMP triggers: make the change in the session itself"
        if action == apsw.SQLITE_DROP_TABLE and self.kept:
            return f"the shape of a catalogue is changed by migrations only, so table {first!r} stays"
        if action in _TEMPORARY and name in self.named:
            return f"{first!r} is a name of this library's: call the TEMP table or view otherwise"
        if action == apsw.SQLITE_ALTER_TABLE and name == "temp" and self.named:
            return f"TEMP table {second!r} stays as it is, for it could take a name of this library's: make another one"
        return None


class Guarding(Protocol):
    """A `Guard`, or what takes its place for a while."""

    @property
    def kept(self) -> Set[str]: ...

    def refusal(
        self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None
    ) -> str | None: ...


class OpenUnit(Protocol):
    """A unit as the connection sees it."""

    state: str
    failure: BaseException | None
    rollback_only: str | None
    on_commit: list[Hook]


class GuardedConnection:
    """One connection, and what its hooks look at.

    Attributes:
        units: The open ones, outermost first.
        connection: Closed by a fork where it is idle, and opened again by `reopen` where it is used next.
        rollbacks: How many transactions were rolled back so far.
    """

    def __init__(self, open_: Callable[[], apsw.Connection], name: str) -> None:
        self.connection = open_()
        self.name = name
        self._open = open_
        self._identity = file_identity(name)
        self._is_shut = False
        self.units: list[OpenUnit] = []
        self.owner = Owner()
        self.altered: Altered | None = None
        self.is_applying = self.has_applied = False
        self.guard: Guarding = Guard()
        self.is_keeper = False
        self._read_only_blocks = 0
        self._is_refusing_writes = False
        self._controlling = False
        self._committing = False
        self.rollbacks = 0
        self._rollbacks_at_begin = 0
        self._first_loss: BaseException | None = None
        self._refusal: str | None = None
        self._set_hooks()
        _open_here.add(self)

    def _set_hooks(self) -> None:
        self.connection.authorizer = self._authorize
        self.connection.set_commit_hook(lambda: not self._committing)
        self.connection.set_rollback_hook(self._count_rollback)

    def shut(self) -> None:
        """Before a fork: close a connection that is idle, for the child would inherit SQLite's account of its locks."""
        if self.name == MEMORY or not self.is_idle:
            return
        connection, self._is_shut = self.connection, True
        if not self.is_idle:  # by now: who enters a unit in another thread looks for `_is_shut` afterwards
            self._is_shut = False
            return
        with suppress(apsw.Error):  # in use by another thread: the child refuses the file
            connection.close()

    def reopen(self) -> bool:
        """Open the connection again, if a fork has closed it; whether it had. In the child nobody does."""
        if not self._is_shut or self.owner.is_forked:
            return False
        self._refuse_moved()
        self.connection = self._open()
        self._set_hooks()
        self._is_shut = False
        return True

    def _refuse_moved(self) -> None:
        """Somebody may have deleted or replaced the file: what is written into the old one, nobody will find."""
        if self.name != MEMORY and file_identity(self.name) != self._identity:
            raise ResourceError(
                f"catalogue {self.name!r} was deleted or replaced since it was opened: close it and open it again "
                "(docs/how-to.md says how a backup is restored)"
            )

    def set_guard(self, guard: Guarding) -> None:
        """Refuse what the guard refuses, also where a statement is cached: an authorizer that is set makes SQLite ask again."""
        self.guard = guard
        self.connection.authorizer = self._authorize

    @property
    def is_lost(self) -> bool:
        """Whether SQLite ended the transaction under the open unit: observed, never guessed from an error code."""
        if not self.units:
            return False
        try:
            return self.rollbacks != self._rollbacks_at_begin or not self.connection.in_transaction
        except apsw.ConnectionClosedError:
            return True

    def close(self) -> None:
        self._is_shut = False
        self.connection.close()
        _open_here.discard(self)

    def refusal(self, error: Untranslated) -> RetroVueError:
        """`error`, raised by a statement, in the library's words."""
        if self._read_only_blocks and isinstance(error, apsw.ReadOnlyError):
            return ContractError("a read-only phase cannot write: write during the execution of the operation")
        if isinstance(error, apsw.AuthError) and self._refusal is not None:
            return ContractError(f"refused: {self._refusal}")
        # A fault of whoever wrote the statement, unless the schema is not what it was written for.
        if isinstance(error, apsw.SQLError) and (altered := self.altered_schema()):
            return ResourceError(
                f"in database {self.name!r}, {some(altered, between=', ')} is damaged, or was changed by another program: "
                f"restore a backup ({error})"
            )
        return translated(error, self.name)

    def altered_schema(self) -> Sequence[str]:
        """What of the schema is not as it must be, if anybody knows how it must be."""
        try:
            return () if self.altered is None else self.altered(self.connection)
        except (apsw.Error, UnicodeError):
            return ("the schema",)

    def observe(self, error: BaseException) -> None:
        """Remember the error that was passing when SQLite ended the transaction."""
        if self._first_loss is None and self.is_lost:
            self._first_loss = error

    def loss(self) -> TransactionLostError:
        """The error for whoever goes on in a lost unit; its cause is what ended the transaction."""
        lost = TransactionLostError(
            f"SQLite ended the transaction on {self.name!r} under the unit of work: nothing of the unit was kept"
        )
        lost.__cause__ = self._first_loss
        return lost

    def control(self, statement: str) -> None:
        """Run and sign one of our own transaction statements; SQLite's refusal to write is lifted around it."""
        try:
            self._controlling = True
            if self._read_only_blocks:
                self._query_only("0")
            self.connection.execute(f"{statement} {SIGNATURE}")
            if self._read_only_blocks:
                self._query_only("1")
        except apsw.Error as error:
            raise translated(error, self.name) from error
        finally:
            self._controlling = False

    def _rows(self, statement: str) -> list[tuple[object, ...]]:
        try:
            return self.connection.execute(statement).fetchall()
        except apsw.Error as error:
            raise translated(error, self.name) from error

    @property
    def is_idle(self) -> bool:
        return not self.units and self._read_only_blocks == 0

    def _clear_orphans(self) -> None:
        """Clear what somebody left on the connection behind our back, so that we start clean."""
        try:
            is_open = self.connection.in_transaction
        except apsw.Error as error:
            raise translated(error, self.name) from error
        if is_open:
            logger.warning("orphan_transaction_rolled_back", database=self.name)
            self.control("ROLLBACK")
        if self._rows("PRAGMA query_only") != [(0,)]:
            logger.warning("leaked_query_only_lifted", database=self.name)
            self._query_only("0")

    def _query_only(self, value: str) -> None:
        controlling = self._controlling
        try:
            self._controlling = True
            self._is_refusing_writes = True
            self._rows(f"PRAGMA query_only = {value} {SIGNATURE}")
            self._is_refusing_writes = value == "1"
        finally:
            self._controlling = controlling

    def _refuse_broken_references(self) -> None:
        """COMMIT would only say that some foreign key failed, and not even that if somebody has switched them off."""
        switched_off = not self.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, -1)
        if not switched_off and not self.connection.status(apsw.SQLITE_DBSTATUS_DEFERRED_FKS)[0]:
            return
        broken = self._rows('SELECT "table", rowid, parent FROM pragma_foreign_key_check')
        if broken:
            listed = some([f"row {rowid} of {table} (to {parent})" for table, rowid, parent in broken], between=", ")
            raise ConstraintError(f"rows refer to rows that are not there: {listed}")

    def _count_rollback(self) -> None:
        self.rollbacks += 1

    def _authorize(self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
        if self._controlling or action == apsw.SQLITE_READ:
            return apsw.SQLITE_OK
        setting = (first or "").lower() if action == apsw.SQLITE_PRAGMA else None
        denied = (
            action in _DENIED
            or (action == apsw.SQLITE_SAVEPOINT and (not self.units or (second or "").startswith(OURS)))
            or (setting in _GUARDED_PRAGMAS and second is not None)
            # Switched off, this one makes SQLite forget which references are broken; applying a changeset does so itself.
            or (setting == "defer_foreign_keys" and (second or "").lower() in _OFF and not self.is_applying)
            or (action == apsw.SQLITE_SAVEPOINT and self._read_only_blocks > 0)
        )
        refusal = None if denied or self.is_keeper else self.guard.refusal(action, first, second, database, trigger)
        if not denied and refusal is None:
            return apsw.SQLITE_OK
        self._refusal = refusal
        return apsw.SQLITE_DENY

    def disown(self) -> None:
        """In a forked child: nobody here owns the connection, and it is never closed, for that would undo the parent's work."""
        self.owner.disown()
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.connection))


_open_here: weakref.WeakSet[GuardedConnection] = weakref.WeakSet()


def _at_fork(act: Callable[[GuardedConnection], None]) -> None:
    for each in list(_open_here):
        act(each)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=lambda: _at_fork(lambda each: each.shut()), after_in_child=lambda: _at_fork(lambda each: each.disown())
    )
