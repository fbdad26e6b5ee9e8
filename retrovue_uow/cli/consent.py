"""What deletes or takes back is shown first, and done once the user has typed `yes`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from retrovue_uow.cli.output import counted, plain, say
from retrovue_uow.errors import ValidationError
from retrovue_uow.model import Result

R = TypeVar("R")


def agreed(
    act: Callable[..., R],
    question: Callable[[Any], str],
    *,
    force: bool,
    dry_run: bool,
    is_sure: bool = False,
    preview: Callable[[], Result] | None = None,
    details: Callable[[Any], Iterable[str]] = lambda _: (),
) -> R | None:
    """What `act(seen, dry_run=…)` returns, once the user has seen its dry run, or the preview, and typed `yes`; else None.

    Who forces it, is sure, or wants the dry run alone is not asked, and has seen nothing: None. Where nobody can be asked,
    nothing is done. `details` are shown before the changed rows.
    """
    if force or dry_run or is_sure:
        return act(None, dry_run=dry_run)
    seen = act(None, dry_run=True) if preview is None else preview()
    sentence = question(seen)
    if not sys.stdin.isatty():
        raise ValidationError(f"{sentence}, and there is no terminal to ask at: say --force, or --dry-run to only look")
    return act(seen, dry_run=False) if _is_confirmed(sentence, seen, details(seen)) else None


def _is_confirmed(sentence: str, seen: Any, details: Iterable[str]) -> bool:
    """Ask on standard error, so that standard output stays the result's."""
    say([plain(f"{sentence}:"), *details], sys.stderr)
    if seen.changes is not None:
        say(counted(seen.changes, sys.stderr), sys.stderr)
    sys.stderr.write("type yes to go on: ")
    sys.stderr.flush()
    return sys.stdin.readline().removesuffix("\n") == "yes"
