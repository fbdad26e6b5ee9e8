"""The frame of every operation: pre-flight, execution and post-validation in one unit, or nothing at all."""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TypeVar

import attrs

from retrovue_uow.errors import (
    AfterCommitError,
    ConstraintError,
    ContractError,
    OperationError,
    ResourceError,
    RetroVueError,
    some,
)
from retrovue_uow.log import logger
from retrovue_uow.model import Result
from retrovue_uow.secrets import redacted
from retrovue_uow.store import checks
from retrovue_uow.store.claims import Claim, Claims
from retrovue_uow.store.ids import utc_now
from retrovue_uow.store.recorder import Recorded, Recorder
from retrovue_uow.uow.changes import ApplyConflict, Changeset
from retrovue_uow.uow.database import Database
from retrovue_uow.uow.interrupts import Exit
from retrovue_uow.uow.unit import Unit

T = TypeVar("T")


class Operation:
    """One operation under way; made by `Catalog.operation`.

    Its phases come in order and none is skipped. An operation that `prepares` has slow work in the outside world: its
    pre-flight reads a snapshot, its preparation runs with no transaction open, and only its execution takes the write lock,
    and must first make sure that what pre-flight saw still holds.

    Attributes:
        phase: The phase that it is in, or the last one it was in.
        working_on: What it is working on just now, for error messages; set by the operation itself.
    """

    def __init__(
        self,
        database: Database,
        claims: Claims,
        recorder: Recorder,
        *,
        name: str,
        error: type[OperationError],
        dry_run: bool = False,
        prepares: bool = False,
        arguments: Mapping[str, object],
    ) -> None:
        self.name = name
        self.dry_run = dry_run
        self.arguments = arguments
        self.phase = "preflight"
        self.working_on: str | None = None
        self.exit_token: weakref.ref[partial[None]] | None = None
        self._database = database
        self._claims = claims
        self._recorder = recorder
        self._error = error
        self._prepares = prepares
        self._done: list[str] = []
        self._unit: Unit[Database] | None = None
        self._recorded: Recorded | None = None
        self._held: list[Claim] = []
        self._result: object = None
        self._started = 0.0
        self._started_at = ""

    def __enter__(self) -> Operation:
        if self._prepares:
            self._require_no_unit()
        if self._started:
            raise ContractError("an operation is entered once: open another one")
        if self._database.is_read_only:
            raise self._failed(ResourceError(f"{self._database.path!r} was opened read-only: open it for writing"))
        self._recorder.require_json(self.arguments)
        self._started = time.monotonic()
        self._started_at = utc_now()
        logger.info("operation_started", operation=self.name, dry_run=self.dry_run, arguments=redacted(self.arguments))
        return self

    __exit__ = Exit()

    def _require_no_unit(self) -> None:
        if self._database.in_unit:
            raise ContractError(
                f"{self.name} asks the outside world, which must not happen while a unit of work is open: "
                "prepare it before you open the unit"
            )

    @contextmanager
    def preflight(self) -> Iterator[Database]:
        """Phase 1: what must hold before. Cannot write."""
        with self._phase("preflight"):
            if not self._prepares:
                self._open_unit()
            with self._database.read_only() as db:
                yield db

    @contextmanager
    def preparation(self) -> Iterator[None]:
        """Between phases 1 and 2 of an operation that prepares: the outside world is asked, no transaction is open."""
        if not self._prepares:
            raise ContractError(f"{self.name} has no preparation: open it with `prepares=True`")
        with self._phase("preparation"):
            yield

    @contextmanager
    def execution(self) -> Iterator[Database]:
        """Phase 2: the change."""
        with self._phase("execution"):
            if self._prepares:
                self._require_no_unit()
                self._open_unit()
            yield self._database

    @contextmanager
    def postvalidation(self) -> Iterator[Database]:
        """Phase 3: what must hold after. Cannot write."""
        with self._phase("postvalidation"):
            if self._recorded is None:
                raise ContractError(f"{self.name} has opened no unit of work: there is nothing to validate")
            with self._recorder.narrowed(self._recorded), self._database.read_only() as db:
                yield db

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        phases = ["preflight", *(["preparation"] if self._prepares else []), "execution", "postvalidation"]
        after = phases[: phases.index(name)]
        if not self._started or self._done != after:
            raise ContractError(f"{self.name}: phase {name} comes once, after {after or 'nothing'}, not after {self._done}")
        self.phase = name
        started = time.monotonic()
        yield
        self._done.append(name)
        logger.debug("phase_finished", operation=self.name, phase=name, duration_s=time.monotonic() - started)

    def _open_unit(self) -> None:
        unit = self._database.session(contain=self.dry_run)
        self._unit = unit
        unit.__enter__()
        self._recorded = self._recorder.record()
        if self.dry_run:
            self._database.set_rollback_only(f"{self.name} is a dry run")

    def apply(self, changeset: Changeset) -> ApplyConflict | None:
        """Make recorded changes, unless one finds its row not as expected; that one is returned.

        Where this operation is the whole unit, the journal keeps that very changeset, and not a second recording of it.
        """
        recorded = self._recorded
        if recorded is not None and recorded.recording is not None and len(self._database.transaction.units) == 1:
            return recorded.recording.apply(changeset)
        return changeset.apply(self._database)

    def claim(self, key: str) -> None:
        """Claim `key` until the operation, or the unit that it is part of, has ended. Raises `ConflictError`.

        A pre-flight that reads a snapshot reads a new one from here on: the one before may not show what was changed while the
        claim was somebody else's.
        """
        self._held.append(self._claims.take(key, self.name))
        self._database.transaction.renew_snapshot()

    def hand_over_claims(self) -> list[Claim]:
        """The claims held so far: from here on it is the caller who releases them."""
        held, self._held = self._held, []
        return held

    def finish(self, result: T) -> T:
        """The result with `unit_id`, `dry_run` and `duration_s`; after it only the commit is left."""
        if "postvalidation" not in self._done and self._done != ["preflight", "preparation"]:
            raise ContractError(f"{self.name} was finished before its post-validation")
        self._result = result
        self._done.append("finish")
        if isinstance(result, Result):
            unit_id = None if self.dry_run or self._unit is None else self._recorder.unit_id
            duration_s = time.monotonic() - self._started
            changes = None if self._recorded is None else self._recorded.changes
            result = attrs.evolve(result, unit_id=unit_id, dry_run=self.dry_run, duration_s=duration_s, changes=changes)
        return result

    def leave(self, error: BaseException | None) -> None:
        """Commit or roll back; raise the operation's own error where something failed."""
        try:
            if error is None:
                self._conclude()
            self._end_unit(error)
        except Exception as refusal:
            failure = self._failed(refusal)
            if failure is refusal:
                raise
            raise failure from refusal
        finally:
            self._release()
        if error is not None:
            failure = self._failed(error)
            if failure is not error:
                raise failure from error
            return
        logger.info(
            "operation_rolled_back_as_dry_run" if self.dry_run else "operation_finished",
            operation=self.name,
            duration_s=time.monotonic() - self._started,
        )

    def _conclude(self) -> None:
        if "finish" not in self._done:
            raise ContractError(f"{self.name} was left before `finish`: nothing of it was kept")
        if self._unit is None:
            return
        self.phase = "commit"
        if not self.dry_run:
            duration_ms = round((time.monotonic() - self._started) * 1000)
            self._recorder.add_operation(
                self.name, self.arguments, self._result, started_at=self._started_at, duration_ms=duration_ms
            )

    def _end_unit(self, error: BaseException | None) -> None:
        unit, self._unit = self._unit, None
        if unit is not None:
            try:
                unit.leave(error)
            finally:
                unit.abandon()

    def _release(self) -> None:
        for claim in self.hand_over_claims():
            if self._database.in_unit:
                self._database.at_end(claim.release)
            else:
                claim.release()

    def abandon(self) -> None:
        """Clean up after an end that never ran."""
        try:
            if self._unit is not None:
                self._unit.abandon()
        finally:
            self._release()

    def _damage(self, error: Exception) -> ResourceError | None:
        """An error of Python's may come from a row that is damaged: then the whole file is looked at."""
        found = None
        if isinstance(error, AttributeError | LookupError | TypeError | ValueError):
            with suppress(RetroVueError):
                found = self._database.damage()
        if found is None:
            return None
        damage = ResourceError(f"database {self._database.path!r} is damaged: restore a backup ({found})")
        damage.__cause__ = error
        return damage

    def _who_refers(self, cause: BaseException) -> str:
        """SQLite does not say which reference it minds: what the station's own tables have may be it, in words."""
        if not isinstance(cause, ConstraintError) or "FOREIGN KEY" not in str(cause):
            return ""
        found = checks.foreign_references(self._database)
        named = [f"{each.child!r} ({', '.join(each.columns)}) to {each.parent}" for each in found]
        return f". The station's own tables refer to what may not go: {some(named, between=', ')}" if named else ""

    def _failed(self, error: BaseException) -> BaseException:
        """The operation's own error for `error`; `error` itself where it must pass through unwrapped."""
        if isinstance(error, AfterCommitError):
            logger.error("on_commit_hook_failed", operation=self.name, message=str(error))
            return error
        logger.error(
            "operation_failed",
            operation=self.name,
            phase=self.phase,
            working_on=self.working_on,
            error=type(error).__name__,
            message=str(error),
            arguments=redacted(self.arguments),
        )
        if isinstance(error, ContractError) or not isinstance(error, Exception):
            return error
        cause: BaseException = self._damage(error) or error
        while isinstance(cause, OperationError):
            cause = cause.cause
        where = f" at {self.working_on!r}" if self.working_on is not None else ""
        reason = (str(cause) or type(cause).__name__) + self._who_refers(cause)
        return self._error(
            f"{self.name} failed in {self.phase}{where}: {reason}", operation=self.name, phase=self.phase, cause=cause
        )
