"""A context manager that notices when its end was never run."""

from __future__ import annotations

import weakref
from functools import partial
from types import TracebackType
from typing import Protocol


class Scope(Protocol):
    """What `Exit` ends: `leave` in the ordinary way, `abandon` where that never ran to its end."""

    exit_token: weakref.ref[partial[None]] | None

    def leave(self, error: BaseException | None) -> None:
        """End the scope, `error` passing."""

    def abandon(self) -> None:
        """Clean up, if the scope was entered and not left. Must do nothing otherwise."""


class Exit:
    """The `__exit__` of a `Scope`, safe from Ctrl-C at every byte-code.

    An interrupt may land before the first byte-code of an `__exit__`, where no `try` is yet in force. But a `with` statement
    keeps a callable for its end, and frees it right after: that moment calls `abandon`, whatever came of `leave`.
    """

    def __get__(self, scope: Scope | None, owner: type[object]) -> partial[None]:
        if scope is None:
            return partial(_leave)  # asked of the class: unbound, as any method is

        def abandon(_: object) -> None:
            scope.exit_token = None
            scope.abandon()

        method = partial(_leave, scope)  # not a bound method: the interpreter frees those when it begins to call them
        if scope.exit_token is None:
            scope.exit_token = weakref.ref(method, abandon)
        return method


def _leave(scope: Scope, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
    scope.leave(error)
    scope.exit_token = None  # left in good order: nobody needs to notice the end of the callable
