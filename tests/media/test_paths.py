"""One spelling per path, and whole segments."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from proof.figures import Proof

from retrovue_uow.errors import ValidationError
from retrovue_uow.media.paths import canonical_key, is_below, key_below, mapping_for
from retrovue_uow.model import PathMapping

PIECES = (
    *("/", "//", "\\", ".", "..", "a", "é", "e\u0301", "\u212a", "\u0338", " ", "x"),
    *("C:", "file:", "localhost", "smb://", "plex:", "%2F", "%20", "%C3%A9", "%FF", "%00"),
)
NAME_PIECES = ("a", "\u00e9", "e\u0301", "\u0338", "\u0301", "=", "\\", " ", "C:", "file:", "%2F", "x.mkv")
spelled = st.lists(st.sampled_from(PIECES), max_size=9).map("".join)


@pytest.mark.parametrize(
    ("source_path", "key"),
    [
        ("/mnt/Media", "/mnt/Media"),
        ("/mnt//Media/./Show/", "/mnt/Media/Show"),
        ("///mnt/Media", "/mnt/Media"),
        ("/", "/"),
        ("/mnt/back\\slash", "/mnt/back\\slash"),
        ("/mnt/Cafe\u0301", "/mnt/Café"),
        ("/mnt/ space ", "/mnt/ space "),
        ("/C:/x", "/C:/x"),
        ("C:\\Media\\Show", "C:/Media/Show"),
        ("c:/Media\\Show\\", "c:/Media/Show"),
        ("C:", "C:/"),
        ("C:\\", "C:/"),
        ("\\\\NAS\\tv\\Show", "//NAS/tv/Show"),
        ("//NAS/tv//Show", "//NAS/tv/Show"),
        ("file:/mnt/x", "/mnt/x"),
        ("file:///mnt/x%20y%25", "/mnt/x y%"),
        ("FILE://localhost/mnt/x", "/mnt/x"),
        ("file:////mnt/x", "/mnt/x"),
        ("file://nas/tv/x", "//nas/tv/x"),
        ("file:///C:/Media/x", "C:/Media/x"),
        ("file:///a:b/x", "/a:b/x"),
        ("/mnt/100%25", "/mnt/100%25"),
        ("smb://NAS/tv/Show/", "smb://NAS/tv/Show"),
        ("plex://library?path=//x", "plex://library?path=//x"),
    ],
)
def test_every_path_has_one_spelling(source_path: str, key: str) -> None:
    assert canonical_key(source_path) == key


@pytest.mark.proof("Whatever a name, path, NFO file or report holds makes sense when it is read, or is refused")
@given(spelled)
def test_a_canonical_key_is_its_own_canonical_key(figures: Proof, source_path: str) -> None:
    figures.add({"drawn by Hypothesis": 1})
    try:
        key = canonical_key(source_path)
    except ValidationError:
        return

    assert canonical_key(key) == key


@given(spelled, st.lists(st.sampled_from(NAME_PIECES), min_size=1, max_size=3).map("".join))
def test_a_key_below_a_folder_is_the_key_of_the_whole_path(folder: str, name: str) -> None:
    try:
        folder_key = canonical_key(folder)
    except ValidationError:
        return
    folder_key = folder_key if folder_key.endswith("/") else f"{folder_key}/"

    assert key_below(folder_key, name) == canonical_key(f"{folder_key}{name}")


@pytest.mark.proof("Whatever a name, path, NFO file or report holds makes sense when it is read, or is refused")
@given(st.text())
def test_any_text_has_a_key_or_a_validation_error(figures: Proof, text: str) -> None:
    figures.add({"drawn by Hypothesis": 1})
    for path in (text, f"/{text}", f"file:///{text}", f"\\\\nas\\{text}"):
        try:
            assert canonical_key(canonical_key(path)) == canonical_key(path)
        except ValidationError as error:
            str(error).encode()


@pytest.mark.parametrize(
    ("source_path", "complaint"),
    [
        ("", "empty"),
        ("mnt/x", "relative"),
        ("C:x", "relative"),
        ("file:x", "relative"),
        ("file://", "relative"),
        ("a:b\\c", "relative"),
        ("/mnt/../etc", r"'\.\.'"),
        ("C:\\x\\..\\y", r"'\.\.'"),
        ("file:///mnt/%2E%2E/etc", r"'\.\.'"),
        ("file://a%2F..%2Fb/x", r"'\.\.'"),
        ("smb://nas/../x", r"'\.\.'"),
        ("/mnt/\0x", "NUL"),
        ("file:///mnt/%00", "NUL"),
        ("/mnt/\udcff", r"\\udcff.*not UTF-8"),
        ("/mnt/\ud800", r"\\ud800.*not UTF-8"),
        ("file:///mnt/%FF", "not UTF-8"),
    ],
)
def test_what_is_no_path_is_refused_by_name(source_path: str, complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint) as caught:
        canonical_key(source_path)

    str(caught.value).encode()


@pytest.mark.parametrize(
    ("path", "root", "below"),
    [
        ("/mnt/tv/x", "/mnt/tv", True),
        ("/mnt/tv", "/mnt/tv", True),
        ("/mnt/tv/x", "/mnt/tv/", True),
        ("/mnt/tv2/x", "/mnt/tv", False),
        ("/mnt", "/mnt/tv", False),
        ("/mnt/tv", "/", True),
        ("/", "/", True),
        ("//nas/tv", "/", False),
        ("//nas/tv/x", "//nas/tv", True),
        ("smb://nas/tv", "smb://", True),
        ("C:/x", "C:/", True),
    ],
)
def test_below_goes_by_whole_segments(path: str, root: str, below: bool) -> None:
    assert is_below(path, root) is below


def by_source(*source_paths: str) -> dict[str, PathMapping]:
    return {path: PathMapping(number, path, f"/{number}") for number, path in enumerate(source_paths)}


def test_the_longest_mapping_wins() -> None:
    mappings = by_source("/data", "/data/tv", "/data/tv/Sho", "/data/x")

    assert mapping_for("/data/tv/Show/x.mkv", mappings) == mappings["/data/tv"]
    assert mapping_for("/data/x.mkv", mappings) == mappings["/data"]
    assert mapping_for("/data/tv", mappings) == mappings["/data/tv"]
    assert mapping_for("/elsewhere/x.mkv", mappings) is None
    assert mapping_for("/data/x", {}) is None


@given(st.lists(spelled, min_size=1, max_size=6))
def test_the_mapping_of_a_path_is_the_longest_that_it_is_below(paths: list[str]) -> None:
    keys = []
    for path in paths:
        with suppress(ValidationError):
            keys.append(canonical_key(path))
    for key in keys:
        mappings = by_source(*(each for each in keys if each != key))
        above = [folder for folder in mappings if is_below(key, folder)]

        assert mapping_for(key, mappings) == mappings.get(max(above, key=len, default=""))
