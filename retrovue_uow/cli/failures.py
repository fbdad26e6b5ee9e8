"""What a command that fails tells: one sentence, and an exit code that says whose turn it is. And the log, if wanted."""

from __future__ import annotations

import errno
from collections.abc import Callable

from retrovue_uow.cli.text import plain
from retrovue_uow.errors import OperationError, ResourceError, RetroVueError
from retrovue_uow.log import logger
from retrovue_uow.media.paths import reason
from retrovue_uow.results import SourceIngestResult

INVALID, PARTIAL, UNAVAILABLE = 1, 2, 3
_BEFORE_ANY_CHANGE = ("preflight", "preparation")


def exit_code(error: BaseException) -> int:
    """3 where something needed is not available, 1 for everything else; an operation's error counts as its cause."""
    cause = error.cause if isinstance(error, OperationError) else error
    return UNAVAILABLE if isinstance(cause, ResourceError) or _is_of_output(error) else INVALID


def _is_of_output(error: BaseException) -> bool:
    """Whether it comes from standard output: errors of files name theirs, and the library has translated its own."""
    return isinstance(error, OSError) and error.errno is not None and error.filename is None


def exit_code_of_outcome(outcome: SourceIngestResult) -> int:
    """0 where every collection was ingested, 2 where some were; where none was, what its first failure counts as."""
    if not outcome.failures:
        return 0
    if outcome.results:
        return PARTIAL
    return UNAVAILABLE if outcome.failures[0].cause in _names_below(ResourceError) else INVALID


def _names_below(kind: type[Exception]) -> set[str]:
    return {kind.__name__}.union(*map(_names_below, kind.__subclasses__()))


def sentence(error: BaseException) -> str:
    """What to tell the user: what is wrong, with which file, and what to do."""
    if isinstance(error, OperationError):
        return plain(_of_operation(error), keep="\n")
    if isinstance(error, RetroVueError):
        return plain(str(error), keep="\n")
    if isinstance(error, OSError) and _is_of_output(error):
        hint = "is its disk full?" if error.errno == errno.ENOSPC else "is its reader or terminal gone?"
        return f"the output cannot be written ({reason(error)}): {hint} What was done stays done"
    return plain(f"{type(error).__name__}: {error} (unexpected: `retrovue-uow --debug …` shows where)")


def _of_operation(error: OperationError) -> str:
    """The reason and the file, and where a change was begun, that nothing of it is left; of phases the user knows nothing."""
    rest = str(error).removeprefix(f"{error.operation} failed in {error.phase}").removeprefix(":").strip()
    is_told = error.phase in _BEFORE_ANY_CHANGE or "nothing was changed" in rest
    return rest if is_told else f"nothing was changed: {rest}"


def log_to(path: str) -> Callable[[], None]:
    """Append what the library logs to the file at `path`, and to nothing else; call what is returned to stop."""
    try:
        file = open(path, "a", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115  open until the command ends
    except OSError as error:
        raise ResourceError(f"log {path!r} cannot be written ({error.strerror}): name another file") from error
    logger.remove()  # this process is the command's own, and its standard error is not for the log
    sink = logger.add(file, level="DEBUG", serialize=True)
    logger.enable("retrovue_uow")

    def stop() -> None:
        logger.disable("retrovue_uow")
        logger.remove(sink)
        file.close()

    return stop
