"""What deletes or takes back is shown first, and done once the user has typed `yes`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from rich.console import Group, RenderableType
from rich.text import Text

from retrovue_uow.cli_changes import changes_table
from retrovue_uow.cli_output import plain, terminal
from retrovue_uow.errors import ValidationError
from retrovue_uow.model import Result

P = TypeVar("P", bound=Result)
T = TypeVar("T")


def with_consent(
    *,
    preview: Callable[[], P] | None,
    question: Callable[[P], str],
    act: Callable[[P | None], T],
    details: Callable[[P], RenderableType] = lambda _: Group(),
) -> T | None:
    """What `act` returns, once the user has seen the preview and typed `yes`; None if anything else was typed.

    Without a preview nobody is asked. Where nobody can be asked, nothing is done. `details` are shown before the changed rows.
    """
    if preview is None:
        return act(None)
    seen = preview()
    sentence = question(seen)
    if not sys.stdin.isatty():
        raise ValidationError(f"{sentence}, and there is no terminal to ask at: say --force, or --dry-run to only look")
    return act(seen) if _is_confirmed(sentence, seen, details(seen)) else None


def _is_confirmed(sentence: str, seen: Result, details: RenderableType) -> bool:
    """Ask on standard error, so that standard output stays the result's."""
    ask = terminal()
    ask.print(Group(Text(plain(f"{sentence}:")), details))
    if seen.changes is not None:
        ask.print(changes_table(seen.changes))
    ask.print(Text("type yes to go on: "), end="")
    sys.stderr.flush()
    return sys.stdin.readline().removesuffix("\n") == "yes"
