"""Recorded changes: rows like those of any sequence, and SQLite's memory of broken references."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from harness import changed

from retrovue_uow import (
    Catalog,
    Collection,
    ConstraintError,
    ContractError,
    Database,
    ResourceError,
    ValidationError,
    WipeOptions,
)
from retrovue_uow.store.rows import changes_in
from retrovue_uow.uow import changes
from retrovue_uow.uow.changes import ChangedKeys, Changeset, Recording
from retrovue_uow.uow.guard import Guard

SHELVES = """
CREATE TABLE shelf (id INTEGER PRIMARY KEY, room TEXT) STRICT;
CREATE TABLE tape (name TEXT PRIMARY KEY, shelf_id INTEGER REFERENCES shelf (id), minutes INTEGER) STRICT;
CREATE TABLE mark (id INTEGER PRIMARY KEY) STRICT;
CREATE TABLE source (id INTEGER PRIMARY KEY, config TEXT) STRICT;
CREATE TABLE operation (id INTEGER PRIMARY KEY) STRICT;
INSERT INTO shelf VALUES (1, 'cellar'), (2, 'attic'), (3, 'hall');
INSERT INTO tape VALUES ('Alien', 1, 117), ('Brazil', 2, 132), ('Tron', 1, 96);
"""


@pytest.fixture
def shelves(tmp_path: Path) -> Iterator[Database]:
    with Database(tmp_path / "shelves.db") as db:
        with db.session():
            db.execute(SHELVES)
        yield db


def recorded(db: Database, *statements: str) -> Changeset:
    """What the statements change in a unit of their own."""
    with db.session():
        return changed(db, *statements)


def tapes(db: Database) -> list[str]:
    """The names of the durable tapes, as a connection of its own sees them."""
    other = apsw.Connection(db.path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return [str(name) for (name,) in other.execute("SELECT name FROM tape ORDER BY name").fetchall()]
    finally:
        other.close()


def told(keys: ChangedKeys) -> tuple[dict[str, dict[str, list[Any]]], dict[str, set[Any]], set[str]]:
    """What is known of changed keys, but for tables without any."""
    changed = {table: {op: sorted(of_op) for op, of_op in ops.items()} for table, ops in keys.changed.items() if ops}
    return changed, {table: of_table for table, of_table in keys.parents.items() if of_table}, keys.misfits


def test_changed_rows_are_a_sequence(catalog: Catalog, collection: Collection) -> None:
    catalog.ingest_collection("Shows")
    changes = catalog.wipe_collection("Shows", WipeOptions(dry_run=True)).changes
    again = catalog.wipe_collection("Shows", WipeOptions(dry_run=True)).changes
    assert changes is not None
    assert again is not None

    rows = list(changes.rows)

    assert len(changes.rows) == len(rows) > 4
    assert (changes.rows[0], changes.rows[-1], list(changes.rows[1:3])) == (rows[0], rows[-1], rows[1:3])
    assert changes.rows == again.rows
    assert len({changes.rows, again.rows}) == 1
    catalog.wipe_collection("Shows")
    empty = catalog.wipe_collection("Shows").changes
    assert empty is not None
    assert len({changes.rows, empty.rows}) == 2
    assert hash(changes.rows) != hash(empty.rows)
    assert changes.rows != empty.rows
    assert changes.rows != tuple(rows)


def test_after_an_undo_broken_references_cannot_be_made_forgotten_either(catalog: Catalog, collection: Collection) -> None:
    catalog.ingest_collection("Shows")
    unit = catalog.wipe_collection("Shows").unit_id
    assert unit is not None
    catalog.undo(unit)

    with catalog.session() as db, pytest.raises(ContractError):
        db.execute("PRAGMA defer_foreign_keys = OFF")


def test_a_damaged_changeset_is_told_and_changes_nothing(catalog: Catalog, collection: Collection) -> None:
    damaged = Changeset(b"T\x02\x01", catalog.database.shape)

    with pytest.raises(ValidationError, match="damaged"), catalog.session() as db:
        damaged.apply(db)

    assert catalog.check().is_sound
    assert apsw.Changeset.invert(b"") == b""


class TestRecording:
    def test_children_come_before_their_parents_and_the_keeper_s_tables_not_at_all(self, shelves: Database) -> None:
        shelves.transaction.set_guard(Guard(kept=frozenset({"operation"})))
        with shelves.as_keeper():
            changeset = recorded(
                shelves,
                "INSERT INTO operation VALUES (1)",
                "INSERT INTO shelf VALUES (4, 'loft')",
                "INSERT INTO tape VALUES ('Dune', 4, 137)",
            )

        assert [row.table for row in changeset.rows()] == ["tape", "shelf"]


class TestTelling:
    def test_a_glance_tells_the_keys_of_changed_rows_and_of_all_that_they_refer_to(self, shelves: Database) -> None:
        moved = recorded(
            shelves,
            "UPDATE tape SET shelf_id = 3 WHERE name = 'Alien'",  # from shelf 1
            "UPDATE tape SET minutes = 131 WHERE name = 'Tron'",  # which does not tell its shelf
            "INSERT INTO tape VALUES ('Dune', NULL, 137)",
            "DELETE FROM tape WHERE name = 'Brazil'",  # from shelf 2
            "UPDATE shelf SET room = 'loft' WHERE id = 2",
        )

        assert told(moved.keys) == (
            {"tape": {"UPDATE": ["Alien", "Tron"], "INSERT": ["Dune"], "DELETE": ["Brazil"]}, "shelf": {"UPDATE": [2]}},
            {"shelf": {1, 2, 3}},
            set(),
        )
        assert told(moved.inverted().keys)[0]["tape"] == {
            "UPDATE": ["Alien", "Tron"],
            "INSERT": ["Brazil"],
            "DELETE": ["Dune"],
        }

    def test_counts_and_rows_are_those_that_changed(self, shelves: Database) -> None:
        changes = recorded(shelves, "DELETE FROM tape WHERE shelf_id = 1", "INSERT INTO mark VALUES (7)")

        assert changes.counts == {"tape": {"delete": 2}, "mark": {"insert": 1}}
        assert len(list(changes.rows())) == 3
        assert {(row.table, row.kind, row.key) for row in changes.rows()} == {
            ("tape", "delete", "Alien"),
            ("tape", "delete", "Tron"),
            ("mark", "insert", 7),
        }

    def test_a_row_is_found_by_its_table_and_its_key(self, shelves: Database) -> None:
        changeset = recorded(shelves, "INSERT INTO mark VALUES (1), (2)", "UPDATE shelf SET room = 'loft' WHERE id IN (2, 3)")

        for table, key in (("shelf", 2), ("shelf", 3), ("mark", 1), ("mark", 2)):
            found = changeset.find(table, key)
            assert found is not None
            assert (found.table, found.key) == (table, key)
        assert changeset.find("mark", 3) is None
        assert changeset.find("shelf", 1) is None

    def test_rows_show_no_secrets_of_a_configuration(self, shelves: Database) -> None:
        added = recorded(shelves, """INSERT INTO source VALUES (1, '{"token": "xyzzy", "url": "here"}')""")

        for changeset in (added, added.inverted()):
            (row,) = changes_in(changeset).rows
            assert (row.new or row.old) == {"id": 1, "config": '{"token": "***", "url": "here"}'}


class TestMisfits:
    @pytest.mark.parametrize(
        "reshaping", ["DROP TABLE mark", "DROP TABLE mark; CREATE TABLE mark (name TEXT, id INTEGER PRIMARY KEY) STRICT"]
    )
    def test_of_a_table_with_another_shape_nothing_is_told_but_its_name(self, shelves: Database, reshaping: str) -> None:
        content = recorded(shelves, "INSERT INTO mark VALUES (1)", "DELETE FROM tape WHERE name = 'Alien'").content
        with shelves.session():
            shelves.execute(reshaping)

        keys = Changeset(content, shelves.shape).keys

        assert told(keys) == ({"tape": {"DELETE": ["Alien"]}}, {"shelf": {1}}, {"mark"})

    @pytest.mark.parametrize(
        "reshaping",
        [
            "DROP TABLE mark",
            "ALTER TABLE mark RENAME TO scratch",
            "DROP TABLE mark; CREATE TABLE mark (name TEXT, id INTEGER PRIMARY KEY) STRICT",
        ],
    )
    def test_changes_of_tables_with_another_shape_are_not_passed_over(self, shelves: Database, reshaping: str) -> None:
        changeset = recorded(shelves, "INSERT INTO mark VALUES (1)", "DELETE FROM tape WHERE name = 'Alien'").inverted()
        with shelves.session():
            shelves.execute(reshaping)
        misfit = Changeset(changeset.content, shelves.shape)

        with pytest.raises(ValidationError, match="table 'mark' has another shape"), shelves.session():
            misfit.apply(shelves)

        assert tapes(shelves) == ["Brazil", "Tron"]

    def test_columns_added_at_the_end_are_no_other_shape(self, shelves: Database) -> None:
        statements = "UPDATE tape SET minutes = 90 WHERE name = 'Tron'", "DELETE FROM tape WHERE name = 'Alien'"
        undo = recorded(shelves, *statements, "INSERT INTO tape VALUES ('Dune', 1, 137)").inverted()
        with shelves.session():
            shelves.execute("ALTER TABLE tape ADD COLUMN colour TEXT NOT NULL DEFAULT 'grey'")
            shelves.execute("UPDATE tape SET colour = 'red'")
        grown = Changeset(undo.content, shelves.shape)
        assert grown.counts == {"tape": {"update": 1, "delete": 1, "insert": 1}}
        assert {row.key: row.new for row in grown.rows()}["Alien"] == {"name": "Alien", "shelf_id": 1, "minutes": 117}

        with shelves.session():
            recording = Recording(shelves, shelves.shape)
            assert recording.apply(grown) is None
            shelves.execute("UPDATE tape SET colour = 'blue' WHERE name = 'Alien'")
            redo = recording.changeset().inverted()
            recording.close()
        colours: dict[str, str] = dict(shelves.execute("SELECT name, colour FROM tape"))
        with shelves.session():
            assert redo.apply(shelves) is None

        assert colours == {"Alien": "blue", "Brazil": "red", "Tron": "red"}
        assert tapes(shelves) == ["Brazil", "Dune", "Tron"]
        assert shelves.execute("SELECT minutes, colour FROM tape WHERE name = 'Dune'") == [(137, "red")]

    def test_a_change_that_is_in_the_way_is_found_in_a_table_that_has_more_columns_now(self, shelves: Database) -> None:
        undo = recorded(shelves, "INSERT INTO tape VALUES ('Dune', 1, 137)").inverted()
        with shelves.session():
            shelves.execute("ALTER TABLE tape ADD COLUMN colour TEXT")
            shelves.execute("UPDATE tape SET minutes = 136 WHERE name = 'Dune'")

        with shelves.session():
            conflict = Changeset(undo.content, shelves.shape).apply(shelves)

        assert conflict is not None
        assert (conflict.kind, conflict.change.key) == ("changed", "Dune")


class TestApplying:
    def test_in_a_read_only_block_it_is_refused(self, shelves: Database) -> None:
        undo = recorded(shelves, "DELETE FROM tape").inverted()

        with pytest.raises(ContractError, match="read-only phase cannot write"), shelves.session(), shelves.read_only():
            undo.apply(shelves)

        assert tapes(shelves) == []

    def test_in_a_read_only_block_what_was_recorded_cannot_be_asked_for(self, shelves: Database) -> None:
        with shelves.session():
            recording = Recording(shelves, shelves.shape)
            shelves.execute("INSERT INTO mark VALUES (1)")

            with shelves.read_only(), pytest.raises(ContractError, match="refused"):
                recording.changeset()

            assert recording.changeset().counts == {"mark": {"insert": 1}}
            recording.close()

    def test_applied_changes_are_recorded_with_what_comes_before_them(self, shelves: Database) -> None:
        longer = recorded(shelves, "UPDATE tape SET minutes = 200 WHERE name = 'Alien'")  # from 117
        with shelves.session():
            shelves.execute("UPDATE tape SET minutes = 90 WHERE name = 'Alien'")

        with shelves.session():
            recording = Recording(shelves, shelves.shape)
            shelves.execute("UPDATE tape SET minutes = 117 WHERE name = 'Alien'")
            assert recording.apply(longer) is None
            (row,) = recording.changeset().rows()
            recording.close()

        assert row.old == {"name": "Alien", "minutes": 90}
        assert row.new == {"minutes": 200}

    def test_applied_changes_are_recorded_with_what_comes_after_them(self, shelves: Database) -> None:
        undo = recorded(shelves, "DELETE FROM tape WHERE name = 'Alien'").inverted()

        with shelves.session():
            recording = Recording(shelves, shelves.shape)
            assert recording.apply(undo) is None
            alone = recording.changeset()
            shelves.execute("UPDATE tape SET minutes = 200 WHERE name = 'Alien'")
            (row,) = recording.changeset().rows()
            recording.close()

        assert alone == undo
        assert (row.old, row.new) == (None, {"name": "Alien", "shelf_id": 1, "minutes": 200})


class TestBringingBack:
    """Rows that only come back are written parents first, with their references enforced; else a changeset is applied."""

    def test_sqlite_enforces_the_references_of_rows_that_only_come_back(self, shelves: Database) -> None:
        before = shelves.execute("SELECT * FROM tape JOIN shelf ON shelf.id = shelf_id ORDER BY name")
        undo = recorded(shelves, "DELETE FROM tape", "DELETE FROM shelf").inverted()

        with shelves.session() as db:
            recording = Recording(db, db.shape)
            assert recording.apply(undo) is None
            assert db.has_enforced_references
            assert recording.changeset() == undo
            recording.close()

        assert shelves.execute("SELECT * FROM tape JOIN shelf ON shelf.id = shelf_id ORDER BY name") == before

    @pytest.mark.parametrize(
        "statements",
        [
            ["DELETE FROM tape", "INSERT INTO mark VALUES (7)"],
            ["DELETE FROM tape", "UPDATE shelf SET room = 'loft' WHERE id = 1"],
        ],
        ids=["another one goes", "another one changes"],
    )
    def test_of_other_changes_the_references_are_to_be_searched(self, shelves: Database, statements: list[str]) -> None:
        undo = recorded(shelves, *statements).inverted()

        with shelves.session() as db:
            assert undo.apply(db) is None
            assert not db.has_enforced_references

        assert tapes(shelves) == ["Alien", "Brazil", "Tron"]
        with shelves.session() as db:
            assert db.has_enforced_references

    @pytest.mark.parametrize(
        ("in_the_way", "kind"),
        [("INSERT INTO tape VALUES ('Alien', 3, 1)", "there"), ("INSERT INTO film VALUES (9, 'Brazil')", "refused")],
    )
    def test_what_is_in_the_way_is_named_and_nothing_of_the_attempt_stays(
        self, shelves: Database, in_the_way: str, kind: str
    ) -> None:
        with shelves.session() as db:
            db.execute("CREATE TABLE film (id INTEGER PRIMARY KEY, name TEXT UNIQUE) STRICT")
            db.execute("INSERT INTO film VALUES (1, 'Brazil')")
        undo = recorded(shelves, "DELETE FROM tape", "DELETE FROM film").inverted()

        with shelves.session() as db:
            db.execute(in_the_way)
            before = db.execute("SELECT * FROM tape"), db.execute("SELECT * FROM film")
            conflict = undo.apply(db)
            assert (db.execute("SELECT * FROM tape"), db.execute("SELECT * FROM film")) == before

        assert conflict is not None
        assert conflict.kind == kind

    def test_a_row_whose_parent_is_gone_comes_back_for_the_search_to_find(self, shelves: Database) -> None:
        undo = recorded(shelves, "DELETE FROM tape").inverted()

        with pytest.raises(ConstraintError), shelves.session() as db:
            db.execute("DELETE FROM shelf WHERE id = 2")
            assert undo.apply(db) is None
            assert not db.has_enforced_references
            db.connection.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 0)  # so that COMMIT looks at all references

        assert tapes(shelves) == []

    def test_rows_that_refer_to_each_other_and_keys_of_several_types_come_back(self, shelves: Database) -> None:
        with shelves.session() as db:
            db.execute("CREATE TABLE reel (id INTEGER PRIMARY KEY, next INTEGER REFERENCES reel (id)) STRICT")
            db.execute("CREATE TABLE note (key PRIMARY KEY NOT NULL, text)")
            db.execute("INSERT INTO reel VALUES (2, NULL), (1, 2)")
            db.execute("INSERT INTO note VALUES ('a', 1), (2, 'b'), (x'00', 2.5), (0.5, NULL)")
        rows = [shelves.execute("SELECT * FROM reel"), shelves.execute("SELECT * FROM note ORDER BY key")]
        of_reels = recorded(shelves, "UPDATE reel SET next = NULL", "DELETE FROM reel").inverted()
        of_notes = recorded(shelves, "DELETE FROM note").inverted()

        with shelves.session() as db:
            assert of_reels.apply(db) is None
            assert of_notes.apply(db) is None

        assert [shelves.execute("SELECT * FROM reel"), shelves.execute("SELECT * FROM note ORDER BY key")] == rows

    def test_references_that_are_deferred_are_not_enforced_yet(self, shelves: Database) -> None:
        with shelves.session() as db:
            db.execute("CREATE TABLE loan (id INTEGER PRIMARY KEY, tape TEXT REFERENCES tape DEFERRABLE INITIALLY DEFERRED)")
        with shelves.session() as db:
            db.execute("INSERT INTO loan VALUES (1, 'Dune')")
            assert not db.has_enforced_references
            db.execute("INSERT INTO tape VALUES ('Dune', 1, 137)")
            assert db.has_enforced_references
            db.execute("PRAGMA defer_foreign_keys = on")
            assert not db.has_enforced_references


def test_where_sqlite_cannot_record_it_is_said(shelves: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "HAS_SESSIONS", False)

    with pytest.raises(ResourceError, match="no session extension"), shelves.session():
        Recording(shelves, shelves.shape)
