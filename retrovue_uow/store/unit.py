"""The unit of work: one transaction outside, savepoints inside, and nothing durable that did not end as it should."""

from __future__ import annotations

import os
import weakref
from types import MethodType
from typing import Generic, TypeVar

from retrovue_uow.errors import AfterCommitError, ContractError
from retrovue_uow.store.scope import Exit
from retrovue_uow.store.transaction import OURS, Hook, Transaction

H = TypeVar("H")


class Unit(Generic[H]):
    """One unit of work; made by `Database.session`, used once. Entering it gives `handle`."""

    def __init__(self, handle: H, transaction: Transaction, *, contain: bool = False, durable: bool = False) -> None:
        self.handle = handle
        self.exit_token: weakref.ref[MethodType] | None = None
        self.state = "new"
        self.failure: BaseException | None = None
        self.rollback_only: str | None = None
        self.on_commit: list[Hook] = []
        self._transaction = transaction
        self._contain = contain
        self._durable = durable
        self._depth = 0
        self._pid = os.getpid()

    def __enter__(self) -> H:
        self.enter()
        return self.handle

    __exit__ = Exit()

    def enter(self) -> None:
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
            self._begin()
            self.state = "open"
        except BaseException:
            self.abandon()
            raise

    def _begin(self) -> None:
        if self._depth == 1:
            self._transaction.begin()
        else:
            self._transaction.control(f"SAVEPOINT {self._savepoint}")

    @property
    def _savepoint(self) -> str:
        return f"{OURS}_{self._depth}"

    def leave(self, error: BaseException | None) -> None:
        """End the unit: keep it, or undo it. Nothing is raised before everything is cleaned up."""
        if self.state != "open":
            if error is None:
                raise ContractError("this unit of work is no longer open: everything in it was rolled back")
            return
        if self._pid != os.getpid():
            raise ContractError("a unit of work was left in a forked process: it belongs to the parent")
        if self._transaction.units[-1] is not self:
            self._transaction.end()
            raise ContractError("units of work were left out of order: everything was rolled back")
        if self._depth == 1:
            self._leave_outermost(error)
        else:
            self._leave_nested(error)

    def _leave_outermost(self, error: BaseException | None) -> None:
        committed = False
        try:
            if error is None:
                committed = self._commit()
        finally:
            self._transaction.end()
        if committed:
            _run(self.on_commit)

    def _commit(self) -> bool:
        if self._transaction.is_lost:
            raise self._transaction.loss()
        if self.failure is not None:
            raise _swallowed(self.failure)
        if self.rollback_only is not None:
            return False
        self._transaction.commit()
        return True

    def _leave_nested(self, error: BaseException | None) -> None:
        parent = self._transaction.units[-2]
        failure = error or self.failure
        if self._transaction.is_lost:
            self._close()
            if error is None:
                raise self._transaction.loss()
            return
        try:
            self._end_savepoint(undo=failure is not None or self.rollback_only is not None)
        except BaseException as refusal:
            parent.failure = parent.failure or refusal  # the savepoint may still stand, so not even `contain` survives
            raise
        finally:
            self._close()
        if failure is None:
            parent.on_commit.extend([] if self.rollback_only is not None else self.on_commit)
            return
        if not self._contain:
            parent.failure = parent.failure or failure
        if error is None:
            raise _swallowed(failure)

    def _end_savepoint(self, *, undo: bool) -> None:
        if undo:
            self._transaction.control(f"ROLLBACK TO {self._savepoint}")
        self._transaction.control(f"RELEASE {self._savepoint}")

    def _close(self) -> None:
        """Forget this unit, and any above it that was never left."""
        self.state = "closed"
        del self._transaction.units[self._depth - 1 :]

    def abandon(self) -> None:
        """Undo the unit if it was entered and not left; whoever encloses it may then not commit either."""
        if self.state in {"new", "closed"} or self._pid != os.getpid():
            return
        if self._depth == 1:
            self._transaction.end()
            return
        parent = self._transaction.units[self._depth - 2]
        parent.failure = parent.failure or ContractError("a nested unit of work was interrupted while it began or ended")
        self._close()


class ReadOnly(Generic[H]):
    """A block in which SQLite refuses to write: inside a unit it sees the unit's rows, outside one it is a snapshot."""

    def __init__(self, handle: H, transaction: Transaction) -> None:
        self.handle = handle
        self.exit_token: weakref.ref[MethodType] | None = None
        self._transaction = transaction
        self._entered = False
        self._snapshot = False

    def __enter__(self) -> H:
        self._transaction.admit()
        self._snapshot = self._transaction.is_idle
        self._entered = True
        self._transaction.begin_read_only(snapshot=self._snapshot)
        return self.handle

    __exit__ = Exit()

    def leave(self, error: BaseException | None) -> None:
        """Let SQLite write again, and end the snapshot."""
        self._transaction.end_read_only(snapshot=self._snapshot)
        self._entered = False

    def abandon(self) -> None:
        """The same, if it was not done."""
        if self._entered:
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
