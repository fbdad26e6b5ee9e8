"""The library's log as JSON lines in a file."""

from __future__ import annotations

from collections.abc import Callable

from retrovue_uow.errors import ResourceError
from retrovue_uow.log import logger


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
