"""A time limit for calls that may never return: a dead network mount, a plugin that waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def call_within(seconds: float, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` returns or raises, or `TimeoutError` if it is still busy after `seconds`.

    The call runs in a daemon thread. A late one is abandoned: its outcome is discarded and it keeps no process alive.
    A `TimeoutError` of the function itself looks the same; return it as a value where that matters.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(function(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  whatever it is belongs to the caller's thread
            outcome.set_exception(error)

    threading.Thread(target=run, name="retrovue-time-limit", daemon=True).start()
    return outcome.result(timeout=seconds)
