"""Curation on the command line: one way to select assets, previewed, agreed to, done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import Ask, Run

from retrovue_uow.testing import snapshot


@pytest.fixture
def ready(run: Run, ingested: Path) -> Path:
    """The folder, ingested, with every asset ready."""
    from retrovue_uow import Catalog

    with Catalog("catalog.db") as catalog, catalog.session() as db:
        db.execute("UPDATE asset SET duration_ms = 60000, state = 'ready'")
    return ingested


def listed(run: Run, *options: str) -> list[str]:
    """Names of the files that `asset list` finds."""
    return [Path(asset["file_path"]).name for asset in json.loads(run("asset", "list", *options, "--json").stdout)]


def test_assets_are_listed_by_what_they_are(run: Run, ready: Path) -> None:
    assert listed(run, "--unclassified") == ["xyzzy.mkv"]
    assert listed(run, "shows", "--title", "space 1999", "--season", "1", "--episode", "2") == ["Space 1999 S01E02.mkv"]
    assert listed(run, "--path", "Movies/*") == ["Tron (1982).mkv"]
    assert listed(run, "--title", "tron", "--year", "1982") == listed(run, "--title", "Tron (1982)") == ["Tron (1982).mkv"]
    assert listed(run, "--approved") == []
    assert len(listed(run, "--unapproved", "--present", "--state", "ready")) == 6


def test_assets_are_approved_by_selector_after_a_typed_yes(asked: Ask, run: Run, ready: Path) -> None:
    result = asked("asset", "approve", "--title", "Space 1999", typed="yes\n")

    assert result.returncode == 0, result.stderr
    assert "approving changes 3 of 3 selected" in result.stderr
    assert "3 of 3 assets approved\n" in result.stdout
    assert len(listed(run, "--approved")) == 3


def test_a_no_approves_nothing(asked: Ask, ready: Path) -> None:
    before = snapshot("catalog.db")

    result = asked("asset", "approve", "--title", "Space 1999", typed="no\n")

    assert (result.returncode, result.stdout) == (0, "cancelled\n")
    assert snapshot("catalog.db") == before


def test_whoever_knows_the_number_is_not_asked(run: Run, ready: Path) -> None:
    before = snapshot("catalog.db")
    wrong = run("asset", "approve", "--collection", "shows", "--expect-assets", "5")
    assert wrong.exit_code == 1
    assert "6 assets are selected, not the expected 5" in wrong.stderr
    assert snapshot("catalog.db") == before

    right = run("asset", "approve", "--collection", "shows", "--expect-assets", "6", "--json")

    assert json.loads(right.stdout)["changed"] == 6


def test_an_asset_is_named_by_its_file(run: Run, ready: Path) -> None:
    file = str(ready / "Movies" / "Tron (1982).mkv")

    assert run("asset", "approve", file, "--force").exit_code == 0
    assert listed(run, "--approved") == ["Tron (1982).mkv"]
    assert run("asset", "withdraw", file, "--force").exit_code == 0
    assert "1 of 1 asset retired\n" in run("asset", "retire", file, "--force").stdout
    assert listed(run, "--state", "retired") == ["Tron (1982).mkv"]
    assert run("asset", "reinstate", file, "--force").exit_code == 0
    assert listed(run, "--state", "retired") == []


def test_whoever_retires_or_undoes_is_told_what_had_been_approved(run: Run, ready: Path) -> None:
    file = str(ready / "Movies" / "Tron (1982).mkv")
    run("asset", "approve", file, "--force")
    undone = run("undo", "--force").stdout
    run("asset", "approve", file, "--force")

    retired = run("asset", "retire", file, "--force").stdout

    assert f"no longer approved:\n{file}: what approved it is undone\n" in undone
    assert "1 of 1 asset retired, 1 had been approved\n" in retired


@pytest.mark.parametrize("arguments", [(), ("a.mkv", "--title", "Tron"), ("nowhere.mkv",), ("--title", "Nothing")], ids=str)
def test_a_selection_that_is_none_is_one_sentence(run: Run, ready: Path, arguments: tuple[str, ...]) -> None:
    before = snapshot("catalog.db")

    result = run("asset", "retire", *arguments, "--force")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert snapshot("catalog.db") == before


def test_what_is_not_ready_is_listed_with_its_reason(run: Run, ingested: Path) -> None:
    result = run("asset", "approve", "--collection", "shows", "--force")

    assert result.exit_code == 1
    assert result.stderr.count("its length is not known") == 6


def test_a_dry_run_shows_the_change_and_keeps_nothing(run: Run, ready: Path) -> None:
    before = snapshot("catalog.db")

    result = run("asset", "approve", "--title", "Tron", "--dry-run", "--verbose")

    assert "1 of 1 asset would be approved\n" in result.stdout
    assert "approved: 0 -> 1" in result.stdout
    assert snapshot("catalog.db") == before


def test_a_file_is_assigned_and_stays_so(run: Run, ready: Path) -> None:
    result = run(
        *("asset", "assign", "--unclassified", "--to-kind", "episode", "--to-title", "Dark", "--to-season", "1"),
        *("--to-episode", "3", "--to-episode", "4", "--to-episode-title", "Past and Present", "--expect-assets", "1"),
    )

    assert result.exit_code == 0, result.stderr
    run("ingest", ready, "--refresh", "all")
    (found,) = json.loads(run("asset", "list", "--title", "Dark", "--json").stdout)
    assert (found["season_number"], found["episode_numbers"], found["episode_title"]) == (1, [3, 4], "Past and Present")


@pytest.fixture
def tapes(run: Run, ready: Path) -> Path:
    """The folder, with two tapes more, whose names count the episodes of a show from its first season on."""
    for name in ("Astro Boy - 101 - The Birth.mkv", "Astro Boy - 102 - The Robot [480p].mkv"):
        (ready / "Tapes").mkdir(exist_ok=True)
        (ready / "Tapes" / name).write_bytes(name.encode())
    assert run("ingest", ready).exit_code == 0
    return ready


FROM_NAME = (
    *("asset", "assign", "--path", "Tapes/*", "--from-name", "Astro Boy - {episode} - {episode_title}"),
    *("--to-kind", "episode", "--to-title", "Astro Boy (1963)", "--to-season", "1"),
)
BECOMES = [
    "Astro Boy - 101 - The Birth.mkv episode Astro Boy (1963) S01E101 The Birth",
    "Astro Boy - 102 - The Robot [480p].mkv episode Astro Boy (1963) S01E102 The Robot",
]


def becoming(output: str) -> list[str]:
    """The rows of the table that says what files become."""
    return [" ".join(line.split()) for line in output.splitlines() if line.startswith("Astro Boy")]


def test_files_are_assigned_by_their_names_after_a_typed_yes_to_what_they_become(
    asked: Ask, run: Run, tapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    before = snapshot("catalog.db")
    tried = run(*FROM_NAME, "--dry-run")
    assert "2 of 2 assets would be assigned" in tried.stdout
    assert becoming(tried.stdout) == BECOMES
    assert snapshot("catalog.db") == before

    result = asked(*FROM_NAME, typed="yes\n")

    assert result.returncode == 0, result.stderr
    assert becoming(result.stderr) == becoming(result.stdout) == BECOMES
    found = json.loads(run("asset", "list", "--title", "Astro Boy", "--json").stdout)
    assert [(each["season_number"], each["episode_numbers"], each["episode_title"]) for each in found] == [
        (1, [101], "The Birth"),
        (1, [102], "The Robot"),
    ]
    told = json.loads(run(*FROM_NAME, "--expect-assets", "2", "--json").stdout)
    assert (told["changed"], told["unchanged"]) == (0, 2)
    assert [each["title"] for each in told["assets"]] == ["Astro Boy", "Astro Boy"]


def test_names_that_a_pattern_does_not_fit_are_listed_and_nothing_is_assigned(run: Run, tapes: Path) -> None:
    before = snapshot("catalog.db")

    for options in (("--dry-run",), ("--force",), ()):
        result = run("asset", "assign", "--collection", "shows", "--from-name", "Astro Boy - {episode} - {*}", *options)

        assert result.exit_code == 1
        assert "6 of 8 names, without folder and ending, do not fit the pattern" in result.stderr
        assert "  'Tron (1982)'\n" in result.stderr
        assert snapshot("catalog.db") == before


def test_what_is_said_of_one_file_is_not_said_beside_a_pattern(run: Run, tapes: Path) -> None:
    for options in (("--to-episode", "3"), ("--to-episode-title", "The Birth")):
        result = run(*FROM_NAME, *options, "--force")

        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        assert "{episode_title} in the pattern" in result.stderr


def test_an_asset_is_explained_in_sentences(run: Run, ready: Path) -> None:
    file = str(ready / "xyzzy.mkv")

    shown = run("asset", "explain", file).stdout

    assert "it is not approved: approve it" in shown
    assert "created by collection_ingest" in shown
    told = json.loads(run("asset", "explain", file, "--json").stdout)
    assert told["reasons"] == ["it is not approved: approve it"]
    run("asset", "approve", file, "--force")
    assert "it is ready, approved and there" in run("asset", "explain", file).stdout


def test_one_of_the_files_that_show_the_same_is_preferred(run: Run, ready: Path) -> None:
    first, second = (str(next(ready.rglob(f"*S01E0{number}.mkv"))) for number in (1, 2))
    run("asset", "assign", second, "--to-episode", "1", "--force")
    run("asset", "approve", first, second, "--force")
    assert len(listed(run, "--versions", "all")) == 2

    for file, other in ((second, first), (first, second)):
        assert "1 of 1 asset preferred\n" in run("asset", "prefer", file, "--force").stdout
        assert listed(run, "shows", "--versions", "best") == [Path(file).name]
        assert "airs: the operator prefers it" in run("asset", "explain", file).stdout
        told = json.loads(run("asset", "explain", other, "--json").stdout)
        assert (told["version_rank"], told["is_schedulable"]) == (2, True)
        assert told["versions"][1].endswith("does not air: the operator prefers the one that airs")
    assert (
        "1 of 2 assets no longer preferred"
        in run("asset", "unprefer", "--title", "Space 1999", "--season", "1", "--episode", "1", "--force").stdout
    )
    assert "the operator" not in run("asset", "explain", first).stdout


def test_titles_are_renamed_and_merged(asked: Ask, run: Run, ready: Path) -> None:
    run("asset", "assign", "--path", "*S01E03.mkv", "--to-title", "Space: 1999", "--force")

    merged = asked("title", "merge", "Space 1999", "--into", "Space: 1999", typed="yes\n")
    renamed = run("title", "rename", "Tron", "--name", "TRON", "--year", "0")

    assert "merged into Space: 1999: 1 season, 3 episodes, 3 files" in merged.stdout
    assert "is called TRON" in renamed.stdout
    told = {title["name"]: title["year"] for title in json.loads(run("title", "list", "--json").stdout)}
    assert told == {"Space: 1999": None, "TRON": None}
    run("ingest", ready, "--refresh", "all")
    assert {title["name"] for title in json.loads(run("title", "list", "--json").stdout)} == set(told)


def test_the_list_shows_what_is_approved_on_wide_and_narrow_terminals(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("asset", "approve", "--title", "Tron", "--force")
    for columns in ("70", "250"):
        monkeypatch.setenv("COLUMNS", columns)

        lines = run("asset", "list").stdout.splitlines()

        assert "approved" in lines[0]
        assert max(len(line) for line in lines) <= int(columns)
        assert [line.split()[:2] for line in lines if "yes" in line.split()] == [["movie", "Tron"]]


def test_a_merge_can_be_tried_first(run: Run, ready: Path) -> None:
    run("asset", "assign", "--path", "*S01E03.mkv", "--to-title", "Space: 1999", "--force")
    before = snapshot("catalog.db")

    tried = run("title", "merge", "Space 1999", "--into", "Space: 1999", "--dry-run")

    assert "merged into Space: 1999: 1 season, 3 episodes, 3 files" in tried.stdout
    assert snapshot("catalog.db") == before
