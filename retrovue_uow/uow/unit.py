"""The unit of work: one transaction outside, savepoints inside, and nothing durable that did not end as it should."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Generic, TypeVar

import apsw

from retrovue_uow.errors import AfterCommitError, ContractError
from retrovue_uow.log import logger
from retrovue_uow.uow.guard import OURS, GuardedConnection, Hook
from retrovue_uow.uow.interrupts import Exit
from retrovue_uow.uow.writer_queue import WriterQueue

H = TypeVar("H")


class Transaction(GuardedConnection):
    """The transaction of one connection: it begins with the outermost unit of work and ends with it, whichever way."""

    def __init__(self, open_: Callable[[], apsw.Connection], name: str, queue: WriterQueue) -> None:
        self.after_begin: list[Hook] = []
        self.before_commit: list[Hook] = []
        self.changes_at_begin = 0
        self._queue = queue
        self.at_end: list[Hook] = []
        super().__init__(open_, name)

    def admit(self, *, reopens: bool = True) -> None:
        """Refuse a statement by anybody but the owner, and in a unit that is lost."""
        owner = self.owner
        if owner.thread is None:
            if self._is_shut and reopens:
                self.reopen()
            return
        if not owner.is_me():
            if owner.is_forked or not owner.is_gone():
                raise owner.refusal(self.name)
            logger.warning("unit_of_a_dead_owner_rolled_back", database=self.name)
            self.end()
        elif owner.is_dismissed:
            self.end()
            raise ContractError("the unit of work was ended by another thread: everything in it was rolled back")
        elif self.is_lost:
            raise self.loss()

    def begin(self) -> None:
        """Start the transaction of an outermost unit, when its turn has come."""
        if self._read_only_blocks:
            raise ContractError("a unit of work cannot be opened inside a read-only block: leave the block first")
        self.owner.take()
        self._queue.enter()
        self.reopen()
        self._refuse_moved()
        self._clear_orphans()
        if not self.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, -1):
            logger.warning("foreign_keys_switched_on_again", database=self.name)
            self.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)
        self.control("BEGIN IMMEDIATE")
        self._rollbacks_at_begin = self.rollbacks
        self.changes_at_begin = self.connection.total_changes()
        self._first_loss = None
        self.has_applied = False
        for hook in self.after_begin:
            hook()

    def commit(self) -> None:
        """COMMIT, the only one that the commit hook lets pass."""
        for hook in self.before_commit:
            hook()
        if self.is_lost:
            raise self.loss()
        self._refuse_broken_references()
        self._refuse_moved()
        try:
            self._committing = True
            self.control("COMMIT")
        finally:
            self._committing = False

    def end(self) -> None:
        """Leave nothing behind: no transaction, no read-only block, no place in the queue, no unit, no hook."""
        try:
            self._roll_back()
        except BaseException:
            self._roll_back()  # what struck before SQLite was asked must not keep the lock
            raise
        finally:
            self._forget_units()

    def _roll_back(self) -> None:
        """Undo what is open. After a COMMIT that is nothing, and SQLite is not asked: an error now would be a lie."""
        self._read_only_blocks = 0
        try:
            if self.connection.in_transaction:
                self.control("ROLLBACK")
            if self._is_refusing_writes:
                self._query_only("0")
        except apsw.ConnectionClosedError:
            return  # closed behind our back: SQLite has undone it

    def _forget_units(self) -> None:
        self._queue.leave()
        self.owner.release()
        try:
            while self.at_end:
                self.at_end.pop()()
        finally:
            while self.units:
                self.units.pop().state = "closed"

    def begin_read_only(self, *, snapshot: bool) -> None:
        """From here SQLite refuses every write; a snapshot is a transaction of its own for reading alone."""
        self._read_only_blocks += 1
        if snapshot:
            self.owner.take()
            self.reopen()
            self._refuse_moved()
            self._clear_orphans()
            self.control("BEGIN DEFERRED")
        self._query_only("1")

    def renew_snapshot(self) -> None:
        """A new transaction in place of that of a snapshot."""
        if not self.is_idle and not self.units:
            self.control("ROLLBACK")
            self.control("BEGIN DEFERRED")

    def end_read_only(self, *, snapshot: bool) -> None:
        """Writes work again, once the outermost read-only block is left."""
        self._read_only_blocks = max(self._read_only_blocks - 1, 0)
        if snapshot and not self.units:
            self._roll_back()
            self.owner.release()
        elif self._read_only_blocks == 0:
            self._query_only("0")

    def disown(self) -> None:
        """In a forked child: nobody here owns the connection, and no place in the queue."""
        super().disown()
        self._queue.disown()


class Unit(Generic[H]):
    """One unit of work; made by `Database.session`, used once. Entering it gives `handle`."""

    def __init__(self, handle: H, transaction: Transaction, *, contain: bool = False, durable: bool = False) -> None:
        self.handle = handle
        self.state = "new"
        self.failure: BaseException | None = None
        self.rollback_only: str | None = None
        self.on_commit: list[Hook] = []
        self._transaction = transaction
        self._contain = contain
        self._durable = durable
        self._depth = 0

    def __enter__(self) -> H:
        """Begin the transaction, or set a savepoint in the unit that is open."""
        transaction = self._transaction
        if self.state != "new":
            raise ContractError("a unit of work is entered once: call `session()` for another one")
        transaction.admit()
        if transaction.units and self._durable:
            raise ContractError("a durable unit must be the outermost one, and another unit is open")
        try:
            self.state = "entering"
            transaction.units.append(self)
            self._depth = len(transaction.units)
            if self._depth == 1:
                transaction.begin()
            else:
                transaction.control(f"SAVEPOINT {OURS}_{self._depth}")
            self.state = "open"
        except BaseException:
            self.abandon()
            raise
        return self.handle

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.leave(error)

    def leave(self, error: BaseException | None) -> None:
        """End the unit: keep it, or undo it. Nothing is raised before everything is cleaned up."""
        transaction = self._transaction
        if self.state != "open" or not transaction.owner.is_me() or transaction.units[-1] is not self:
            self._refuse(error)
        elif self._depth == 1:
            self._leave_outermost(error)
        else:
            self._leave_nested(error)

    def _refuse(self, error: BaseException | None) -> None:
        """Say why this unit cannot be left in the ordinary way; but never mask an error that is passing."""
        owner = self._transaction.owner
        if self.state != "open":
            refusal = ContractError("this unit of work is no longer open: everything in it was rolled back")
        elif not owner.is_me():
            refusal = owner.refusal(self._transaction.name)
            if error is not None and owner.is_in_this_thread():
                self._transaction.end()  # the block has ended for good, in another task
            elif error is not None and not owner.is_forked:
                owner.is_dismissed = True  # its thread may be inside SQLite just now: the next one to come clears it
        else:
            self._transaction.end()
            refusal = ContractError("units of work were left out of order: everything was rolled back")
        if error is None:
            raise refusal

    def _leave_outermost(self, error: BaseException | None) -> None:
        transaction = self._transaction
        try:
            if error is None and transaction.is_lost:
                raise transaction.loss()
            if error is None and self.failure is not None:
                raise _swallowed(self.failure)
            if is_kept := error is None and self.rollback_only is None:
                transaction.commit()
        finally:
            transaction.end()
        if is_kept:
            _run(self.on_commit)

    def _leave_nested(self, error: BaseException | None) -> None:
        transaction = self._transaction
        parent = transaction.units[-2]
        failure = error or self.failure
        if not self._contain:  # before all else: an interrupt may come at any moment from here on
            parent.failure = parent.failure or failure
        try:
            if transaction.is_lost:
                if error is None:
                    raise transaction.loss()
                return
            if failure is not None or self.rollback_only is not None:
                transaction.control(f"ROLLBACK TO {OURS}_{self._depth}")
            transaction.control(f"RELEASE {OURS}_{self._depth}")
        except BaseException as refusal:
            parent.failure = parent.failure or refusal  # the savepoint may still stand: not even `contain` survives that
            raise
        finally:
            transaction.units.pop()
            self.state = "closed"
        if failure is None and self.rollback_only is None:
            parent.on_commit.extend(self.on_commit)
        elif failure is not None and error is None:
            raise _swallowed(failure)

    def abandon(self) -> None:
        """Undo the unit if it was entered and not left; whoever encloses it may then not commit either."""
        if self.state in {"new", "closed"} or self._transaction.owner.is_forked:
            return
        if self._depth <= 1:
            self._transaction.end()
        elif len(self._transaction.units) >= self._depth - 1:
            parent = self._transaction.units[self._depth - 2]
            parent.failure = parent.failure or ContractError("a nested unit of work was interrupted as it began or ended")
            del self._transaction.units[self._depth - 1 :]
            self.state = "closed"


class WatchedUnit(Unit[H]):
    """A unit that may be the outermost one. A nested one need not be watched: its unfinished end makes the outer one fail."""

    exit_token: weakref.ref[partial[None]] | None = None
    __exit__ = Exit()


class ReadOnly(Generic[H]):
    """A block in which SQLite refuses to write: inside a unit it sees the unit's rows, outside one it is a snapshot."""

    def __init__(self, handle: H, transaction: Transaction) -> None:
        self.handle = handle
        self.exit_token: weakref.ref[partial[None]] | None = None
        self._transaction = transaction
        self._is_open = False
        self._snapshot = False

    def __enter__(self) -> H:
        self._transaction.admit()
        self._snapshot = self._transaction.is_idle
        self._is_open = True
        self._transaction.begin_read_only(snapshot=self._snapshot)
        return self.handle

    __exit__ = Exit()

    def leave(self, error: BaseException | None) -> None:
        """Let SQLite write again, and end the snapshot."""
        self._transaction.end_read_only(snapshot=self._snapshot)
        self._is_open = False

    def abandon(self) -> None:
        """The same, if it was not done."""
        if self._is_open and not self._transaction.owner.is_forked:
            self.leave(None)


def _swallowed(failure: BaseException) -> ContractError:
    refusal = ContractError(
        "a nested unit of work failed and its error was swallowed, so everything is rolled back: "
        "ask for `session(contain=True)` where a failure may be survived"
    )
    refusal.__cause__ = failure
    return refusal


def _run(hooks: list[Hook]) -> None:
    errors: list[Exception] = []
    for hook in hooks:
        try:
            hook()
        except Exception as error:  # noqa: BLE001  the data is committed: the others run, all are reported
            errors.append(error)
    if errors:
        raise AfterCommitError(
            f"the data IS committed, but {len(errors)} on-commit hook(s) failed: {errors[0]}", errors=errors
        ) from errors[0]
