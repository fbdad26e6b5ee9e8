"""What a unit is remembered by: its operations, what it changed on balance; and the gate in front of its COMMIT."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import apsw
import pytest

from retrovue_uow import Catalog, Collection, ContractError, JournalUnit, ValidationError, WipeOptions
from retrovue_uow.rules.integrity import validate_database_consistency
from retrovue_uow.store import extensions, journal, recorder
from retrovue_uow.testing import snapshot


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection) -> Catalog:
    catalog.ingest_collection(collection.name)
    return catalog


@pytest.fixture
def unrecorded(stocked: Catalog, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """A catalogue whose SQLite cannot record what changes."""
    monkeypatch.setattr(recorder, "HAS_SESSIONS", False)
    return stocked


def names(unit: JournalUnit) -> list[str]:
    return [operation.name for operation in unit.operations]


def source_names(catalog: Catalog) -> set[str]:
    """The durable sources, as a connection of its own sees them."""
    other = apsw.Connection(catalog.database.path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return {str(name) for (name,) in other.execute("SELECT name FROM source").fetchall()}
    finally:
        other.close()


def schema(catalog: Catalog) -> list[Any]:
    connection = apsw.Connection(catalog.database.path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
    finally:
        connection.close()


class TestUnits:
    def test_what_a_session_writes_itself_is_remembered_as_one_operation(self, stocked: Catalog) -> None:
        with stocked.session() as db:
            db.execute("UPDATE source SET name = 'renamed'")

        unit = stocked.history(1)[0]
        (operation,) = unit.operations
        assert (operation.name, operation.arguments, operation.result, operation.duration_ms) == ("session", {}, None, 0)
        assert (operation.started_at, unit.counts) == (unit.started_at, {"source": {"update": 1}})

    @pytest.mark.parametrize("has_sessions", [True, False])
    def test_a_session_that_writes_nothing_is_not_remembered(
        self, stocked: Catalog, monkeypatch: pytest.MonkeyPatch, *, has_sessions: bool
    ) -> None:
        monkeypatch.setattr(recorder, "HAS_SESSIONS", has_sessions)
        before = snapshot(stocked)

        with stocked.session() as db:
            db.execute("SELECT name FROM source")

        assert snapshot(stocked) == before

    def test_what_was_written_and_undone_again_is_not_remembered(self, stocked: Catalog) -> None:
        before = snapshot(stocked)

        with stocked.session() as db:
            db.execute("UPDATE source SET name = 'renamed'")
            db.execute("UPDATE source SET name = 'station'")

        assert snapshot(stocked) == before

    def test_an_operation_that_was_survived_is_not_remembered(self, stocked: Catalog) -> None:
        before = snapshot(stocked)

        with stocked.session(), pytest.raises(ZeroDivisionError), stocked.session(contain=True):
            stocked.add_source("another")
            raise ZeroDivisionError

        assert snapshot(stocked) == before

    def test_a_dry_run_within_a_session_is_not_remembered(self, stocked: Catalog) -> None:
        before = snapshot(stocked)

        with stocked.session():
            preview = stocked.wipe_collection("Shows", WipeOptions(dry_run=True))

        assert preview.changes is not None
        assert preview.changes.counts["asset"] == {"delete": 4}
        assert snapshot(stocked) == before

    def test_every_recording_ends_with_the_unit(self, stocked: Catalog) -> None:
        with stocked.session() as db:
            first = stocked._recorder.record().recording
            db.execute("UPDATE source SET name = 'renamed'")
            second = stocked._recorder.record().recording

        assert first is not second
        for recording in (first, second):
            assert recording is not None
            with pytest.raises(ValueError, match="closed"):
                recording.changeset()

    def test_all_that_several_operations_changed_is_remembered(self, stocked: Catalog) -> None:
        with stocked.session():
            stocked.add_source("another")
            stocked.disable_collection("Shows")

        unit = stocked.history(1)[0]
        assert names(unit) == ["source_add", "collection_disable"]
        assert unit.counts == {"source": {"insert": 1}, "collection": {"update": 1}}

    def test_what_follows_the_post_validation_of_the_outermost_operation_is_remembered_too(self, stocked: Catalog) -> None:
        with stocked.operation("rename") as op:
            with op.preflight():
                pass
            with op.execution() as db:
                db.execute("UPDATE source SET name = 'renamed'")
            with op.postvalidation() as db:
                validate_database_consistency(db)
            stocked.add_source("another")
            op.finish(None)

        unit = stocked.history(1)[0]
        assert names(unit) == ["source_add", "rename"]
        assert unit.counts == {"source": {"insert": 1, "update": 1}}

    def test_an_operation_tells_neither_what_came_before_it_nor_what_comes_after_it(self, stocked: Catalog) -> None:
        with stocked.session() as db:
            db.execute("UPDATE source SET name = 'renamed'")
            wiped = stocked.wipe_collection("Shows")
            again = stocked.wipe_collection("Shows")

        assert wiped.changes is not None
        assert again.changes is not None
        assert wiped.changes.counts["asset"] == {"delete": 4}
        assert "source" not in wiped.changes.counts
        assert again.changes.counts == {}
        assert stocked.history(1)[0].counts == {**wiped.changes.counts, "source": {"update": 1}}

    def test_a_dry_run_inside_a_session_leaves_no_empty_unit(self, stocked: Catalog) -> None:
        before = snapshot(stocked)

        with stocked.session():
            assert stocked.wipe_collection("Shows", WipeOptions(dry_run=True)).deleted["asset"] == 4

        assert snapshot(stocked) == before

    def test_an_operation_beside_a_dry_run_is_journalled_for_what_it_did(self, stocked: Catalog) -> None:
        with stocked.session():
            stocked.wipe_collection("Shows", WipeOptions(dry_run=True))
            stocked.disable_collection("Shows")

        assert stocked.history(1)[0].counts == {"collection": {"update": 1}}

    def test_a_session_of_two_operations_is_journalled_for_both(self, stocked: Catalog) -> None:
        with stocked.session():
            stocked.disable_collection("Shows")
            stocked.wipe_collection("Shows")

        counts = stocked.history(1)[0].counts
        assert counts is not None
        assert (counts["collection"], counts["asset"]) == ({"update": 1}, {"delete": 4})


class TestGate:
    def test_a_single_row_is_judged(self, stocked: Catalog) -> None:
        before = snapshot(stocked)

        with pytest.raises(ValidationError, match="movie"), stocked.session() as db:
            db.execute("DELETE FROM movie_asset")
            assert db.unit_changes() == 1

        assert snapshot(stocked) == before

    def test_what_stands_before_an_operation_is_judged_though_the_operation_was(self, stocked: Catalog) -> None:
        before = snapshot(stocked)

        with pytest.raises(ValidationError), stocked.session() as db:
            db.execute("DELETE FROM movie_asset")
            stocked.add_source("another")

        assert snapshot(stocked) == before

    def test_what_stands_after_an_operation_is_judged_though_the_operation_was(self, stocked: Catalog) -> None:
        before = snapshot(stocked)

        with pytest.raises(ValidationError), stocked.session() as db:
            stocked.add_source("another")
            db.execute("DELETE FROM movie_asset")

        assert snapshot(stocked) == before

    def test_a_temporary_view_cannot_blind_it(self, stocked: Catalog) -> None:
        blinding = "CREATE TEMP VIEW violation AS SELECT '' AS rule, '' AS subject, '' AS id, '' AS detail WHERE 0"
        before = snapshot(stocked)

        with pytest.raises(ValidationError, match="Tron"), stocked.session() as db:
            with pytest.raises(ContractError, match="a name of this library's"):
                db.execute(blinding)
            with db.as_keeper():
                db.execute(blinding)
            db.execute("DELETE FROM movie_asset")

        assert snapshot(stocked) == before

    @pytest.mark.parametrize(
        "change",
        [
            "DROP VIEW violation",
            "DROP TABLE marker",
            "CREATE TABLE mine (id INTEGER)",
            "ALTER TABLE marker ADD COLUMN mine TEXT",
        ],
    )
    def test_a_session_that_changes_the_shape_is_misuse_and_changes_nothing(self, stocked: Catalog, change: str) -> None:
        before, shape = snapshot(stocked), schema(stocked)

        with pytest.raises(ContractError, match="shape"), stocked.session() as db:
            db.execute(change)

        assert (snapshot(stocked), schema(stocked)) == (before, shape)
        with stocked.session() as db:
            db.execute("UPDATE asset SET state = 'retired'")
        assert {asset.state for asset in stocked.assets()} == {"retired"}


GUARDED = {
    "an operation that is deleted": "DELETE FROM operation",
    "a unit that is deleted": "delete from main.Unit_Of_Work",
    "a unit that is changed": "UPDATE unit_of_work SET counts = NULL",
    "an operation that never was": "INSERT INTO operation SELECT 99, id, 'x', '{}', '{}', '', 0 FROM unit_of_work LIMIT 1",
    "a unit that never was": "REPLACE INTO unit_of_work SELECT * FROM unit_of_work",
    "a trigger of one's own": "INSERT INTO own (id) VALUES (1)",
    "keys that are given out again": "UPDATE sqlite_sequence SET seq = 0",
    "another version": "PRAGMA user_version = 99",
    "another application": "PRAGMA main.Application_Id(7)",
    "a trigger behind an operation": "CREATE TEMP TRIGGER nosy AFTER UPDATE ON main.asset BEGIN SELECT 1; END",
    "a table in front of the journal": "CREATE TEMP TABLE Operation (id)",
    "a table that will be in front of it": "CREATE TEMP TABLE other (id); ALTER TABLE other RENAME TO operation",
    "a view in front of the rules": "CREATE TEMP VIEW violation AS SELECT 1 WHERE false",
}


class TestGuard:
    @pytest.fixture
    def guarded(self, stocked: Catalog) -> Catalog:
        """A catalogue with a table whose trigger deletes from the journal."""
        other = apsw.Connection(stocked.database.path)
        other.execute(
            """
            CREATE TABLE own (id INTEGER PRIMARY KEY AUTOINCREMENT);
            CREATE TRIGGER own_forgets AFTER INSERT ON own BEGIN DELETE FROM operation; END
            """
        ).fetchall()
        other.close()
        return stocked

    @pytest.mark.parametrize("statement", GUARDED.values(), ids=GUARDED)
    def test_a_session_can_neither_write_the_journal_nor_what_it_rests_on(self, guarded: Catalog, statement: str) -> None:
        before = snapshot(guarded)

        with pytest.raises(ContractError, match="this library"), guarded.session() as db:
            db.execute("UPDATE source SET name = 'renamed'")
            db.execute(statement)

        assert snapshot(guarded) == before
        assert guarded.check().is_sound
        guarded.add_source("another")

    def test_no_statement_of_the_journals_own_can_be_had_from_the_cache(self, stocked: Catalog) -> None:
        traced: list[str] = []

        def trace(_: apsw.Cursor, sql: str, __: object) -> bool:
            traced.append(sql)
            return True

        stocked.database.connection.exec_trace = trace
        stocked.add_source("another")
        stocked.database.connection.exec_trace = None
        writes = [sql for sql in traced if "unit_of_work" in sql or "INTO operation" in sql]

        assert len(writes) >= 4
        for sql in writes:
            if not sql.lstrip().startswith("SELECT"):
                with pytest.raises(ContractError, match="this library"), stocked.session() as db:
                    db.execute(sql, (None,) * 10)

    def test_own_tables_have_keys_of_their_own_and_temporary_tables(self, stocked: Catalog) -> None:
        other = apsw.Connection(stocked.database.path)
        other.execute("CREATE TABLE own (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)").fetchall()
        other.close()

        with stocked.session() as db:
            db.execute("CREATE TEMP TABLE scratch (id INTEGER PRIMARY KEY AUTOINCREMENT)")
            db.execute(
                "CREATE TEMP TRIGGER scratch_fills AFTER INSERT ON scratch BEGIN INSERT INTO own (name) VALUES ('x'); END"
            )
            db.execute("INSERT INTO scratch DEFAULT VALUES")
            db.execute("DROP TABLE scratch")

        assert snapshot(stocked)["own"] == [(1, "x")]

    def test_the_version_can_be_read(self, stocked: Catalog) -> None:
        with stocked.session() as db:
            assert db.execute("PRAGMA user_version") == [(len(extensions.own().migrations),)]


class TestRecords:
    def test_a_record_says_which_unit_it_belongs_to(self, stocked: Catalog) -> None:
        stocked.add_source("another")
        added = stocked.history(1)[0].id
        stocked.disable_collection("Shows")
        disabled = stocked.history(1)[0].id
        other = apsw.Connection(stocked.database.path)
        other.execute(
            """
            UPDATE unit_of_work
               SET (counts, digest, changeset, unpacked_bytes) = (SELECT counts, digest, changeset, unpacked_bytes
                                                                    FROM unit_of_work
                                                                   WHERE id = ?)
             WHERE id = ?
            """,
            (added, disabled),
        ).fetchall()
        other.close()

        with pytest.raises(ValidationError, match="not what was written"):
            stocked.changes(disabled)
        assert [(each.rule, each.id) for each in stocked.check().violations] == [("journal", disabled)]

    def test_records_of_the_version_before_keep_their_form(self, tmp_path: Path) -> None:
        path = tmp_path / "catalog.db"
        path.write_bytes(gzip.decompress((Path(__file__).parents[1] / "data" / "catalogue_of_schema_3.db.gz").read_bytes()))
        written = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        before = written.execute("SELECT id, digest, changeset FROM unit_of_work ORDER BY id").fetchall()
        written.close()

        with Catalog(path) as catalog:
            assert [each for each in catalog.check().violations if each.rule == "journal"] == []
            settled, *_ = catalog.history()
            assert [operation.name for operation in settled.operations] == ["schema_migration"]
            for unit_id, _, _ in before:
                assert catalog.changes(str(unit_id)).counts == catalog.unit(str(unit_id)).counts

        old = [(row[0], row[7], row[8]) for row in snapshot(path)["unit_of_work"] if row[9] is None and row[0] != settled.id]
        assert old == before

    def test_the_tables_of_an_older_version_are_known(self) -> None:
        """By them a unit of that time is found to fit what a migration has left, or not."""
        first, last = (extensions.columns_at(version) for version in (1, len(extensions.own().migrations)))

        assert {"asset", "operation"} <= first.keys() < last.keys()


class TestUnrecorded:
    def test_units_and_operations_are_remembered_without_their_changes(self, unrecorded: Catalog) -> None:
        with unrecorded.session() as db:
            db.execute("UPDATE source SET name = 'renamed'")
            wiped = unrecorded.wipe_collection("Shows")

        unit = unrecorded.history(1)[0]
        assert (names(unit), unit.counts, unit.is_recorded) == (["collection_wipe"], None, False)
        assert wiped.changes is None
        assert source_names(unrecorded) == {"renamed"}

    def test_what_a_session_writes_itself_is_remembered(self, unrecorded: Catalog) -> None:
        with unrecorded.session() as db:
            db.execute("UPDATE source SET name = 'renamed'")

        unit = unrecorded.history(1)[0]
        assert (names(unit), unit.counts) == (["session"], None)


class TestRetention:
    def test_so_many_units_are_kept_with_their_changes(self, tmp_path: Path) -> None:
        with Catalog(tmp_path / "catalog.db", undo_units=2) as catalog:
            for name in ("one", "two", "three"):
                catalog.add_source(name)

            assert [unit.is_recorded for unit in catalog.history()] == [True, True, False]

    def test_so_many_bytes_of_changes_are_kept(self, tmp_path: Path) -> None:
        with Catalog(tmp_path / "catalog.db") as catalog:
            catalog.add_source("one")
            ((size,),) = catalog.database.execute("SELECT length(changeset) FROM unit_of_work")
        with Catalog(tmp_path / "catalog.db", undo_bytes=2 * size + 10) as catalog:
            for name in ("two", "six"):
                catalog.add_source(name)

            assert [unit.is_recorded for unit in catalog.history()] == [True, True, False]


class TestUndoing:
    def test_a_unit_knows_which_it_undid_and_by_which_it_was_undone(self, stocked: Catalog) -> None:
        stocked.add_source("another")
        added = stocked.history(1)[0]

        stocked.undo(added.id)

        undo, undone, earlier = stocked.history(3)
        assert (undo.undoes, undo.undone_by) == ((added.id,), None)
        assert (undone.undoes, undone.undone_by) == ((), undo.id)
        assert (earlier.undoes, earlier.undone_by) == ((), None)

    def test_an_undo_that_was_undone_leaves_the_unit_as_not_undone(self, stocked: Catalog) -> None:
        stocked.add_source("another")
        added = stocked.history(1)[0]

        stocked.undo(added.id)
        stocked.undo(stocked.history(1)[0].id)

        again, undo, undone = stocked.history(3)
        assert again.undoes == (undo.id,)
        assert (undo.undone_by, undone.undone_by) == (again.id, None)

    def test_several_undone_in_one_unit_are_told_in_their_order(self, stocked: Catalog) -> None:
        stocked.add_source("another")
        stocked.disable_collection("Shows")
        disabled, added = stocked.history(2)

        with stocked.session():
            stocked.undo(disabled.id)
            stocked.undo(added.id)

        assert stocked.history(1)[0].undoes == (disabled.id, added.id)


class TestAsText:
    def test_letters_stay_as_they_are(self) -> None:
        assert journal.json_text({"name": "Größe 東"}) == '{"name": "Größe 東"}'

    def test_what_sqlite_cannot_keep_becomes_an_escape(self) -> None:
        text = journal.json_text("caf\udce9")

        assert text == r'"caf\udce9"'
        assert json.loads(text) == "caf\udce9"

    @pytest.mark.parametrize("number", [math.nan, math.inf])
    def test_what_is_no_json_is_refused(self, number: float) -> None:
        with pytest.raises(ValueError, match="JSON"):
            journal.json_text({"number": number})
