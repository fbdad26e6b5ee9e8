"""Which rows a change touches: those that changed, those they hang on, and those that hung on what is gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness import changed

from retrovue_uow import Database
from retrovue_uow.store import touched

ROOMS = """
CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT) STRICT;
CREATE TABLE shelf (id INTEGER PRIMARY KEY, room_id INTEGER NOT NULL REFERENCES room (id), colour TEXT) STRICT;
CREATE TABLE tape (name TEXT PRIMARY KEY, shelf_id INTEGER REFERENCES shelf (id), minutes INTEGER) STRICT;
INSERT INTO room VALUES (10, 'cellar'), (20, 'attic'), (30, 'hall');
INSERT INTO shelf VALUES (1, 10, 'red'), (2, 20, 'green'), (3, 20, 'blue');
INSERT INTO tape VALUES ('Alien', 1, 117), ('Brazil', 2, 132), ('Dune', NULL, 137), ('Tron', 1, 96);
"""


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Database]:
    """Tapes on shelves in rooms, in a unit that is open and will be rolled back; references may be broken in it."""
    with Database(tmp_path / "rooms.db") as db:
        with db.session():
            db.execute(ROOMS)
        with db.session():
            db.execute("PRAGMA defer_foreign_keys = on")
            db.set_rollback_only("a test looks at what would be")
            yield db


def filled(db: Database, *statements: str) -> set[tuple[str, str | int, str]]:
    """Table, key and kind of the rows that the statements touch."""
    tables = touched.fill(db, changed(db, *statements))
    rows = {(table, key, change) for table, key, change in db.execute("SELECT subject, id, change FROM temp.touched")}
    assert sorted(tables) == sorted({table for table, _, _ in rows})
    return rows


class TestFilling:
    def test_an_inserted_row_is_touched_and_what_it_refers_to(self, rooms: Database) -> None:
        touched_rows = filled(rooms, "INSERT INTO tape VALUES ('Them!', 3, 94), ('Heat', NULL, 170)")

        assert touched_rows == {("tape", "Them!", "INSERT"), ("tape", "Heat", "INSERT"), ("shelf", 3, "")}

    def test_an_updated_row_touches_what_it_refers_to_even_if_that_is_the_same(self, rooms: Database) -> None:
        touched_rows = filled(rooms, "UPDATE tape SET minutes = minutes + 1 WHERE name IN ('Tron', 'Dune')")

        assert touched_rows == {("tape", "Tron", "UPDATE"), ("tape", "Dune", "UPDATE"), ("shelf", 1, "")}

    def test_a_row_that_was_moved_touches_what_it_referred_to_and_what_it_refers_to(self, rooms: Database) -> None:
        touched_rows = filled(rooms, "UPDATE tape SET shelf_id = 2 WHERE name = 'Alien'")

        assert touched_rows == {("tape", "Alien", "UPDATE"), ("shelf", 1, ""), ("shelf", 2, "")}

    def test_a_deleted_row_touches_what_it_referred_to_and_what_referred_to_it(self, rooms: Database) -> None:
        touched_rows = filled(rooms, "DELETE FROM shelf WHERE id = 1")

        assert touched_rows == {("room", 10, ""), ("tape", "Alien", ""), ("tape", "Tron", "")}

    def test_a_row_that_changed_itself_is_not_only_near(self, rooms: Database) -> None:
        touched_rows = filled(
            rooms, "UPDATE shelf SET colour = 'grey' WHERE id = 2", "UPDATE tape SET shelf_id = 2 WHERE name = 'Dune'"
        )

        assert touched_rows == {("shelf", 2, "UPDATE"), ("tape", "Dune", "UPDATE"), ("room", 20, "")}

    def test_what_was_touched_before_is_forgotten(self, rooms: Database) -> None:
        filled(rooms, "INSERT INTO room VALUES (40, 'loft')")

        assert filled(rooms, "INSERT INTO room VALUES (50, 'yard')") == {("room", 50, "INSERT")}
        assert filled(rooms) == set()

    def test_only_within_the_block_the_rules_look_at_these_rows_only(self, rooms: Database) -> None:
        assert touched.narrowing(rooms) is None

        with touched.narrowed(rooms, changed(rooms, "INSERT INTO room VALUES (40, 'loft')")) as narrowing:
            assert touched.narrowing(rooms) is narrowing
            assert narrowing.subjects == ["room"]

        assert touched.narrowing(rooms) is None


class TestAbove:
    @pytest.mark.parametrize(
        ("statement", "shelves", "in_rooms"),
        [
            ("INSERT INTO tape VALUES ('Them!', 3, 94)", {3}, {20}),
            ("UPDATE tape SET minutes = 97 WHERE name = 'Tron'", {1}, {10}),
            ("UPDATE tape SET shelf_id = 2 WHERE name = 'Tron'", {1, 2}, {10, 20}),
            ("UPDATE tape SET minutes = 138 WHERE name = 'Dune'", set(), set()),
            ("DELETE FROM tape WHERE name = 'Brazil'", {2}, {20}),
            ("UPDATE shelf SET room_id = 30 WHERE id = 1", {1}, {10, 30}),
            ("UPDATE room SET name = 'loft' WHERE id = 20", set(), {20}),
            ("UPDATE tape SET minutes = 97 WHERE name = 'Tron'; INSERT INTO tape VALUES ('Them!', 2, 94)", {1, 2}, {10, 20}),
        ],
        ids=["insert", "update", "move", "unattached", "delete", "move between", "top", "told and asked"],
    )
    def test_the_rows_above_a_change_are_found_through_every_reference(
        self, rooms: Database, statement: str, shelves: set[int], in_rooms: set[int]
    ) -> None:
        changeset = changed(rooms, statement)

        assert touched.above(rooms, changeset, "shelf") == shelves
        assert touched.above(rooms, changeset, "room") == in_rooms

    def test_nothing_of_a_table_is_above_what_is_not_below_it(self, rooms: Database) -> None:
        changeset = changed(rooms, "UPDATE shelf SET colour = 'grey'")

        assert touched.above(rooms, changeset, "tape") == set()
