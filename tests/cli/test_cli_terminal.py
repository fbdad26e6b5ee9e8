"""What a newcomer reads: lines that break between words, commands that work as they are printed, and nothing asked in vain."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from commandline import Ask, Command, Run, make_files
from extending import PLAYLOG
from hypothesis import given
from hypothesis import strategies as st

from retrovue_uow import AssetSelector, Catalog
from retrovue_uow.cli.output import _progress
from retrovue_uow.cli.text import cells, plain, wrapped


@pytest.fixture
def ready(ingested: Path) -> Path:
    """Six files that can be approved."""
    with Catalog("catalog.db") as catalog, catalog.session() as db:
        db.execute("UPDATE asset SET duration_ms = 60000, state = 'ready'")
    return ingested


@pytest.mark.parametrize("columns", [20, 60, 80])
def test_lines_break_between_words_and_a_command_stays_whole(
    run: Run, shows: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shows / "Movies" / "gone.mkv").symlink_to("/nowhere")
    wide = run("ingest", shows, "--no-probe", "--dry-run").stdout.splitlines()
    sentence = next(line for line in wide if line.startswith("skipped, since they are links"))
    step = wide[wide.index("next:") + 1]
    monkeypatch.setenv("COLUMNS", str(columns))

    lines = run("ingest", shows, "--no-probe", "--dry-run").stdout.splitlines()

    start = next(number for number, line in enumerate(lines) if line.startswith("skipped, "))
    assert " ".join(map(str.strip, lines[start:])).startswith(sentence)
    (command,) = re.findall("`.*`", step)
    assert any(command in line for line in lines)
    assert [line for line in lines if len(line) > columns and command not in line] == []


@pytest.mark.parametrize(
    "arguments",
    [("asset", "list", "--state", "redy"), ("asset", "show", "no such file at all"), ("collection", "set", "shows")],
)
def test_an_error_breaks_between_words_too(command: Command, ingested: Path, arguments: tuple[str, ...]) -> None:
    wide = command(*arguments).stderr
    narrow = command(*arguments, COLUMNS="40").stderr.splitlines()

    assert wide.count("\n") == 1 < len(narrow)
    assert " ".join(map(str.strip, narrow)) == wide.strip()
    assert [line for line in narrow if len(line) > 40 and "`" not in line] == []


def test_who_lost_an_approval_is_named_whole_on_a_narrow_terminal(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Catalog("catalog.db") as catalog:
        catalog.approve(AssetSelector(title="Tron"))
    film = ready / "Movies" / "Tron (1982).mkv"
    film.write_bytes(b"another cut of it")
    monkeypatch.setenv("COLUMNS", "60")

    told = run("ingest", ready).stdout

    assert f"{film}: its size" in "".join(told.split("no longer approved:\n")[1].split("\n  ")[0:4]).replace("\n", "")


@pytest.mark.parametrize("arguments", [("history",), ("asset", "list"), ("status",)], ids=" ".join)
def test_rules_and_shortened_names_are_ascii_where_the_terminal_is(
    command: Command, ready: Path, arguments: tuple[str, ...]
) -> None:
    shown = command(*arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0", COLUMNS="60").stdout

    assert "-----" in shown
    assert "\\u" not in shown.replace(r"--unclassified \u", "")


def test_commands_that_are_told_of_a_collection_with_a_dash_work_as_they_are_told(run: Run, tmp_path: Path) -> None:
    folder = make_files(tmp_path / "-x", ["Tron (1982).mkv", "empty.mkv", "Heat (1995).mkv"])
    assert run("ingest", folder, "--no-probe").exit_code == 0
    run("collection", "exclude", "add", "--", "-x", "Samples")
    (folder / "Tron (1982).mkv").unlink()
    with Catalog("catalog.db") as catalog, catalog.session() as db:
        db.execute(
            "INSERT INTO finding (asset_id, enricher, severity, message) SELECT id, 'nfo', 'broken', 'cut' FROM asset LIMIT 1"
        )
    told = run("ingest", folder, "--no-probe", "--exclude", "empty*").stdout + run("status").stdout

    make_files(folder, ["new.mkv"])
    assert "run `retrovue-uow collection ingest -- -x`" in run("asset", "explain", folder / "new.mkv").stdout
    commands = {each for each in re.findall("`([^`]+)`", told) if "…" not in each}

    assert {"collection forget-missing -- -x", "asset list --broken -- -x", "collection exclude list -- -x"} <= commands
    assert {run(*shlex.split(each)).exit_code for each in commands if " " in each and "forget" not in each} == {0}
    assert run("collection", "forget-missing", "--force", "--max-fraction", "1", "--", "-x").exit_code == 0


def test_one_is_counted_as_one(run: Run, ready: Path) -> None:
    with Catalog("catalog.db", undo_units=1) as catalog:
        catalog.disable_collection("shows")

    assert "; 1 unit can be undone (1 kB)" in run("status").stdout
    assert "approving changes 1 of 1 selected," in run("asset", "approve", "--title", "Tron").stderr
    assert "1 of 1 asset approved\n" in run("asset", "approve", "--title", "Tron", "--force").stdout
    assert run("asset", "approve", "--title", "Tron", "--force").stdout == "0 of 1 asset approved, 1 already\n"


def test_nobody_is_asked_where_nothing_would_change(asked: Ask, run: Run, ready: Path) -> None:
    run("asset", "approve", "--title", "Tron", "--force")

    for arguments in (("asset", "approve", "--title", "Tron"), ("collection", "forget-missing", "shows")):
        result = run(*arguments)

        assert (result.exit_code, result.stderr) == (0, "")
        assert "type yes" not in asked(*arguments, typed="no\n").stderr


@pytest.mark.parametrize("arguments", [("status",), ("asset", "approve", "--kind", "movie"), ("check",)], ids=" ".join)
def test_an_empty_file_is_no_catalogue_yet(run: Run, shows: Path, arguments: tuple[str, ...]) -> None:
    Path("catalog.db").touch()

    result = run(*arguments)

    assert result.exit_code == 3
    assert "catalogue 'catalog.db' is an empty file: name one with --catalog, or make one with `retrovue-uow" in result.stderr
    assert run("ingest", shows, "--no-probe", "--dry-run").exit_code == 0
    assert Path("catalog.db").stat().st_size == 0
    assert run("ingest", shows, "--no-probe").exit_code == 0


def test_a_quiet_list_says_nothing_but_what_a_program_asked_for(run: Run, ingested: Path) -> None:
    for arguments in (("asset", "list"), ("history",), ("enricher", "list"), ("collection", "exclude", "list", "shows")):
        assert run(*arguments, "-q").output == ""
        assert json.loads(run(*arguments, "-q", "--json").stdout) == json.loads(run(*arguments, "--json").stdout)


def test_a_rebuild_that_the_station_forbids_looks_at_no_file(run: Run, ingested: Path) -> None:
    with Catalog("catalog.db", extensions=[PLAYLOG]) as catalog, catalog.session() as db:
        db.execute("INSERT INTO playlog_airing (asset_id, aired_at, duration_ms) SELECT id, 'noon', 5 FROM asset LIMIT 1")
    ingested.rename(ingested.with_name("unmounted"))

    result = run("collection", "rebuild", "shows", "--force")

    assert result.exit_code == 1
    assert "cannot be deleted because of 1 row of table 'playlog_airing'" in result.stderr


def test_history_says_what_matters_of_every_change(run: Run, ingested: Path) -> None:
    film = ingested / "Movies" / "Tron (1982).mkv"
    for arguments, words in (
        (["enricher", "detach", "shows", "nfo"], "enricher detach shows nfo"),
        (["collection", "map", "shows", "/srv/a", "/srv/b"], "collection map shows /srv/a"),
        (["collection", "exclude", "add", "shows", "*.part"], "collection exclude shows *.part"),
        (["collection", "set", "shows", "--upgrades", "keep-approval"], "collection set upgrades shows keep-approval"),
        (["asset", "assign", str(film), "--to-title", "Heat", "--force"], "asset assign 1 asset as title Heat"),
        (
            ["asset", "retire", "--collection", "shows", "--unclassified", "--force"],
            "asset retire collection shows, unclassified",
        ),
        (["asset", "retire", "--kind", "movie", "--unapproved", "--force"], "asset retire kind movie, not approved"),
        (["title", "rename", "Heat", "--year", "1995"], "title rename Heat of 1995"),
        (["source", "add", "disk"], "source add disk filesystem"),
    ):
        assert run(*arguments).exit_code == 0
        assert run("history", "-n", "1").stdout.rstrip().endswith(f"  {words}")


def test_things_are_named_where_they_belong_to_something(run: Run, ingested: Path) -> None:
    assert re.search("^collection +shows$", run("asset", "show", ingested / "xyzzy.mkv").stdout, re.MULTILINE)
    assert re.search("^source +filesystem$", run("collection", "show", "shows").stdout, re.MULTILINE)


def test_titles_of_one_name_are_told_apart_in_every_message(run: Run, tmp_path: Path) -> None:
    run("ingest", make_files(tmp_path / "m", ["Tron (1982).mkv", "Tron (2010).mkv", "Heat.mkv"]), "--no-probe")

    assert "merging 'Tron (1982)' into 'Tron (2010)'" in run("title", "merge", "Tron (1982)", "--into", "Tron (2010)").stderr
    assert "there is a movie 'Tron (2010)' already: merge" in run("title", "rename", "Tron (1982)", "--year", "2010").stderr
    assert "name one of these by its id: movie 'Tron (1982)'" in run("asset", "list", "--title", "Tron").stderr


@pytest.mark.parametrize(
    "arguments", [("asset", "list"), ("asset", "assign"), ("collection", "ingest"), ("history",)], ids=" ".join
)
def test_the_help_fits_a_narrow_terminal(command: Command, arguments: tuple[str, ...]) -> None:
    lines = command(*arguments, "--help", COLUMNS="60").stdout.splitlines()

    assert len(lines) > 10
    assert [line for line in lines if len(line) > 60] == []


def test_on_a_narrow_terminal_the_bar_gives_way_and_not_the_time_that_is_left() -> None:
    assert _progress(60, 120, 30.0) == f" 60/120  2/s  0:00:30 left  {'━' * 12}"


def test_what_stands_in_front_of_its_command_is_told_so(run: Run) -> None:
    assert "'--catalog': the options of a command stand behind it" in run("--catalog", "x.db", "status").stderr


def test_a_mapping_is_removed_by_a_path_from_here_as_it_was_made(run: Run, ingested: Path) -> None:
    run("collection", "map", "shows", "./gone", "./gone")

    assert str(Path("gone").absolute()) in run("collection", "show", "shows").stdout
    assert run("collection", "unmap", "shows", "./gone").exit_code == 0


def test_a_sentence_in_a_table_is_whole_on_a_narrow_terminal(run: Run, ingested: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("asset", "retire", "--collection", "shows", "--unclassified", "--kind", "other", "--unapproved", "--force")
    monkeypatch.setenv("COLUMNS", "50")

    shown = run("history", "-n", "1").stdout.splitlines()[-2:]

    assert " ".join(map(str.strip, shown)).endswith("asset retire collection shows, kind other, not approved, unclassified")


@pytest.mark.parametrize("columns", [1, 20])
def test_the_narrowest_terminal_gets_all_of_it_in_the_end(
    run: Run, ingested: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(ingested / "xyzzy.mkv")
    monkeypatch.setenv("COLUMNS", str(columns))

    shown = run("asset", "explain", file).stdout

    assert "".join(file.split()) in "".join(shown.split())
    assert run("status").exit_code == 0


def test_each_kind_of_operation_is_named_once_where_a_unit_is_undone(run: Run, ingested: Path) -> None:
    first = json.loads(run("history", "--json").stdout)[-1]["id"]
    run("collection", "wipe", "shows", "--force")

    assert "(source add, collection add, enricher attach, enricher detach)" in run("undo", first, "--dry-run").stdout


@given(text=st.text(max_size=120), width=st.integers(16, 40), indent=st.integers(0, 8))
def test_whatever_is_wrapped_ends_and_loses_nothing(text: str, width: int, indent: int) -> None:
    lines = list(wrapped(plain(text), width, " " * indent))

    assert "".join("".join(lines).split()) == "".join(plain(text).split())
    assert [line for line in lines if cells(line) > width and "`" not in line] == []


def test_an_ingest_of_a_source_says_what_is_next_of_each_collection(run: Run, ingested: Path, tmp_path: Path) -> None:
    run("ingest", make_files(tmp_path / "more", ["Tron (1982).mkv"]), "--no-probe")
    make_files(ingested, ["plugh.mkv"])

    told = run("source", "ingest", "filesystem").stdout

    assert told.endswith("\n\nnext:\n  shows: 1 unclassified: `asset assign --collection shows --unclassified …`\n")
