"""`history`, `undo`, `collection rebuild` and `collection forget-missing`: looking back, and taking back."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path

import pytest
from commandline import Ask, Run

from retrovue_uow import AssetDraft, Catalog, Collection
from retrovue_uow.cli.command import agreed
from retrovue_uow.cli.ingesting import rebuild
from retrovue_uow.store import recorder
from retrovue_uow.testing import FakeEnricher, snapshot


def units() -> list[str]:
    """Identifiers of the units in the journal, the newest first."""
    return [str(row[0]) for row in snapshot("catalog.db")["unit_of_work"]][::-1]


def test_history_lists_the_newest_first_in_words(run: Run, ingested: Path) -> None:
    lines = run("history").stdout.splitlines()

    assert lines[0].split() == ["when", "unit", "undo", "rows", "what"]
    assert "collection ingest shows" in lines[2]
    assert "possible" in lines[2]
    assert units()[0] in lines[2]
    assert "  source add filesystem; collection add shows; enricher attach shows filename, nfo, ffprobe; enricher d" in lines[3]
    assert [line.split() for line in run("history", "--limit", "1").stdout.splitlines()[2:]] == [lines[2].split()]


def test_history_is_json_on_demand(run: Run, ingested: Path) -> None:
    told = json.loads(run("history", "--json").stdout)

    assert [unit["id"] for unit in told] == units()
    assert told[0]["operations"][0]["result"]["created"] == 6


def test_history_of_a_new_catalogue_says_so(run: Run) -> None:
    run("source", "add", "disk")
    assert run("undo", "--force").exit_code == 0

    assert "unit undo" in run("history").stdout
    assert run("undo", "--force").exit_code == 1


def test_what_was_done_since_a_unit_is_listed_the_oldest_first(run: Run, ingested: Path) -> None:
    (last, *_) = units()
    for name in range(25):
        run("source", "add", f"source {name}")

    told = json.loads(run("history", "--since", last, "--json").stdout)
    listed = [line.split()[3] for line in run("history", "--since", last).stdout.splitlines()[2:]]

    assert [unit["id"] for unit in told] == listed == units()[24::-1]
    assert len(run("history").stdout.splitlines()) == 2 + 20
    assert [unit["id"] for unit in json.loads(run("history", "--since", last, "-n", "2", "--json").stdout)] == listed[:2]
    assert json.loads(run("history", "--since", listed[-1], "--json").stdout) == []
    assert run("history", "--since", listed[-1]).stdout == "nothing was done since\n"


def test_a_unit_is_shown_with_its_operations_and_rows(run: Run, ingested: Path) -> None:
    shown = run("history", "show", units()[0], "--verbose").stdout

    assert "collection_ingest" in shown
    assert "created=6" in shown
    assert f"+ asset {snapshot('catalog.db')['asset'][0][0]}" in shown
    assert "Tron" in shown
    told = json.loads(run("history", "show", units()[0], "--json").stdout)
    assert told["changes"]["counts"]["asset"] == {"insert": 6}
    assert told["changes"]["rows"] == []
    told = json.loads(run("history", "show", units()[0], "--json", "--verbose").stdout)
    assert len([row for row in told["changes"]["rows"] if row["table"] == "asset"]) == 6


def test_an_unknown_unit_is_one_sentence(run: Run, ingested: Path) -> None:
    for command in (("history", "show", "nothing"), ("history", "--since", "nothing"), ("undo", "nothing", "--force")):
        result = run(*command)

        assert result.exit_code == 1
        assert "there is no unit 'nothing'" in result.stderr


def test_undo_takes_back_the_last_unit_after_a_typed_yes(asked: Ask, run: Run, ingested: Path) -> None:
    before = snapshot("catalog.db", journal=False)
    assert run("collection", "wipe", "shows", "--force").exit_code == 0

    result = asked("undo", typed="yes\n")

    assert result.returncode == 0, result.stderr
    assert "asset 6" in [" ".join(line.split()) for line in result.stderr.splitlines()]
    assert "undone by unit" in result.stdout
    assert snapshot("catalog.db", journal=False) == before


@pytest.mark.parametrize("typed", ["no\n", "y\n", "\n"])
def test_undo_without_a_yes_does_nothing(asked: Ask, ingested: Path, typed: str) -> None:
    before = snapshot("catalog.db")

    result = asked("undo", typed=typed)

    assert (result.returncode, result.stdout) == (0, "cancelled\n")
    assert snapshot("catalog.db") == before


def test_undo_without_a_terminal_says_what_to_do(run: Run, ingested: Path) -> None:
    before = snapshot("catalog.db")

    result = run("undo")

    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert snapshot("catalog.db") == before


def test_undone_again_and_again_it_goes_back_step_by_step(run: Run, ingested: Path) -> None:
    after_ingest = snapshot("catalog.db", journal=False)
    run("collection", "wipe", "shows", "--force")
    run("collection", "disable", "shows")

    for _ in range(2):
        assert run("undo", "--force").exit_code == 0

    assert snapshot("catalog.db", journal=False) == after_ingest
    assert run("undo", "--force").exit_code == 0
    assert snapshot("catalog.db")["asset"] == []
    assert [line.split()[4] for line in run("history").stdout.splitlines()[2:]].count("undone") == 3


def test_a_dry_undo_shows_the_rows_and_keeps_nothing(run: Run, ingested: Path) -> None:
    run("collection", "wipe", "shows", "--force")
    before = snapshot("catalog.db")

    result = run("undo", "--dry-run", "--verbose")

    assert result.exit_code == 0
    assert "would be undone" in result.stdout
    assert len([line for line in result.stdout.splitlines() if line.startswith("+ asset ")]) == 6
    assert snapshot("catalog.db") == before


def test_a_dry_run_is_followed_by_what_it_would_change(run: Run, ingested: Path) -> None:
    (ingested / "Movies" / "Alien (1979).mkv").write_bytes(b"media")

    result = run("ingest", ingested, "--dry-run", "--verbose")

    table = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "asset 1" in table
    assert any(line.startswith("+ title") and line.endswith("Alien") for line in table)
    assert "changes" not in run("ingest", ingested).stdout


def test_a_rebuild_is_one_unit_that_one_undo_takes_back(run: Run, ingested: Path) -> None:
    before = snapshot("catalog.db", journal=False)

    result = run("collection", "rebuild", "shows", "--force", "--json")

    told = json.loads(result.stdout)
    assert (told["wiped"]["deleted"]["asset"], told["ingested"]["created"]) == (6, 6)
    assert told["wiped"]["unit_id"] == told["ingested"]["unit_id"] == units()[0]
    assert {row[0] for row in snapshot("catalog.db")["asset"]}.isdisjoint(row[0] for row in before["asset"])
    assert run("undo", "--force").exit_code == 0
    assert snapshot("catalog.db", journal=False) == before


def test_a_rebuild_tells_how_long_all_of_it_took(catalog: Catalog, collection: Collection, enricher: FakeEnricher) -> None:
    def slowly(found: AssetDraft) -> AssetDraft:
        time.sleep(0.2)
        return found

    enricher.returns = slowly

    rebuilt = rebuild(catalog, collection.id, {"refresh": None}, partial(agreed, force=True, dry_run=False))

    assert rebuilt is not None
    assert isinstance(rebuilt.document, dict)
    assert rebuilt.document["ingested"].duration_s > 0.2


def test_a_dry_rebuild_keeps_nothing(run: Run, ingested: Path) -> None:
    before = snapshot("catalog.db")

    result = run("collection", "rebuild", "shows", "--dry-run")

    assert result.exit_code == 0
    assert "would delete" in result.stdout
    assert "created" in result.stdout
    assert snapshot("catalog.db") == before


def test_a_rebuild_asks_and_a_no_does_nothing(asked: Ask, ingested: Path) -> None:
    before = snapshot("catalog.db")

    result = asked("collection", "rebuild", "shows", typed="no\n")

    assert "deletes its 6 assets and ingests it anew" in result.stderr
    assert (result.returncode, result.stdout) == (0, "cancelled\n")
    assert snapshot("catalog.db") == before


def test_an_emptied_folder_is_not_rebuilt(run: Run, ingested: Path) -> None:
    before = snapshot("catalog.db")
    ingested.rename(ingested.with_name("unmounted"))
    ingested.mkdir()

    result = run("collection", "rebuild", "shows", "--force")

    assert result.exit_code == 3
    assert "is its disk mounted?" in result.stderr
    assert snapshot("catalog.db") == before


def test_missing_files_are_forgotten_on_demand(asked: Ask, run: Run, ingested: Path) -> None:
    (ingested / "xyzzy.mkv").unlink()
    run("ingest", ingested)

    preview = run("collection", "forget-missing", "shows", "--dry-run", "--max-fraction", "0.2")
    assert "1 missing asset of" in preview.stdout
    assert "xyzzy.mkv" in preview.stdout
    assert run("collection", "forget-missing", "shows", "--force").exit_code == 1

    result = asked("collection", "forget-missing", "shows", "--max-fraction", "0.2", typed="yes\n")

    assert result.returncode == 0, result.stderr
    assert len(snapshot("catalog.db")["asset"]) == 5


def test_an_age_is_kept_to(run: Run, ingested: Path) -> None:
    (ingested / "xyzzy.mkv").unlink()
    run("ingest", ingested)

    result = run("collection", "forget-missing", "shows", "--older-than", "90d", "--force", "--json")

    told = json.loads(result.stdout)
    assert (told["forgotten"], told["kept"]) == (0, 1)


@pytest.mark.parametrize("age", ["", "d", "90", "90y", "-1d", "1.5d", "٣d", "9999999d"])
def test_an_age_that_is_none_is_one_sentence(run: Run, ingested: Path, age: str) -> None:
    result = run("collection", "forget-missing", "shows", "--older-than", age, "--force")

    assert result.exit_code == 1
    assert "write it like 90d" in result.stderr


def test_a_collection_tells_its_last_ingest(run: Run, ingested: Path) -> None:
    run("collection", "add", "filesystem", "empty")

    assert "discovered 6, created 6" in run("collection", "show", "shows").stdout
    assert "never" in run("collection", "show", "empty").stdout
    assert json.loads(run("collection", "show", "shows", "--json").stdout)["last_ingest"]["id"] == units()[1]
    run("undo", units()[1], "--force")
    assert "undone since" in run("collection", "show", "shows").stdout


def test_a_unit_whose_rows_are_not_recorded_is_listed_and_shown_without_them(
    run: Run, ingested: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "HAS_SESSIONS", False)
    run("collection", "disable", "shows")

    line = run("history", "--limit", "1").stdout.splitlines()[2]
    shown = run("history", "show", units()[0])

    assert " ? " in line
    assert "possible" not in line
    assert shown.exit_code == 0
    assert "collection_disable" in shown.stdout


def test_where_nothing_would_change_it_says_so(run: Run, ingested: Path) -> None:
    run("collection", "wipe", "shows", "--force")

    assert "no row changes" in run("collection", "wipe", "shows", "--dry-run").stdout
