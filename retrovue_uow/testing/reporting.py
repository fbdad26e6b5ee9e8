"""Who hears how far a long proof has come. The plugin knows the terminal, and should not load the proofs to tell them."""

from __future__ import annotations

from collections.abc import Callable

listeners: list[Callable[[str], None]] = []
"""Where long runs report to."""
