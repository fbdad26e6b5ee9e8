"""A pytest plugin for `coverage.sh`: a test in which the tracer itself fails must not leave all later ones unmeasured."""

from __future__ import annotations

import sys

_tracer = sys.gettrace()


def pytest_runtest_setup() -> None:
    """Let coverage trace this test, whatever an earlier one did to its tracer."""
    if sys.gettrace() is None:
        sys.settrace(_tracer)
