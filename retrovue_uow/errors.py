"""The exception family, with what its members carry. Messages name the thing, say what is wrong with it, and what to do."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import attrs


@attrs.frozen
class Violation:
    """A row that a rule rejects: the rule, the table and primary key of the row, and a sentence."""

    rule: str
    subject: str
    id: str
    detail: str


@attrs.frozen
class Holder:
    """Who is working on a collection. `started_at` is UTC text."""

    operation: str
    pid: int
    started_at: str


class RetroVueError(Exception):
    """Whatever this library raises on purpose."""


class ValidationError(RetroVueError):
    """Pre-flight or post-validation found something wrong.

    Attributes:
        rule: Name of the `validate_…` function that found it.
        violations: The offending rows, where a rule view found them.
    """

    def __init__(self, message: str, *, rule: str | None = None, violations: Sequence[Violation] = ()) -> None:
        super().__init__(message)
        self.rule = rule
        self.violations = tuple(violations)


class ConflictError(ValidationError):
    """Another operation holds the claim on the collection; `holder` says which."""

    def __init__(self, message: str, *, holder: Holder, rule: str | None = None) -> None:
        super().__init__(message, rule=rule)
        self.holder = holder


class BrokenFileError(ValidationError):
    """A media file, or a file beside it, is wrong: `path` says which. Enrichers raise it of the file that they are shown."""

    def __init__(self, message: str, *, path: str | None = None, rule: str | None = None) -> None:
        super().__init__(message, rule=rule)
        self.path = path


class ConstraintError(RetroVueError):
    """SQLite refused a row."""


class BusinessRuleError(RetroVueError):
    """A rule of the station, not of SQL, is broken."""


class ResourceError(RetroVueError):
    """Something needed is not available: source, path, tool, disk, lock."""


class TransactionLostError(ResourceError):
    """SQLite ended the transaction under the unit: nothing of the unit is in the file, and nothing more will be."""


class OperationError(RetroVueError):
    """An operation failed and left the catalogue exactly as it was.

    Attributes:
        operation: Name of the operation, as in the journal.
        phase: `preflight`, `preparation`, `execution`, `postvalidation` or `commit`.
        cause: The innermost library error that is not an `OperationError`, or the foreign error.
    """

    def __init__(self, message: str, *, operation: str, phase: str, cause: BaseException) -> None:
        super().__init__(message)
        self.operation = operation
        self.phase = phase
        self.cause = cause


class IngestError(OperationError):
    """An ingest failed."""


class AssetProcessingError(OperationError):
    """Processing one asset failed."""


class WipeError(OperationError):
    """A wipe failed."""


class ForgetError(OperationError):
    """Forgetting missing assets failed."""


class RelocateError(OperationError):
    """Relocating a collection failed."""


class CurationError(OperationError):
    """A decision or correction of the operator's failed."""


class UndoError(OperationError):
    """Undoing a unit of work failed."""


class ConfigurationError(OperationError):
    """A change of sources, collections, mappings or enrichers failed."""


class AfterCommitError(RetroVueError):
    """An on-commit hook failed; the data IS committed. `errors` holds what the hooks raised."""

    def __init__(self, message: str, *, errors: Sequence[BaseException]) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class ContractError(RetroVueError):
    """The unit of work was misused: a bug in the calling code."""


def some(items: Sequence[str], most: int = 10, *, between: str = "; ", of: int | None = None) -> str:
    """The first of the items, and how many more there are, in all or `of` that many: `a; b; and 3 more`."""
    more = (len(items) if of is None else of) - most
    return between.join([*items[:most], *([f"and {more} more"] if more > 0 else [])])


def amount(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count} {noun}{'s' * (count != 1)}"


def positional(name: str) -> str:
    """A name as the last argument of a command that is typed in a shell, where it may look like an option."""
    return "-- " * name.startswith("-") + shlex.quote(name)


@contextmanager
def in_working_folder(path: str) -> Iterator[None]:
    """Within the block a path is followed that may begin at the working folder, which may be gone."""
    try:
        yield
    except FileNotFoundError as error:
        raise ResourceError(f"the working folder is gone, in which {path!r} is to be: change into another one") from error


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Within the block a part of the library is read that was not needed before: that may fail where all else is open."""
    try:
        yield
    except OSError as error:
        raise ResourceError(f"{what} cannot be loaded: {error.strerror}") from error
