"""What one connection knows of its open units of work, and the hooks by which SQLite itself guards them."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Protocol

import apsw
from loguru import logger

from retrovue_uow.errors import ContractError, RetroVueError, TransactionLostError
from retrovue_uow.store.connection import translated

Hook = Callable[[], None]
Owner = tuple[int, int, "asyncio.Task[object] | None"]
OURS = "retrovue_unit"
_GUARDED_PRAGMAS = frozenset(
    {
        "foreign_keys",
        "ignore_check_constraints",
        "journal_mode",
        "query_only",
        "synchronous",
        "trusted_schema",
        "writable_schema",
    }
)
_DENIED_WHILE_READ_ONLY = frozenset({apsw.SQLITE_SAVEPOINT, apsw.SQLITE_ATTACH, apsw.SQLITE_DETACH})


class OpenUnit(Protocol):
    """A unit as the transaction sees it."""

    state: str
    failure: BaseException | None
    rollback_only: str | None
    on_commit: list[Hook]


def caller() -> Owner:
    """Who is asking: process, thread and, where there is one, asyncio task."""
    loop = asyncio._get_running_loop()  # noqa: SLF001  documented for such use; None where the public one raises
    return os.getpid(), threading.get_ident(), None if loop is None else asyncio.current_task(loop)


class Transaction:
    """The units open on one connection, outermost first."""

    def __init__(self, connection: apsw.Connection, name: str) -> None:
        self.connection = connection
        self.name = name
        self.units: list[OpenUnit] = []
        self.before_commit: list[Hook] = []
        self.changes_at_begin = 0
        self._pid = os.getpid()
        self._owner: Owner | None = None
        self._at_end: list[Hook] = []
        self._read_only_blocks = 0
        self._may_refuse_writes = False
        self._controlling = False
        self._committing = False
        self._rollbacks = 0
        self._rollbacks_at_begin = 0
        self._first_loss: BaseException | None = None
        connection.authorizer = self._authorize
        connection.set_commit_hook(self._veto)
        connection.set_rollback_hook(self._count_rollback)

    @property
    def is_lost(self) -> bool:
        """Whether SQLite ended the transaction under the open unit: observed, never guessed from an error code."""
        return bool(self.units) and (self._rollbacks != self._rollbacks_at_begin or not self.connection.in_transaction)

    def admit(self) -> None:
        """Refuse a statement by anybody but the owner, and in a unit that is lost."""
        if os.getpid() != self._pid:
            raise ContractError(f"database {self.name!r} was opened before a fork: open it again in this process")
        if self._owner is None:
            return
        if self._owner != caller():
            raise ContractError(
                f"database {self.name!r} has a unit of work open in another thread or task: open one database for each"
            )
        if self.is_lost:
            raise self.loss()

    def refusal(self, error: apsw.Error | UnicodeEncodeError) -> RetroVueError:
        """`error`, raised by a statement, in the library's words."""
        if self._read_only_blocks and isinstance(error, apsw.ReadOnlyError):
            return ContractError("a read-only phase cannot write: write during the execution of the operation")
        return translated(error, self.name)

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
        """Run one of our own transaction statements; SQLite's refusal to write is lifted around it."""
        try:
            self._controlling = True
            if self._read_only_blocks:
                self._query_only("0")
            self._rows(statement)
            if self._read_only_blocks:
                self._query_only("1")
        finally:
            self._controlling = False

    def _rows(self, statement: str) -> list[tuple[object, ...]]:
        try:
            return self.connection.execute(statement).fetchall()
        except apsw.Error as error:
            raise translated(error, self.name) from error

    def begin(self) -> None:
        """Start the transaction of an outermost unit."""
        if self._read_only_blocks:
            raise ContractError("a unit of work cannot be opened inside a read-only block: leave the block first")
        self._owner = caller()
        self._clear_orphans()
        self.control(f"BEGIN IMMEDIATE -- {OURS}")
        self._rollbacks_at_begin = self._rollbacks
        self.changes_at_begin = self.connection.total_changes()
        self._first_loss = None

    def commit(self) -> None:
        """COMMIT, the only one that the commit hook lets pass."""
        for hook in self.before_commit:
            hook()
        if self.is_lost:
            raise self.loss()
        try:
            self._committing = True
            self.control(f"COMMIT -- {OURS}")
        finally:
            self._committing = False

    def end(self) -> None:
        """Leave nothing behind: no transaction, no read-only block, no unit, nothing that waited for the end."""
        try:
            self._read_only_blocks = 0
            self._clear_orphans(expected=True)
        except BaseException:
            self._clear_orphans(expected=True)  # an interrupt may have struck before SQLite was asked
            raise
        finally:
            for unit in self.units:
                unit.state = "closed"
            self.units.clear()
            self._owner = None
            while self._at_end:
                self._at_end.pop()()

    def at_end(self, hook: Hook) -> None:
        """Call `hook` when the outermost unit has ended, whichever way."""
        self._at_end.append(hook)

    @property
    def is_idle(self) -> bool:
        """Whether neither a unit nor a read-only block is open."""
        return not self.units and self._read_only_blocks == 0

    def begin_read_only(self, *, snapshot: bool) -> None:
        """From here SQLite refuses every write; a snapshot is a transaction of its own for reading alone."""
        self._read_only_blocks += 1
        if snapshot:
            self._clear_orphans()
            self.control(f"BEGIN DEFERRED -- {OURS}")
        self._query_only("1")

    def end_read_only(self, *, snapshot: bool) -> None:
        """Writes work again, once the outermost read-only block is left."""
        self._read_only_blocks = max(self._read_only_blocks - 1, 0)
        if self._read_only_blocks == 0:
            self._query_only("0")
        if snapshot and not self.units:
            self._clear_orphans(expected=True)

    def _clear_orphans(self, *, expected: bool = False) -> None:
        """Roll back whatever transaction is open and let SQLite write again."""
        if self.connection.in_transaction:
            if not expected:
                logger.warning("orphan_transaction_rolled_back", database=self.name)
            self.control(f"ROLLBACK -- {OURS}")
        if expected and not self._may_refuse_writes:
            return  # nothing may be asked after a COMMIT: were it to fail, the caller would take the unit for undone
        if self._rows("PRAGMA query_only") != [(0,)]:
            if not expected:
                logger.warning("leaked_query_only_lifted", database=self.name)
            self._query_only("0")

    def _query_only(self, value: str) -> None:
        controlling = self._controlling
        try:
            self._controlling = True
            self._may_refuse_writes = True
            self._rows(f"PRAGMA query_only = {value} -- {OURS}")
            self._may_refuse_writes = value == "1"
        finally:
            self._controlling = controlling

    def _veto(self) -> bool:
        return not self._committing

    def _count_rollback(self) -> None:
        self._rollbacks += 1

    def _authorize(self, action: int, first: str | None, second: str | None, database: str | None, trigger: str | None) -> int:
        if self._controlling:
            return apsw.SQLITE_OK
        denied = (
            action == apsw.SQLITE_TRANSACTION
            or (action == apsw.SQLITE_SAVEPOINT and (second or "").startswith(OURS))
            or (action == apsw.SQLITE_PRAGMA and second is not None and (first or "").lower() in _GUARDED_PRAGMAS)
            or (self._read_only_blocks > 0 and action in _DENIED_WHILE_READ_ONLY)
        )
        return apsw.SQLITE_DENY if denied else apsw.SQLITE_OK
