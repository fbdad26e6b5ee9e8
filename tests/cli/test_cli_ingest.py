"""`ingest`: a folder becomes a collection, and what came in is shown."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from commandline import Command, Run, make_files
from harness import draft

from retrovue_uow import Catalog, Collection
from retrovue_uow.cli.reports import ingest_page, source_page
from retrovue_uow.testing import FakeImporter, snapshot

VOLATILE = ("collection", "dry_run", "duration_s", "unit_id")


def listing(folder: Path) -> set[str]:
    return {os.path.relpath(os.path.join(parent, name), folder) for parent, _, names in os.walk(folder) for name in names}


def facts(printed: str) -> dict[str, Any]:
    """The result without what differs between any two runs."""
    return {key: value for key, value in json.loads(printed).items() if key not in VOLATILE}


def test_a_folder_with_files_of_another_collection_is_not_ingested_twice_by_oversight(run: Run, ingested: Path) -> None:
    part = run("ingest", ingested / "Space 1999", "--no-probe")
    whole = run("ingest", ingested.parent, "--no-probe", "--dry-run")

    assert (part.exit_code, whole.exit_code) == (1, 1)
    assert f"is part of collection 'shows': `collection ingest --under '{ingested}/Space 1999' shows`" in part.stderr
    assert f"holds '{ingested}', which is part of collection 'shows'" in whole.stderr
    assert len(json.loads(run("collection", "list", "--json").stdout)) == 1


def test_an_empty_variable_is_not_the_working_folder(run: Run, here: Path) -> None:
    (here / "Tron (1982).mkv").write_bytes(b"media")

    assert run("ingest", "", "--no-probe").stderr == "error: name a file or folder, not ''\n"
    assert not (here / "catalog.db").exists()


def test_a_folder_that_may_be_one_that_is_gone_is_told_of_relocation(run: Run, ingested: Path) -> None:
    moved = ingested.parent / "new disk" / "shows"
    moved.parent.mkdir()
    ingested.rename(moved)

    result = run("ingest", moved, "--no-probe", "--dry-run")

    assert result.exit_code == 0
    assert f"stop here: `collection relocate shows {ingested} '{moved}'`" in result.stderr


def test_the_json_counts_the_changes_and_leaves_their_rows_out(run: Run, shows: Path) -> None:
    changes = json.loads(run("ingest", shows, "--no-probe", "--json").stdout)["changes"]

    assert changes["counts"]["asset"] == {"insert": 6}
    assert changes["rows"] == []


def test_one_command_makes_a_catalogue_and_shows_what_came_in(run: Run, here: Path, shows: Path) -> None:
    result = run("ingest", shows, "--no-probe")

    assert result.exit_code == 0
    assert (here / "catalog.db").is_file()
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    for wanted in ("found 6", "created 6", "unclassified 1", "Space 1999 1 1-3 3", "bumper 1", f"{shows}/xyzzy.mkv"):
        assert wanted in lines, wanted
    assert "Tron (1982)" in result.stdout


def test_a_new_folder_gets_the_file_name_and_nfo_enrichers_and_ffprobe(run: Run, shows: Path, tmp_path: Path) -> None:
    run("ingest", shows, "--no-probe")
    empty = tmp_path / "empty"
    empty.mkdir()
    run("ingest", empty)

    with Catalog("catalog.db", read_only=True) as catalog:
        attached = {each.name: [(e.type, e.priority) for e in each.enrichers] for each in catalog.collections()}

    assert attached["shows"] == [("filename", 10), ("nfo", 20)]
    assert attached["empty"] == [("filename", 10), ("nfo", 20), ("ffprobe", 30)]


def test_without_ffprobe_on_path_a_folder_is_ingested_and_a_note_says_so(
    run: Run, shows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setenv("PATH", "/nonexistent")
        result = run("ingest", shows)

    assert result.exit_code == 0
    assert "ffprobe is not on PATH" in result.stderr
    assert "install ffmpeg" in result.stderr
    assert json.loads(run("ingest", shows, "--dry-run", "--json").stdout)["unchanged"] == 6
    there = json.loads(run("ingest", shows, "--json").stdout)
    assert (there["refreshed"], [each["type"] for each in there["collection"]["enrichers"]][-1]) == (6, "ffprobe")


def test_who_does_not_want_ffprobe_or_takes_it_away_does_not_get_it_back(run: Run, ingested: Path, tmp_path: Path) -> None:
    other = make_files(tmp_path / "films", ["Movies/Tron (1982).mkv"])
    run("ingest", other)
    run("enricher", "detach", "films", "ffprobe")

    for folder in (ingested, other):
        told = json.loads(run("ingest", folder, "--json").stdout)
        assert [each["type"] for each in told["collection"]["enrichers"]] == ["filename", "nfo"]


def test_what_only_older_enrichers_saw_is_told_with_the_command_that_reads_it_again(run: Run, ingested: Path) -> None:
    run("enricher", "attach", "shows", "ffprobe")

    waiting = run("ingest", ingested).stdout

    assert "outdated" in waiting
    (ingesting,) = re.findall("6 files read by older enrichers only: `(.*?)` reads again", waiting)
    assert json.loads(run(*ingesting.split(), "--json").stdout)["refreshed"] == 6


def test_the_last_lines_of_an_ingest_say_what_to_do_next(run: Run, shows: Path) -> None:
    assert run("ingest", shows, "--no-probe", "--exclude", "Bumpers").stdout.splitlines()[-3:] == [
        "next:",
        "  1 unclassified: `asset assign --collection shows --unclassified …`",
        "  1 excluded: `collection exclude list shows` says what is always left out",
    ]
    (shows / "xyzzy.mkv").unlink()
    assert "next:" not in run("ingest", shows).stdout


def test_a_replaced_file_is_read_again_unless_none_is_and_the_report_says_which_approval_went(run: Run, ingested: Path) -> None:
    with Catalog("catalog.db") as catalog, catalog.session() as db:
        db.execute("UPDATE asset SET duration_ms = 60000, state = 'ready', approved = 1")
    film = ingested / "Movies" / "Tron (1982).mkv"
    film.write_bytes(b"another cut of it")

    left = json.loads(run("ingest", ingested, "--refresh", "none", "--json").stdout)
    tried = run("ingest", ingested, "--dry-run").stdout
    of_source = run("source", "ingest", "filesystem", "--dry-run").stdout
    done = json.loads(run("ingest", ingested, "--json").stdout)

    assert (left["changed"], left["refreshed"], left["approvals_withdrawn"]) == (1, 0, 0)
    assert (done["changed"], done["refreshed"], done["approvals_withdrawn"]) == (0, 1, 1)
    (lost,) = done["withdrawals"]
    assert (lost["path"], lost["reason"]) == (
        str(film),
        "its size (bytes) changed: 5 → 17; its length (ms) changed: 60000 → unknown",
    )
    for report in (tried, of_source):
        assert f"{film}: {lost['reason']}" in report.splitlines()
    assert ["approvals", "withdrawn", "1"] in [line.split() for line in tried.splitlines()]


def test_real_media_comes_in_with_its_length(command: Command, tmp_path: Path) -> None:
    folder = make_files(tmp_path / "media", ["Movies/unused.txt"])
    film = folder / "Movies" / "Tron (1982).mkv"
    picture = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=5:duration=1", "-c:v", "mpeg4"]
    subprocess.run(["ffmpeg", "-v", "error", *picture, film], check=True, stdin=subprocess.DEVNULL)

    ingested = command("ingest", folder)
    shown = json.loads(command("asset", "show", film, "--json").stdout)

    assert "0:00:01" in ingested.stdout
    assert (shown["state"], shown["width"], shown["metadata"]["filename"]["rule"]) == ("ready", 64, "movie_year")


def test_the_same_folder_is_the_same_collection_however_it_is_spelt(run: Run, ingested: Path, here: Path) -> None:
    os.symlink(ingested / "Movies", here / "link")

    for spelling in (os.path.relpath(ingested), f"{ingested}/", "link/.."):
        again = json.loads(run("ingest", spelling, "--json").stdout)
        assert (again["collection"]["name"], again["unchanged"]) == ("shows", 6)


def test_folders_of_the_same_name_become_collections_that_can_be_told_apart(run: Run, ingested: Path, tmp_path: Path) -> None:
    other = make_files(tmp_path / "disk2" / "Shows", ["Tron (1982).mkv"])
    third = make_files(tmp_path / "b" / "disk2" / "shows", ["Tron (1982).mkv"])

    for folder in (other, third):
        assert run("ingest", folder, "--no-probe").exit_code == 0

    with Catalog("catalog.db", read_only=True) as catalog:
        assert [each.name for each in catalog.collections()] == ["Shows (disk2)", "shows", f"shows ({third.parent})"]
        assert [source.name for source in catalog.sources()] == ["filesystem"]


def test_a_second_run_finds_everything_unchanged_and_touches_no_row(run: Run, ingested: Path) -> None:
    before = snapshot("catalog.db", journal=False)

    result = json.loads(run("ingest", ingested, "--json").stdout)

    assert (result["unchanged"], result["discovered"]) == (6, 6)
    assert snapshot("catalog.db", journal=False) == before


@pytest.mark.parametrize("has_catalogue", [False, True])
def test_a_dry_run_of_a_new_folder_leaves_no_trace_and_reports_what_the_real_run_does(
    run: Run, here: Path, shows: Path, tmp_path: Path, has_catalogue: bool
) -> None:
    if has_catalogue:
        run("ingest", make_files(tmp_path / "films", ["Movies/Tron (1982).mkv"]), "--no-probe")
    before = snapshot("catalog.db") if has_catalogue else listing(here)

    rehearsed = run("ingest", shows, "--no-probe", "--dry-run", "--json")

    assert (snapshot("catalog.db") if has_catalogue else listing(here)) == before
    real = run("ingest", shows, "--no-probe", "--json")
    assert facts(rehearsed.stdout) == facts(real.stdout)
    assert json.loads(rehearsed.stdout)["dry_run"] is True
    assert json.loads(rehearsed.stdout)["unit_id"] is None
    assert facts(real.stdout)["created_entities"]["title"] == (1 if has_catalogue else 2)


def test_a_dry_run_of_a_known_folder_changes_no_row_and_shows_what_would_come_in(run: Run, ingested: Path) -> None:
    make_files(ingested, ["Movies/Alien (1979).mkv"])
    (ingested / "xyzzy.mkv").unlink()
    before = snapshot("catalog.db")

    shown = run("ingest", ingested, "--dry-run")
    rehearsed = run("collection", "ingest", "shows", "--dry-run", "--json")

    assert snapshot("catalog.db") == before
    assert "Alien (1979)" in shown.stdout
    assert facts(rehearsed.stdout) == facts(run("collection", "ingest", "shows", "--json").stdout)


def test_missing_files_are_named(run: Run, ingested: Path) -> None:
    (ingested / "xyzzy.mkv").unlink()

    result = run("ingest", ingested)

    assert f"{ingested}/xyzzy.mkv" in result.stdout
    assert "missing" in run("asset", "list", "--missing").stdout
    assert json.loads(run("asset", "list", "--missing", "--json").stdout)[0]["canonical_key"].endswith("xyzzy.mkv")


def test_excluded_files_and_filters_reach_the_ingest(run: Run, shows: Path) -> None:
    excluded = json.loads(run("ingest", shows, "--no-probe", "--exclude", "xyz*", "--exclude", "Bumpers", "--json").stdout)
    filtered = json.loads(
        run("ingest", shows, "--title", "space 1999", "--season", 1, "--episode", 2, "--refresh", "all", "--json").stdout
    )

    of_year = run("ingest", shows, "--title", "Tron", "--year", "1982", "--refresh", "all", "--json")
    assert json.loads(of_year.stdout)["refreshed"] == 1
    assert run("ingest", shows, "--year", "1982").stderr == "error: a year needs a title: say --title too\n"
    assert excluded["created"] == 4
    assert filtered["refreshed"] == 1


def test_one_folder_is_ingested_wherever_one_stands(run: Run, shows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETROVUE_CATALOG", str(shows.parent / "catalog.db"))
    first = json.loads(run("ingest", shows, "--no-probe", "--under", shows / "Space 1999", "--json").stdout)
    monkeypatch.chdir(shows / "Movies")
    second = json.loads(run("collection", "ingest", "shows", "--under", ".", "--json").stdout)
    third = json.loads(run("source", "ingest", "filesystem", "--under", "../Bumpers", "--json").stdout)

    assert (first["created"], first["under"]) == (3, str(shows / "Space 1999"))
    assert (second["created"], second["under"]) == (1, str(shows / "Movies"))
    assert [(each["created"], each["under"]) for each in third["results"]] == [(1, str(shows / "Bumpers"))]
    assert f"collection shows, below {shows}/Bumpers, " in run("ingest", shows, "--under", "../Bumpers").stdout


@pytest.mark.parametrize(("folder", "code"), [("", 1), ("..", 1), ("Nothing", 3), ("xyzzy.mkv", 3)])
def test_a_folder_that_cannot_be_meant_is_refused(run: Run, ingested: Path, folder: str, code: int) -> None:
    result = run("ingest", ingested, "--under", folder and ingested / folder)

    assert result.exit_code == code
    assert repr(str(ingested.parent if folder == ".." else folder)).strip("'") in result.stderr


def test_strict_names_name_the_files_that_tell_nothing(run: Run, shows: Path) -> None:
    result = run("ingest", shows, "--no-probe", "--strict-names")

    assert result.exit_code == 1
    assert "xyzzy.mkv" in result.stderr


def test_an_emptied_folder_is_refused_unless_it_was_emptied_on_purpose(run: Run, ingested: Path) -> None:
    shutil.rmtree(ingested)
    ingested.mkdir()

    refused = run("ingest", ingested)
    believed = json.loads(run("ingest", ingested, "--allow-empty", "--json").stdout)

    assert refused.exit_code == 3
    assert "--allow-empty" in refused.stderr
    assert believed["missing"] == 6


@pytest.mark.parametrize(
    "command",
    [["collection", "ingest", "shows"], ["collection", "rebuild", "shows", "--force"], ["source", "ingest", "filesystem"]],
    ids=" ".join,
)
def test_more_missing_files_than_the_operator_allows_are_refused(run: Run, ingested: Path, command: list[str]) -> None:
    (ingested / "xyzzy.mkv").unlink()

    refused = run(*command, "--max-missing", "0.1")
    done = run(*command, "--max-missing", "0.2")

    assert (refused.exit_code != 0, done.exit_code) == (True, 0)
    assert "names 5 of the 6 files" in refused.stderr
    assert "--max-missing" in refused.stderr


@pytest.mark.parametrize("name", ["nowhere", "file", "folder/of/nothing"])
def test_what_is_no_folder_is_refused_before_a_catalogue_is_made(run: Run, here: Path, name: str) -> None:
    (here / "file").write_text("not a folder")
    before = listing(here)

    result = run("ingest", name)

    assert result.exit_code == 3
    assert name in result.stderr
    assert listing(here) == before


def test_filters_that_make_no_sense_are_refused_before_a_catalogue_is_made(run: Run, here: Path, shows: Path) -> None:
    result = run("ingest", shows, "--season", 1)

    assert result.exit_code == 1
    assert "a season needs a title" in result.stderr
    assert listing(here) == set()


def test_a_broken_file_is_named_on_standard_error_and_the_others_come_in(run: Run, shows: Path) -> None:
    with (shows / "Tron (1982).mkv").open("ab") as file:
        file.write(b"no film")

    result = run("ingest", shows, "--json")

    assert result.exit_code == 0
    assert "Tron (1982).mkv' (" in result.stderr
    assert {each["severity"] for found in json.loads(result.stdout)["findings"].values() for each in found} == {"broken"}
    assert {each["state"] for each in json.loads(run("asset", "list", "--broken", "--json").stdout)} == {"new"}
    assert "file is broken" in run("asset", "explain", shows / "Tron (1982).mkv").stdout
    assert run("collection", "rebuild", "shows", "--force", "--json").stderr == result.stderr


def test_a_broken_file_is_refused_where_the_user_is_strict(run: Run, shows: Path) -> None:
    result = run("ingest", shows, "--strict")

    assert result.exit_code == 1
    assert "Tron (1982).mkv" in result.stderr
    assert "Traceback" not in result.output
    assert json.loads(run("asset", "list", "--json").stdout) == []


def test_the_catalogue_is_named_by_option_or_environment(run: Run, command: Command, here: Path, shows: Path) -> None:
    run("ingest", shows, "--no-probe", "--catalog", "mine.db")

    listed = command("title", "list", "--json", RETROVUE_CATALOG=str(here / "mine.db"))

    assert {each["name"] for each in json.loads(listed.stdout)} == {"Space 1999", "Tron"}
    assert not (here / "catalog.db").exists()


def test_names_are_printed_as_they_are_and_cannot_command_the_terminal(run: Run, tmp_path: Path) -> None:
    names = ["Movies/[red]Tron[/red] (1982).mkv", "b\x1b[31mad\nname [bold].mkv", "\u202egnorw.mkv"]
    folder = make_files(tmp_path / "[link]odd", names)

    shown = run("ingest", folder, "--no-probe")
    listed = run("asset", "list")

    for printed in (shown.stdout, listed.stdout):
        assert "\x1b" not in printed
        assert "\u202e" not in printed
        assert r"b\x1b[31mad\nname [bold].mkv" in printed
        assert r"\u202egnorw.mkv" in printed
    assert "[red]Tron[/red] (1982).mkv" in listed.stdout
    assert "collection [link]odd" in shown.stdout


def test_a_source_of_another_name_is_left_alone(run: Run, shows: Path) -> None:
    run("source", "add", "attic")

    run("ingest", shows, "--no-probe")

    assert [source["name"] for source in json.loads(run("source", "list", "--json").stdout)] == ["attic", "filesystem"]


def test_of_many_movies_the_first_are_named(run: Run, tmp_path: Path) -> None:
    folder = make_files(tmp_path / "movies", [f"Movie {number} (1982).mkv" for number in range(53)])

    assert "and 3 more: see `asset list --kind movie`" in run("ingest", folder, "--no-probe").stdout


def test_a_source_can_be_ingested_to_try(run: Run, ingested: Path) -> None:
    (ingested / "new.mkv").write_bytes(b"media")
    before = snapshot("catalog.db")

    tried = run("source", "ingest", "filesystem", "--dry-run")

    assert "dry run, nothing was kept" in tried.stdout
    assert snapshot("catalog.db") == before


def test_what_is_warned_of_several_files_is_said_once_above_them(run: Run, tmp_path: Path) -> None:
    names = [f"Orbit Nine/Orbit Nine - {number:02}.mkv" for number in range(1, 5)]
    folder = make_files(tmp_path / "rows", ["Tron (1982).mkv", *names])
    (folder / "Tron (1982).nfo").write_text("<movie><title>Tron</title><year>1982</year></movie>\x07")

    lines = run("ingest", folder, "--no-probe").stdout.splitlines()

    begin = lines.index("warnings, which keep nothing off the air:")
    of_files, of_nfo = sorted([begin + 1, begin + 6], key=lambda at: "NFO" in lines[at])
    assert lines[of_nfo].startswith(f"- NFO file '{folder}/Tron (1982).nfo' holds NULs or other characters")
    assert lines[of_files].startswith("- this file is taken for what the numbers of its whole folder say: ")
    assert lines[of_files + 1 : of_files + 5] == [f"{folder}/{name}" for name in names]


def test_what_is_not_there_is_shown_with_the_mapping_to_check(
    catalog: Catalog, collection: Collection, importer: FakeImporter, media: Path
) -> None:
    importer.drafts = [draft("there.mkv"), draft("Ghost.mkv", size=None)]

    printed = [
        *ingest_page(catalog.ingest_collection("Shows"), ()).lines(False),
        *source_page(catalog.ingest_source("station"), {}).lines(False),
    ]

    assert printed.count(f"named by the source, but not there: check the mapping '/media' to {str(media)!r} and its disk") == 2
    assert printed.count("/media/Ghost.mkv") == 2
    assert any(line.split() == ["unreachable", "1"] for line in printed)


def test_what_was_left_out_is_counted_and_named_where_asked(run: Run, shows: Path) -> None:
    make_files(shows, [".DS_Store", "a.mkv.part", "\x1b[31m.iso", "Movies/poster.jpg"])

    brief, verbose = run("ingest", shows, "--no-probe"), run("ingest", shows, "--verbose")
    brief_json = json.loads(run("ingest", shows, "--json").stdout)
    verbose_json = json.loads(run("ingest", shows, "--json", "--verbose").stdout)

    assert "left out: 1 hidden or the system's own, 1 half downloaded, 1 of an unknown extension" in brief.stdout
    assert "a.mkv.part" not in brief.stdout
    assert f"{shows}/a.mkv.part" in verbose.stdout
    assert "poster.jpg" not in verbose.stdout
    assert "\x1b" not in verbose.stdout
    assert brief_json["left_out"] == verbose_json["left_out"] == {"hidden": 1, "partial": 1, "unknown_extension": 1}
    assert brief_json["left_out_paths"] == {}
    assert verbose_json["left_out_paths"]["partial"] == [f"{shows}/a.mkv.part"]


def test_every_file_that_was_left_out_is_named_where_asked_also_of_a_whole_source(run: Run, ingested: Path) -> None:
    make_files(ingested, [f"{number}.iso" for number in range(60)])

    brief, verbose = run("source", "ingest", "filesystem"), run("source", "ingest", "filesystem", "--verbose")

    assert "left out: 60 of an unknown extension" in brief.stdout
    assert verbose.stdout.count(".iso") == 60


def test_a_file_that_is_no_asset_is_explained_and_not_shown(run: Run, ingested: Path) -> None:
    make_files(ingested, ["new.mkv"])

    explained = run("asset", "explain", ingested / "new.mkv")
    shown = run("asset", "show", ingested / "new.mkv")

    assert explained.exit_code == 0
    assert "run `retrovue-uow collection ingest shows`" in explained.stdout
    assert json.loads(run("asset", "explain", ingested / "new.mkv", "--json").stdout)["asset"] is None
    assert shown.exit_code == 1
    assert "is no asset: no ingest of collection 'shows' has met it yet" in shown.stderr
    assert run("asset", "explain", "nothing").exit_code == 1


def test_of_ten_thousand_broken_files_twenty_are_named_and_json_has_all(
    run: Run, here: Path, shows: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = here / "ffprobe"
    probe.write_text("""#!/bin/sh\necho '{"format": {"duration": "60.0"}, "streams": [{"codec_type": "video"}]}'\n""")
    probe.chmod(0o755)
    monkeypatch.setenv("RETROVUE_FFPROBE", str(probe))
    for number in range(10_000):
        (shows / f"Empty Reel {number} (1938).mkv").touch()

    result = run("ingest", shows, "--json")

    assert result.exit_code == 0
    told = json.loads(result.stdout)
    assert (told["broken"], len(told["findings"]), len(told["paths"]["broken"])) == (10_000, 10_000, 10_000)
    heading, *named = result.stderr.splitlines()
    assert heading == "note: 10000 broken files, kept as new and never scheduled:"
    assert len([line for line in named if "is empty: replace it or exclude it" in line]) == 20
    assert named[20:] == ["  and 9980 more"]
