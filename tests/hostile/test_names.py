"""Files with names that nobody would choose, from the disk to the terminal and back."""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import Run
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from proof.figures import Proof

from retrovue_uow import Catalog, IngestError, ValidationError
from retrovue_uow.testing import snapshot

ODD_NAMES = {
    "newline": "new\nline.mkv",
    "carriage_return": "over\rwritten.mkv",
    "tab": "a\tb.mkv",
    "escape": "\x1b[2J\x1b]0;title\x07.mkv",
    "c1": "a\x9b31mb.mkv",
    "delete": "a\x7fb.mkv",
    "right_to_left": "a\u202evkm.exe.mkv",
    "isolate": "\u2066a\u2069.mkv",
    "zero_width": "a\u200bb\u200d\ufeff.mkv",
    "line_separator": "a\u2028b\u2029.mkv",
    "leading_dash": "-rf.mkv",
    "option": "--help.mkv",
    "long": "x" * 251 + ".mkv",
    "long_utf8": "é" * 125 + ".mkv",
    "trailing_dots": "dots...mkv",
    "spaces": "  a  .mkv",
    "only_space": " .mkv",
    "reserved": "CON.mkv",
    "reserved_with_more": "aux.x.mkv",
    "percent": "100%s %n %(x)s {0} {x}.mkv",
    "shell": "a;rm -rf $HOME `id` $(id)|&.mkv",
    "quotes": '"it\'s" \'\'\' """.mkv',
    "sql": "'; DROP TABLE asset; --.mkv",
    "globs": "[a-z]*?{b,c}!.mkv",
    "markup": "[bold red]x[blink] :smile:[link=x].mkv",
    "backslash": "C:\\media\\x.mkv",
    "uri": "file:%2e%2e%2fx.mkv",
    "nfd": "e\u0301.mkv",
    "emoji": "\U0001f4fa\U0001f468\u200d\U0001f469.mkv",
    "combining": "a" + "\u0301" * 60 + ".mkv",
    "private": "\ue000\U000f0000.mkv",
    "unassigned": "\U000e0fff.mkv",
    "wide": "映画" * 40 + ".mkv",
    "colon": "12:30.mkv",
}
ODD_FOLDER = "folder \n\x1b[31m\u202e'; %s [x]"

pytestmark = pytest.mark.proof("Hostile input brings out the library's own errors, in time, and changes nothing")


def names_a_terminal_may_see(text: str) -> bool:
    """Whether nothing in it moves the cursor, changes a direction or is no text; line ends are the output's own."""
    return not [char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char != "\n"]


@pytest.fixture
def odd_files(tmp_path: Path) -> Path:
    folder = tmp_path / "odd"
    for place in (folder, folder / ODD_FOLDER):
        place.mkdir()
        for name in ODD_NAMES.values():
            (place / name).write_bytes(b"media")
    return folder


def test_odd_names_are_ingested_shown_and_taken_back(odd_files: Path, run: Run) -> None:
    assert run("ingest", odd_files, "--no-probe", "--verbose").exit_code == 0
    before = snapshot("catalog.db", journal=False)
    listed = json.loads(run("asset", "list", "--json").stdout)
    ids = [asset["id"] for asset in listed]
    outputs = [
        run("asset", "list"),
        run("asset", "list", "--path", "*[*"),
        run("history", "show", json.loads(run("history", "--json").stdout)[0]["id"], "--verbose"),
        run("collection", "list"),
        run("title", "list"),
        run("check"),
        run("undo", "--dry-run", "--verbose"),
        run("collection", "wipe", "odd", "--dry-run", "--verbose"),
        *(run("asset", "show", each) for each in ids[::5]),
        *(run("asset", "explain", each) for each in ids[::5]),
    ]

    assert sorted(asset["file_path"] for asset in listed) == sorted(str(path) for path in odd_files.rglob("*.mkv"))
    assert [result.output for result in outputs if result.exit_code != 0] == []
    assert [result.output for result in outputs if not names_a_terminal_may_see(result.output)] == []
    assert run("ingest", odd_files, "--no-probe", "--json").exit_code == 0
    assert snapshot("catalog.db", journal=False) == before
    undone = run("undo", "--force", "--verbose", json.loads(run("history", "--json").stdout)[-1]["id"])
    assert names_a_terminal_may_see(undone.output)


@pytest.mark.parametrize("name", ODD_NAMES.values(), ids=ODD_NAMES)
def test_one_odd_name_is_the_path_that_the_catalogue_has(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name.removesuffix(".mkv")
    folder.mkdir()
    (folder / name).write_bytes(b"media")

    with Catalog(":memory:") as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "C", path_mappings={str(folder): str(folder)})
        catalog.attach_enricher("C", "filename")
        catalog.attach_enricher("C", "nfo")
        assert catalog.ingest_collection("C").created == 1
        (asset,) = catalog.assets("C")
        assert os.path.samefile(asset.file_path, folder / name)
        assert catalog.ingest_collection("C").unchanged == 1
        assert catalog.check().is_sound


ENDED: dict[str, Callable[[Path], bytes]] = {
    "file": lambda folder: os.fsencode(folder) + b"/\xff\xfe.mkv",
    "latin": lambda folder: os.fsencode(folder) + b"/caf\xe9.mkv",
    "overlong": lambda folder: os.fsencode(folder) + b"/\xc0\xaf.mkv",
    "surrogate": lambda folder: os.fsencode(folder) + b"/\xed\xa0\x80.mkv",
    "folder": lambda folder: os.fsencode(folder) + b"/\xff/x.mkv",
}


@pytest.mark.parametrize("make", ENDED.values(), ids=ENDED)
def test_a_name_that_is_no_utf8_is_refused_by_the_strict_and_skipped_by_others(
    tmp_path: Path, run: Run, make: Callable[[Path], bytes]
) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "fine.mkv").write_bytes(b"media")
    path = make(folder)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Path(os.fsdecode(path)).write_bytes(b"media")

    result = run("ingest", folder, "--no-probe", "--strict")

    assert result.exit_code == 1
    assert "UTF-8" in result.stderr
    assert names_a_terminal_may_see(result.output)
    with Catalog("catalog.db", read_only=True) as catalog:
        assert catalog.assets() == []

    result = run("ingest", folder, "--no-probe")

    assert result.exit_code == 0
    assert "UTF-8" in result.stdout
    assert names_a_terminal_may_see(result.output)
    with Catalog("catalog.db", read_only=True) as catalog:
        assert [asset.canonical_key for asset in catalog.assets()] == [str(folder / "fine.mkv")]


@settings(settings.get_profile("few"))
@given(names=st.lists(st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 47} & set(name)), min_size=1, max_size=4))
def test_any_bytes_as_names_are_ingested_or_refused(
    tmp_path_factory: pytest.TempPathFactory, figures: Proof, names: list[bytes]
) -> None:
    figures.add({"drawn by Hypothesis": 1})
    folder = tmp_path_factory.mktemp("any")
    for name in names:
        path = os.fsencode(folder) + b"/" + name + b".mkv"
        assume(not name.startswith(b"."))  # what is hidden is never looked at
        Path(os.fsdecode(path)).write_bytes(b"media")

    with Catalog(":memory:") as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "C", path_mappings={str(folder): str(folder)})
        catalog.attach_enricher("C", "filename")
        refused = None
        try:
            catalog.ingest_collection("C")
        except IngestError as error:
            refused = error.cause
        assert isinstance(refused, ValidationError) if refused else catalog.assets()
        assert not (refused and catalog.assets())
        assert catalog.check().is_sound
