"""The journal tells what was done, when, by whom, and with what result; check judges it with everything else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import apsw
import attrs
import pytest
from harness import movie

from retrovue_uow import Catalog, Collection, IngestError, ResourceError, ValidationError, WipeOptions
from retrovue_uow.model import RowChange
from retrovue_uow.store import extensions, journal, recorder
from retrovue_uow.testing import FakeImporter, snapshot


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection) -> Catalog:
    catalog.ingest_collection(collection.name)
    return catalog


def test_every_committed_unit_is_told_the_newest_first(stocked: Catalog) -> None:
    stocked.wipe_collection("Shows")

    history = stocked.history()

    names = [[operation.name for operation in unit.operations] for unit in history]
    assert names == [
        ["collection_wipe"],
        ["collection_ingest"],
        ["enricher_attach"],
        ["collection_add"],
        ["source_add"],
    ]
    assert [unit.id for unit in history] == [row[0] for row in snapshot(stocked)["unit_of_work"]][::-1]


def test_a_unit_tells_when_by_whom_and_with_what_result(stocked: Catalog) -> None:
    result = stocked.wipe_collection("Shows", WipeOptions(expect_assets=4))

    (unit,) = stocked.history(1)

    assert (unit.id, unit.pid, unit.library_version) == (result.unit_id, os.getpid(), journal.library_version())
    assert unit.schema_version == len(extensions.own().migrations)
    assert unit.started_at <= unit.committed_at
    assert result.changes is not None
    assert unit.counts == {table: dict(kinds) for table, kinds in result.changes.counts.items()}
    assert unit.can_be_undone
    (operation,) = unit.operations
    assert operation.arguments == {"collection": "Shows", "expect_assets": 4}
    assert isinstance(operation.result, dict)
    assert operation.result["deleted"] == dict(result.deleted)
    assert operation.result["collection"]["name"] == "Shows"


def test_lists_behind_the_counts_stay_out_of_the_journal(stocked: Catalog) -> None:
    (operation,) = stocked.history(1)[0].operations

    assert isinstance(operation.result, dict)
    assert operation.result["created"] == 4
    assert "paths" not in operation.result


def test_changes_are_those_that_the_result_told(stocked: Catalog) -> None:
    result = stocked.wipe_collection("Shows")

    told = stocked.changes(result.unit_id or "")

    assert result.changes == told
    assert list(told.rows) == list(result.changes.rows)
    assert {row.kind for row in told.rows} == {"delete"}


def test_failed_and_refused_attempts_leave_no_unit(stocked: Catalog, importer: FakeImporter) -> None:
    before = stocked.history()
    importer.unreachable = ResourceError("unplugged")

    with pytest.raises(IngestError):
        stocked.ingest_collection("Shows")

    assert stocked.history() == before


def test_the_last_ingest_of_a_collection_is_found_however_it_was_named(stocked: Catalog) -> None:
    assert stocked.last_ingest("shows") == stocked.history(1)[0]
    again = stocked.ingest_collection(stocked.collection("Shows").id)
    stocked.disable_collection("Shows")

    last = stocked.last_ingest("Shows")

    assert last is not None
    assert last.id == again.unit_id
    stocked.add_collection("station", "More")
    assert stocked.last_ingest("More") is None


def test_the_lookups_are_served_by_indexes(stocked: Catalog) -> None:
    plans = [
        "SELECT unit_id FROM operation WHERE name = '' AND json_extract(result, '$.collection.id') = '' ORDER BY id DESC",
        "SELECT unit_id, json_extract(arguments, '$.unit_id') FROM operation WHERE name = '' ORDER BY id",
        "SELECT rowid FROM unit_of_work WHERE changeset IS NOT NULL",
    ]

    steps = [row[3] for plan in plans for row in stocked.database.execute(f"EXPLAIN QUERY PLAN {plan}")]

    assert not [step for step in steps if step.startswith("SCAN") and "INDEX" not in step]


@pytest.mark.parametrize("limit", [-1, 1.5, "all", True])
def test_a_limit_that_makes_no_sense_is_refused(stocked: Catalog, limit: Any) -> None:
    first = stocked.history()[-1].id

    for since in (None, first):
        with pytest.raises(ValidationError, match="limit"):
            stocked.history(limit, since=since)


def test_a_limit_beyond_everything_tells_everything(stocked: Catalog) -> None:
    assert len(stocked.history(10**30)) == len(snapshot(stocked)["unit_of_work"])
    assert stocked.history(0) == []


def test_what_was_done_since_a_unit_is_told_the_oldest_first(stocked: Catalog) -> None:
    everything = stocked.history()[::-1]

    for number, unit in enumerate(everything):
        assert stocked.history(since=unit.id) == everything[number + 1 :]
        assert stocked.history(since=unit.id.upper()) == everything[number + 1 :]
    assert stocked.history(2, since=everything[0].id) == everything[1:3]
    assert stocked.history(0, since=everything[0].id) == []


def test_without_a_limit_fifty_are_told_but_all_of_those_since_a_unit(stocked: Catalog) -> None:
    first = stocked.history(1)[0]
    for number in range(60):
        stocked.add_source(f"source {number}", "fake")

    assert len(stocked.history()) == 50
    assert [unit.operations[0].arguments["name"] for unit in stocked.history(since=first.id)] == [
        f"source {number}" for number in range(60)
    ]


def test_units_since_one_are_in_the_order_of_their_commits_whatever_the_clock_said(
    stocked: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    (last,) = stocked.history(1)
    monkeypatch.setattr(recorder, "new_id", lambda: "00000000-0000-7000-8000-000000000000")
    monkeypatch.setattr(recorder, "utc_now", lambda: "2001-01-01T00:00:00.000000Z")
    stocked.add_source("set back")
    monkeypatch.undo()
    stocked.add_source("on time")

    assert [unit.operations[0].arguments["name"] for unit in stocked.history(since=last.id)] == ["set back", "on time"]


def test_what_was_undone_rolled_back_or_has_expired_is_told_once_or_not_at_all(tmp_path: Path) -> None:
    with Catalog(tmp_path / "few.db", undo_units=1) as catalog:
        catalog.add_source("first")
        (first,) = catalog.history()
        catalog.add_source("undone")
        catalog.undo(catalog.history(1)[0].id)
        catalog.add_source("kept")
        with catalog.session() as db:
            catalog.add_source("rolled back")
            db.set_rollback_only("so says the test")

        since = catalog.history(since=first.id)

        assert [unit.operations[0].name for unit in since] == ["source_add", "unit_undo", "source_add"]
        assert [unit.is_recorded for unit in since] == [False, False, True]
        assert since[0].undone_by == since[1].id


@pytest.mark.parametrize("unit_id", ["", "nothing", 7])
def test_an_unknown_unit_is_refused(stocked: Catalog, unit_id: Any) -> None:
    for read in (stocked.unit, stocked.changes, lambda unit_id: stocked.history(since=unit_id)):
        with pytest.raises(ValidationError, match="there is no unit"):
            read(unit_id)


def test_units_are_told_as_they_were_committed_whatever_the_clock_said(
    stocked: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "new_id", lambda: "00000000-0000-7000-8000-000000000000")

    stocked.add_source("set back")

    assert [operation.name for operation in stocked.history(1)[0].operations] == ["source_add"]
    stocked.undo("00000000-0000-7000-8000-000000000000")


def comparable(rows: Any, catalog: Catalog) -> list[Any]:
    """Rows without what is made anew by every run: identifiers that are not in the catalogue, and times."""
    known = {str(value) for table in snapshot(catalog).tables.values() for row in table.rows for value in row}

    def plain(values: Any) -> Any:
        return None if values is None else {name: _plain(name, value, known) for name, value in values.items()}

    return sorted(
        (repr((row.table, row.kind, plain(row.old), plain(row.new))) for row in rows if isinstance(row, RowChange)),
    )


def _plain(name: str, value: object, known: set[str]) -> object:
    return "…" if name.endswith(("_at", "_since", "id")) and str(value) not in known else value


def test_a_preview_tells_the_rows_that_the_real_run_then_changes(stocked: Catalog, importer: FakeImporter) -> None:
    _, *others = importer.drafts
    importer.drafts = [*others, movie("Alien", 1979)]
    before = snapshot(stocked)
    path = stocked.database.path

    preview = stocked.ingest_collection("Shows", dry_run=True)
    assert snapshot(stocked) == before
    expected = comparable(preview.changes.rows, stocked)  # type: ignore[union-attr]  # it is recorded
    stocked.backup(f"{path}.before")
    real = stocked.ingest_collection("Shows")

    with Catalog(f"{path}.before") as earlier:
        assert comparable(real.changes.rows, earlier) == expected  # type: ignore[union-attr]  # it is recorded
    assert expected


class TestCheck:
    def break_it(self, catalog: Catalog, *statements: str) -> set[tuple[str, str]]:
        """What `check` finds after another program has changed the file: rule and row."""
        assert catalog.check().is_sound
        other = apsw.Connection(catalog.database.path)
        for statement in statements:
            other.execute(statement).fetchall()
        other.close()
        return {(each.rule, each.id) for each in catalog.check().violations}

    @pytest.mark.parametrize(
        ("statement", "found"),
        [
            ("DROP INDEX operation_unit", ("schema", "operation_unit")),
            ("DROP TRIGGER path_mapping_in_use", ("schema", "path_mapping_in_use")),
            ("DROP VIEW season_without_episode", ("schema", "season_without_episode")),
            ("CREATE TRIGGER nosy AFTER INSERT ON asset BEGIN SELECT 1; END", ("schema", "nosy")),
            ("ALTER TABLE marker ADD COLUMN colour TEXT", ("schema", "marker")),
            ("CREATE TABLE note (text TEXT)", ("schema", "note")),
        ],
    )
    def test_a_schema_that_is_not_ours_is_reported(self, stocked: Catalog, statement: str, found: tuple[str, str]) -> None:
        reported = self.break_it(stocked, statement)

        assert found in reported

    def test_an_index_or_view_of_somebody_else_s_is_no_harm(self, stocked: Catalog) -> None:
        assert self.break_it(stocked, "CREATE INDEX own ON asset (width)", "CREATE VIEW mine AS SELECT id FROM asset") == set()

    def test_a_journal_that_does_not_add_up_is_reported(self, stocked: Catalog) -> None:
        *_, attached, ingested = (row[0] for row in snapshot(stocked)["unit_of_work"])

        reported = self.break_it(
            stocked,
            f"DELETE FROM operation WHERE unit_id = '{attached}'",  # noqa: S608  an identifier of the test's own
            f"UPDATE unit_of_work SET counts = '{{}}' WHERE id = '{ingested}'",  # noqa: S608  likewise
        )

        assert reported == {("journal", attached), ("journal", ingested)}

    def test_a_broken_reference_is_named_by_its_key(self, stocked: Catalog) -> None:
        asset = stocked.assets(kind="movie")[0].id

        reported = self.break_it(stocked, "PRAGMA foreign_keys = off", "DELETE FROM collection")

        assert ("foreign_key", asset) in reported

    @pytest.mark.parametrize("setting", ["foreign_keys", "recursive_triggers", "trusted_schema"])
    def test_a_setting_that_somebody_changed_on_the_connection_is_reported(self, stocked: Catalog, setting: str) -> None:
        connection = stocked.database.connection
        connection.authorizer = None
        value = connection.execute(f"PRAGMA {setting}").fetchall()
        connection.execute(f"PRAGMA {setting} = {int(value == [(0,)])}").fetchall()

        assert setting in {each.id for each in stocked.check().violations if each.rule == "setting"}

    def test_it_writes_nothing_and_works_read_only(self, stocked: Catalog) -> None:
        before = snapshot(stocked)

        with Catalog(stocked.database.path, read_only=True) as reader:
            assert reader.check().is_sound

        assert snapshot(stocked) == before


def test_an_operation_of_one_s_own_is_told_as_json(stocked: Catalog) -> None:
    @attrs.frozen
    class Own:
        count: int

    with stocked.operation("own", reason="because") as op:
        with op.preflight() as db:
            sources = stocked.sources()
        with op.execution() as db:
            db.execute("UPDATE source SET name = 'renamed'")
        with op.postvalidation():
            assert stocked.sources() != sources
        op.finish(Own(3))

    (operation,) = stocked.history(1)[0].operations
    assert (operation.name, operation.arguments, operation.result) == ("own", {"reason": "because"}, {"count": 3})
