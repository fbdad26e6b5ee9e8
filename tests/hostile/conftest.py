"""A limit for every test here: hostile input must not make anything wait for ever."""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

LIMIT_S = 30


@pytest.fixture(autouse=True)
def watchdog() -> Iterator[None]:
    """Fail what takes longer than `LIMIT_S` seconds; where a system call keeps even that waiting, end the process."""

    def bark(_: int, __: FrameType | None) -> None:
        pytest.fail(f"nothing came back within {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(LIMIT_S)
    faulthandler.dump_traceback_later(2 * LIMIT_S, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
