"""The command line where there is nothing to show, or more than one thing that could be meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from commandline import Run, make_files

from retrovue_uow import AssetSelector, Catalog


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("source", "list"), "there are no sources yet"),
        (("collection", "list"), "there are no collections yet"),
        (("enricher", "list"), "no enrichers are attached"),
        (("asset", "list"), "there are no such assets"),
        (("title", "list"), "there are no titles yet"),
        (("history",), "nothing was done yet"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_list_with_nothing_in_it_says_so(run: Run, arguments: tuple[str, ...], said: str) -> None:
    Catalog("catalog.db").close()

    result = run(*arguments)

    assert (result.exit_code, result.output.splitlines()[0]) == (0, said)


def test_a_folder_in_two_collections_is_not_ingested_by_guess(run: Run, ingested: Path) -> None:
    with Catalog("catalog.db") as catalog:
        catalog.add_collection("filesystem", "again", path_mappings={str(ingested): str(ingested)})

    result = run("ingest", ingested, "--no-probe")

    assert result.exit_code != 0
    assert "is in several collections" in result.output.replace("\n", " ")


def test_a_file_in_two_collections_is_not_shown_by_guess(run: Run, ingested: Path) -> None:
    with Catalog("catalog.db") as catalog:
        catalog.add_collection("filesystem", "again", path_mappings={str(ingested): str(ingested)})
        catalog.ingest_collection("again")

    result = run("asset", "show", ingested / "xyzzy.mkv")

    assert result.exit_code != 0
    assert "is in several collections" in result.output.replace("\n", " ")


def test_a_folder_whose_name_is_not_utf8_is_refused_in_words(run: Run, tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/sh\xffows"))
    make_files(folder, ["a.mkv"])

    result = run("ingest", folder, "--no-probe")

    assert result.exit_code != 0
    assert "not UTF-8" in result.output.replace("\n", " ")


def test_history_says_what_a_decision_was_about_and_what_can_no_longer_be_undone(run: Run, ingested: Path) -> None:
    with Catalog("catalog.db", undo_units=1) as catalog:
        catalog.assign(AssetSelector(path="xyzzy.mkv"), kind="bumper")
        catalog.assign(AssetSelector(kind="bumper"), kind="promo")

    lines = run("history").stdout.splitlines()

    assert any("asset assign kind bumper" in line and "possible" in line for line in lines)
    assert any("expired" in line for line in lines)
