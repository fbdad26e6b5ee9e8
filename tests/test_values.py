"""What the shared values say of themselves."""

from __future__ import annotations

import time

import pytest

from retrovue_uow import IngestFilters, ValidationError


@pytest.mark.parametrize(
    ("pattern", "left_out"),
    [
        ("*.iso", {"a.ISO", "Show/b.iso"}),
        ("extras", {"Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv"}),
        ("Extras/", {"Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv"}),
        ("/extras", set()),
        ("Show/Extras", {"Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv"}),
        ("*/c.mkv", set()),
        ("Show/Show", set()),
        ("Show/*.iso", {"Show/b.iso"}),
        ("**/c.mkv", {"Show/Extras/c.mkv"}),
        ("Show/**/d.mkv", {"Show/Extras/Deep/d.mkv"}),
        ("**/**/Deep/**", {"Show/Extras/Deep/d.mkv"}),
        ("Show/**", {"Show/b.iso", "Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv"}),
        ("**", {"a.ISO", "Show/b.iso", "Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv", "café.mkv"}),
        ("Show/b.iso/**", set()),
        ("?.iso", {"a.ISO", "Show/b.iso"}),
        ("[a].iso", {"a.ISO"}),
        ("CAFE\u0301.mkv", {"café.mkv"}),
    ],
)
def test_exclude_patterns(pattern: str, left_out: set[str]) -> None:
    files = ["a.ISO", "Show/b.iso", "Show/Extras/c.mkv", "Show/Extras/Deep/d.mkv", "café.mkv"]

    assert {path for path in files if IngestFilters(exclude=("never", pattern)).excludes(path)} == left_out


@pytest.mark.parametrize("pattern", ["", "/", "./"])
def test_an_empty_exclude_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError, match="is empty"):
        IngestFilters(exclude=(pattern,)).excludes("a")


def test_an_exclude_pattern_full_of_stars_takes_no_time() -> None:
    started = time.monotonic()
    IngestFilters(exclude=("**/a/" * 4 + "b",)).excludes("/".join("a" * 30))

    assert time.monotonic() - started < 2
