"""The library's log, silent until its user calls `logger.enable("retrovue_uow")`: every module that logs has it from here.

So loguru, which takes longer to import than all of the library, is imported with the first module that has something to say.
"""

from __future__ import annotations

from loguru import logger

__all__ = ["logger"]

_NAME = "retrovue_uow"


def _silence() -> None:
    """Switch the log off, but for what its user has already said of it; there is no public way to ask loguru for that."""
    core = getattr(logger, "_core", None)
    said = [(name, is_on) for name, is_on in getattr(core, "activation_list", ()) if name.startswith(f"{_NAME}.")]
    logger.disable(_NAME)
    for name, is_on in reversed(said):  # loguru has the innermost modules first
        change = logger.enable if is_on else logger.disable
        change(name.rstrip("."))


_silence()
