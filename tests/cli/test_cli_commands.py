"""Nouns and verbs: what each command does, and that with `--json` it prints nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import pytest
from commandline import Command, Run, make_files
from extending import PLAYLOG

from retrovue_uow import Catalog
from retrovue_uow.cli.reports import ranges
from retrovue_uow.cli.text import shortened

READING = [
    ("source", "list"),
    ("collection", "list"),
    ("collection", "show", "shows"),
    ("collection", "exclude", "list", "empty"),
    ("enricher", "list"),
    ("enricher", "list", "shows"),
    ("asset", "list"),
    ("asset", "list", "shows", "--kind", "episode", "--state", "new", "--present", "--title", "space 1999"),
    ("asset", "show", "xyzzy.mkv"),
    ("title", "list"),
    ("title", "list", "--kind", "movie"),
    ("extension", "list"),
    ("check",),
]
CHANGING = [
    ("source", "add", "other"),
    ("source", "discover", "rooted"),
    ("source", "ingest", "filesystem"),
    ("source", "remove", "spare"),
    ("collection", "add", "filesystem", "more", "--folder", "/media/more"),
    ("collection", "map", "shows", "/there", "/here"),
    ("collection", "unmap", "empty", "/empty"),
    ("collection", "exclude", "add", "shows", "*.iso"),
    ("collection", "exclude", "remove", "empty", "SAMPLES"),
    ("collection", "ingest", "shows"),
    ("collection", "disable", "shows"),
    ("collection", "enable", "shows"),
    ("collection", "set", "shows", "--upgrades", "keep-approval"),
    ("collection", "remove", "empty"),
    ("collection", "wipe", "shows", "--force"),
    ("enricher", "attach", "empty", "ffprobe", "--priority", "7", "--config", '{"timeout_s": 5}'),
    ("enricher", "detach", "shows", "nfo"),
    ("extension", "add", "playlog"),
    ("extension", "remove", "playlog", "--force"),
    ("backup", "copy.db"),
]


@pytest.fixture
def furnished(ingested: Path, offered: None) -> Path:
    """Besides `shows`: a disabled collection, a spare source, and one with a root, and an extension."""
    with Catalog("catalog.db", extensions=[PLAYLOG]) as catalog:
        catalog.add_collection("filesystem", "empty", path_mappings={"/empty": "/empty"}, enabled=False)
        catalog.exclude("empty", "Samples")
        catalog.add_source("spare")
        catalog.add_source("rooted", config={"root": str(ingested)})
    return ingested


def resolved(arguments: tuple[str, ...], folder: Path) -> list[str]:
    return [str(folder / each) if each == "xyzzy.mkv" else each for each in arguments]


@pytest.mark.parametrize("arguments", READING + CHANGING, ids=" ".join)
def test_every_command_prints_json_and_nothing_else_when_asked(run: Run, furnished: Path, arguments: tuple[str, ...]) -> None:
    result = run(*resolved(arguments, furnished), "--json")

    assert result.exit_code == 0, result.output
    assert isinstance(json.loads(result.stdout), dict | list)
    assert result.stderr == ""


@pytest.mark.parametrize("arguments", READING + CHANGING, ids=" ".join)
def test_every_command_prints_something_for_people_without_colours(
    run: Run, furnished: Path, arguments: tuple[str, ...]
) -> None:
    result = run(*resolved(arguments, furnished))

    assert result.exit_code == 0, result.output
    assert result.stdout.strip()
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


@pytest.mark.parametrize("arguments", [*READING, *CHANGING[1:]], ids=" ".join)
def test_a_missing_catalogue_is_an_error_and_is_not_created(run: Run, here: Path, arguments: tuple[str, ...]) -> None:
    result = run(*arguments, "--catalog", "nope.db")

    assert result.exit_code == 3
    assert "there is no catalogue 'nope.db'" in result.stderr
    assert list(here.iterdir()) == []


def test_what_is_excluded_for_good_is_shown_with_its_collection(run: Run, furnished: Path) -> None:
    assert run("collection", "exclude", "add", "shows", "Movies").exit_code == 0

    shown, listed = run("collection", "show", "shows").stdout, run("collection", "list").stdout

    assert "excludes Movies" in " ".join(shown.split())
    assert [line.split()[-1] for line in listed.splitlines() if line.split()[:1] in (["shows"], ["empty"])] == [
        "Samples",
        "Movies",
    ]
    assert json.loads(run("collection", "exclude", "list", "shows", "--json").stdout) == ["Movies"]
    assert json.loads(run("collection", "ingest", "shows", "--json").stdout)["missing"] == 0


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_reading_commands_fit_into_80_columns(command: Command, furnished: Path, arguments: tuple[str, ...]) -> None:
    printed = command(*resolved(arguments, furnished), COLUMNS="80").stdout

    assert max(map(len, printed.splitlines())) <= 80


def test_a_collection_can_be_set_up_by_hand_and_ingested(run: Run, here: Path, tmp_path: Path) -> None:
    folder = make_files(tmp_path / "films", ["Tron (1982).mkv"])
    for arguments in (
        ("source", "add", "disk", "--config", '{"extensions": ["mkv"]}'),
        ("collection", "add", "disk", "films", "--external-id", "7", "--disabled"),
        ("collection", "map", "films", "/srv/films", str(folder)),
        ("enricher", "attach", "films", "filename"),
        ("collection", "enable", "7"),
        ("collection", "ingest", "FILMS"),
    ):
        result = run(*arguments)
        assert result.exit_code == 0, result.output

    (asset,) = json.loads(run("asset", "list", "films", "--json").stdout)
    assert (asset["canonical_key"], asset["title"]) == ("/srv/films/Tron (1982).mkv", "Tron")


def test_relative_folders_are_kept_from_the_root_on(run: Run, here: Path) -> None:
    run("source", "add", "disk")

    added = json.loads(run("collection", "add", "disk", "films", "--folder", "films", "--json").stdout)

    assert [each["local_path"] for each in added["path_mappings"]] == [str(here / "films")]


def test_an_asset_is_found_by_id_and_by_path(run: Run, ingested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (asset,) = json.loads(run("asset", "list", "--kind", "movie", "--json").stdout)
    monkeypatch.chdir(ingested)

    for selector in (asset["id"], asset["file_path"], "Movies/Tron (1982).mkv"):
        shown = json.loads(run("asset", "show", selector, "--json", "--catalog", ingested.parent / "here/catalog.db").stdout)
        assert shown["id"] == asset["id"]
        assert (shown["markers"], shown["title"]) == ([], "Tron")


@pytest.mark.parametrize("selector", ["sho%", "show_", "%", "sh", "", "[red]"])
def test_selectors_know_no_wildcards(run: Run, ingested: Path, selector: str) -> None:
    for arguments in (("collection", "show"), ("collection", "ingest"), ("asset", "list")):
        result = run(*arguments, selector)
        assert result.exit_code == 1
        assert "collection" in result.stderr
        assert repr(selector) in result.stderr


def test_an_ambiguous_selector_is_refused_with_the_candidates(run: Run, ingested: Path) -> None:
    with Catalog("catalog.db") as catalog:
        catalog.add_source("second")
        ids = [catalog.add_collection("second", "SHOWS").id, catalog.collections("filesystem")[0].id]

    result = run("collection", "wipe", "shows", "--force")

    assert result.exit_code == 1
    assert all(id_ in result.stderr for id_ in ids)


def test_check_exits_with_1_and_names_what_is_wrong(run: Run, ingested: Path) -> None:
    connection = apsw.Connection("catalog.db")
    connection.execute("DELETE FROM episode_asset").fetchall()
    connection.close()

    shown, listed = run("check"), run("check", "--json")

    assert (shown.exit_code, listed.exit_code) == (1, 1)
    assert "episode_without_asset" in shown.stdout
    assert json.loads(listed.stdout)["violations"]


def test_a_backup_is_a_catalogue_of_its_own_and_overwrites_nothing(run: Run, ingested: Path, here: Path) -> None:
    run("backup", "copy.db")

    assert len(json.loads(run("asset", "list", "--catalog", "copy.db", "--json").stdout)) == 6
    again = run("backup", "copy.db")
    assert again.exit_code == 3
    assert "exists already" in again.stderr


def test_into_a_pipe_whole_paths_are_printed(command: Command, ingested: Path) -> None:
    make_files(ingested, [f"Movies/{'a' * 200} (1982).mkv"])
    command("ingest", ingested)

    assert "a" * 200 in command("asset", "list").stdout
    assert "…" in command("asset", "list", COLUMNS="80").stdout


def test_a_path_is_shortened_in_its_middle() -> None:
    assert shortened("/media/shows/Tron.mkv", 12) == "/me…Tron.mkv"
    assert shortened("/media/shows/Tron.mkv", 21) == "/media/shows/Tron.mkv"
    assert shortened("日本語日本語", 7) == "日…本語"


def test_numbers_are_told_as_ranges() -> None:
    assert ranges({1, 2, 3, 5, 8, 9}) == "1-3, 5, 8-9"


class TestExtensions:
    def test_one_is_added_and_listed_with_what_it_has(self, run: Run, ingested: Path, offered: None) -> None:
        assert run("extension", "list").stdout == "there are no extensions\n"

        added = run("extension", "add", "playlog").stdout
        listed = run("extension", "list").stdout

        for told in (added, listed):
            assert "playlog_airing, playlog_slot" in told
            assert "playlog_slot_overlap" in told
        (found,) = json.loads(run("extension", "list", "--json").stdout)
        assert (found["name"], found["version"], found["known_version"]) == ("playlog", 2, 2)

    def test_without_its_code_it_is_listed_and_mentioned(self, run: Run, ingested: Path) -> None:
        Catalog("catalog.db", extensions=[PLAYLOG]).close()

        assert "its code is not" in run("extension", "list").stdout
        assert "the code of extension 'playlog' is not at hand" in run("check").stdout

    def test_one_that_nobody_offers_is_an_error(self, run: Run, ingested: Path) -> None:
        result = run("extension", "add", "playlog")

        assert result.exit_code == 1
        assert "no installed distribution offers an extension 'playlog'" in result.stderr

    def test_one_is_removed_only_if_somebody_says_so(self, run: Run, ingested: Path) -> None:
        Catalog("catalog.db", extensions=[PLAYLOG]).close()

        asked = run("extension", "remove", "playlog")

        assert asked.exit_code == 1
        assert "drops playlog_airing, playlog_slot, playlog_count with all their rows" in asked.stderr
        assert "say --force" in asked.stderr
        assert "would drop playlog_airing, " in run("extension", "remove", "playlog", "--dry-run").stdout
        removed = json.loads(run("extension", "remove", "playlog", "--force", "--json").stdout)
        assert removed["removed"] == "playlog"
        assert [each.name for each in Catalog(removed["copy"], read_only=True).extensions()] == ["playlog"]
        assert run("extension", "list").stdout == "there are no extensions\n"

    def test_one_that_is_not_there_is_an_error(self, run: Run, ingested: Path) -> None:
        result = run("extension", "remove", "playlog", "--dry-run")

        assert result.exit_code == 1
        assert "has no extension 'playlog': it has []" in result.stderr
