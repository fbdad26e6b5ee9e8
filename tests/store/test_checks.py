"""Rules and references judge the whole catalogue, or the touched rows: which a change touches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from harness import changed, movie

from retrovue_uow import Catalog, Collection, Database
from retrovue_uow.errors import Violation
from retrovue_uow.store import checks
from retrovue_uow.store.extensions import own
from retrovue_uow.testing import FakeImporter

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def unit(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Iterator[Database]:
    """A unit on two movies, that is open and will be rolled back; references may be broken in it."""
    importer.drafts = [movie("Alien", 1979), movie("Brazil", 1985)]
    catalog.ingest_collection(collection.name)
    with catalog.session() as db:
        db.execute("PRAGMA defer_foreign_keys = on")
        db.set_rollback_only("a test looks at what would be")
        yield db


@contextmanager
def narrowed(db: Database, statement: str) -> Iterator[checks.CheckScope]:
    """Within the block the rules look at what the statement touched."""
    with checks.narrowed(db, changed(db, statement)) as narrowing:
        yield narrowing


def asset_id(db: Database, movie_name: str) -> str:
    ((found,),) = db.execute("SELECT id FROM asset WHERE canonical_key GLOB '*/' || ? || ' *'", (movie_name,))
    return str(found)


def link_of(db: Database, movie_name: str) -> int:
    ((found,),) = db.execute("SELECT id FROM movie_asset WHERE asset_id = ?", (asset_id(db, movie_name),))
    return int(found)


def without_movie(db: Database, movie_name: str) -> Violation:
    detail = f"'/media/{movie_name} ({ {'Alien': 1979, 'Brazil': 1985}[movie_name] }).mkv' is of kind movie and has no title"
    return Violation("asset_without_movie", "asset", asset_id(db, movie_name), detail)


def broken(table: str, key: str | int, parent: str) -> Violation:
    return Violation("foreign_key", table, str(key), f"row {key} of {table} refers to a row of {parent} that is not there")


def unlink(db: Database, movie_name: str) -> str:
    return f"DELETE FROM movie_asset WHERE id = {link_of(db, movie_name)}"  # noqa: S608  a number of ours


class TestRules:
    def test_the_whole_catalogue_is_judged_by_every_rule(self, unit: Database) -> None:
        unit.execute("DELETE FROM movie_asset")

        found = checks.violations(unit)

        assert found == checks.all_violations(unit)
        assert {(violation.rule, violation.subject) for violation in found} == {
            ("asset_without_movie", "asset"),
            ("title_without_content", "title"),
        }
        assert without_movie(unit, "Alien") in found
        assert len(found) == 4

    def test_one_rule_can_be_asked(self, unit: Database) -> None:
        unit.execute("DELETE FROM movie_asset")

        found = checks.violations(unit, ["asset_without_movie"])

        assert len(found) == 2
        assert set(found) == {without_movie(unit, "Alien"), without_movie(unit, "Brazil")}

    def test_narrowed_rules_tell_what_was_touched_and_nothing_else(self, unit: Database) -> None:
        unit.execute(unlink(unit, "Brazil"))

        with narrowed(unit, unlink(unit, "Alien")) as narrowing:
            found = checks.violations(unit, ["asset_without_movie"])

            assert found == [without_movie(unit, "Alien")]
            assert narrowing.judged == {"asset_without_movie"}
            assert {violation.rule for violation in checks.violations(unit)} == {
                "asset_without_movie",
                "title_without_content",
            }
            assert len(checks.all_violations(unit)) == 4

    def test_where_most_rows_of_a_table_were_touched_no_other_one_is_told_of(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(checks, "MANY", 0)
        importer.drafts = [movie(f"Part {number}", 1979) for number in range(9)]
        catalog.ingest_collection(collection.name)
        with catalog.session() as db:
            db.set_rollback_only("a test looks at what would be")
            db.execute("DELETE FROM movie_asset")
            found = {}
            for most in (True, False):
                touching = "UPDATE asset SET width = ifnull(width, 0) + 1 WHERE (canonical_key GLOB '*Part [0-5] *') = ?"
                with narrowed(db, touching.replace("?", str(int(most)))) as narrowing:
                    assert narrowing.subjects == ["asset"]
                    found[most] = checks.violations(db, ["asset_without_movie"])

            assert [len(found[most]) for most in (True, False)] == [6, 3]
            assert {*found[True], *found[False]} == {*checks.violations(db, ["asset_without_movie"])}

    def test_an_asset_can_be_judged_alone(self, unit: Database) -> None:
        unit.execute("DELETE FROM movie_asset")

        found = checks.asset_violations(unit, ["asset_without_movie"], asset_id(unit, "Alien"))

        assert found == [without_movie(unit, "Alien")]


class TestWhetherAllWasJudged:
    @pytest.mark.parametrize(
        ("judged", "is_all"),
        [
            ({"foreign_key", "violation"}, True),
            ({"foreign_key", *own().rules}, True),
            ({"foreign_key", *own().rules, "a_rule_of_ones_own"}, True),
            ({"foreign_key", *sorted(own().rules)[1:]}, False),
            ({"foreign_key"}, False),
            ({"violation"}, False),
            (set(own().rules), False),
        ],
        ids=["all at once", "each", "more", "one left out", "references only", "rules at once only", "each rule only"],
    )
    def test_it_takes_the_references_and_every_rule(self, judged: set[str], *, is_all: bool) -> None:
        assert checks.CheckScope((), judged).has_judged_all is is_all


class TestReferences:
    def test_the_whole_catalogue_is_asked(self, unit: Database) -> None:
        asset, link = asset_id(unit, "Alien"), link_of(unit, "Brazil")
        unit.execute("UPDATE asset SET collection_id = ? WHERE id = ?", (NOBODY, asset))
        unit.execute("UPDATE movie_asset SET title_id = ? WHERE id = ?", (NOBODY, link))

        found = checks.broken_references(unit)

        assert found == checks.all_broken_references(unit)
        assert len(found) == 2
        assert set(found) == {broken("asset", asset, "collection"), broken("movie_asset", link, "title")}

    def test_the_journal_is_asked_with_it(self, unit: Database) -> None:
        ((row,),) = unit.execute("SELECT max(id) FROM operation")
        with unit.as_keeper():
            unit.execute("UPDATE operation SET unit_id = ? WHERE id = ?", (NOBODY, row))

        (found,) = checks.all_broken_references(unit)

        assert (found.subject, found.id) == ("operation", str(row))

    def test_narrowed_to_what_was_touched_each_broken_reference_of_a_row_is_told(self, unit: Database) -> None:
        unit.execute("UPDATE asset SET collection_id = ? WHERE id = ?", (NOBODY, asset_id(unit, "Brazil")))
        alien, link = asset_id(unit, "Alien"), link_of(unit, "Alien")

        breaks_link = f"UPDATE movie_asset SET title_id = '{NOBODY}', asset_id = '{NOBODY}' WHERE id = {link}"  # noqa: S608  ours
        with narrowed(unit, breaks_link) as narrowing:
            found = checks.broken_references(unit)
            assert narrowing.judged == {"foreign_key"}

        assert len(found) == 2
        assert set(found) == {broken("movie_asset", link, parent) for parent in ("asset", "title")}

        breaks_asset = f"UPDATE asset SET path_mapping_id = 99, collection_id = '{NOBODY}' WHERE id = '{alien}'"  # noqa: S608  ours
        with narrowed(unit, breaks_asset):
            found = checks.broken_references(unit)

        assert len(found) == 2
        assert set(found) == {broken("asset", alien, parent) for parent in ("collection", "path_mapping")}

    def test_narrowed_to_what_is_whole_nothing_is_told(self, unit: Database) -> None:
        unit.execute("UPDATE asset SET collection_id = ? WHERE id = ?", (NOBODY, asset_id(unit, "Brazil")))

        with narrowed(unit, "UPDATE source SET name = 'renamed'"):
            assert checks.broken_references(unit) == []


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


def filled(db: Database, *statements: str) -> set[tuple[str, str | int]]:
    """Table and key of the rows that the statements touch."""
    tables = checks.touch(db, changed(db, *statements))
    rows = {(table, key) for table, key in db.execute("SELECT subject, id FROM temp.touched")}
    assert sorted(tables) == sorted({table for table, _ in rows})
    return rows


@pytest.mark.parametrize("many", [0, checks.MANY], ids=["many", "few"])
class TestFilling:
    @pytest.fixture(autouse=True)
    def from_so_many_on(self, monkeypatch: pytest.MonkeyPatch, many: int) -> None:
        """Rows are handled all at once, or one by one."""
        monkeypatch.setattr(checks, "MANY", many)

    def test_an_inserted_row_is_touched_and_what_it_refers_to(self, rooms: Database) -> None:
        touched_rows = filled(rooms, "INSERT INTO tape VALUES ('Them!', 3, 94), ('Heat', NULL, 170)")

        assert touched_rows == {("tape", "Them!"), ("tape", "Heat"), ("shelf", 3)}

    @pytest.mark.parametrize("own_keys", [(4, 5, 6), (4, 25), (-3, 15, 99), ()], ids=str)
    def test_rows_that_were_there_between_the_keys_of_inserted_ones_are_not_touched(
        self, rooms: Database, own_keys: tuple[int, ...]
    ) -> None:
        touched_rows = filled(rooms, *(f"INSERT INTO room VALUES ({key}, 'new')" for key in own_keys))  # noqa: S608  numbers of ours

        assert touched_rows == {("room", key) for key in own_keys}

    def test_keys_that_compare_otherwise_than_in_python_are_told_apart(self, rooms: Database) -> None:
        rooms.execute(
            "CREATE TABLE label (name TEXT PRIMARY KEY COLLATE NOCASE NOT NULL); INSERT INTO label VALUES ('b'), ('Q')"
        )

        touched_rows = filled(rooms, "INSERT INTO label VALUES ('A'), ('c'), ('Z')")

        assert touched_rows == {("label", key) for key in ("A", "c", "Z")}

    def test_where_references_are_enforced_only_rows_of_which_a_rule_may_find_one_wrong_are_touched(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, many: int
    ) -> None:
        importer.drafts = [movie("Alien", 1979), movie("Brazil", 1985)]
        catalog.ingest_collection(collection.name)
        with catalog.session() as db:
            db.set_rollback_only("a test looks at what would be")
            alien, brazil = asset_id(db, "Alien"), asset_id(db, "Brazil")

            added = filled(db, f"INSERT INTO marker (id, asset_id, kind, start_ms) VALUES (7, '{alien}', 'avail', 5)")  # noqa: S608  ours
            changed_rows = filled(db, "UPDATE marker SET start_ms = 6")
            gone = filled(db, f"DELETE FROM marker WHERE asset_id <> '{brazil}'")  # noqa: S608  ours

        # of two sound assets one is half, from which on all are looked at first, if they are many
        assert added == gone == (set() if many == 0 else {("asset", alien)})
        assert changed_rows == {("asset", alien)}

    def test_an_updated_row_touches_nothing_of_tables_that_no_rule_judges_by_it(self, rooms: Database) -> None:
        touched_rows = filled(rooms, "UPDATE tape SET minutes = minutes + 1 WHERE name IN ('Tron', 'Dune')")

        assert touched_rows == {("tape", "Tron"), ("tape", "Dune")}

    def test_a_row_that_was_moved_touches_what_it_referred_to_and_what_it_refers_to(self, rooms: Database) -> None:
        touched_rows = filled(rooms, "UPDATE tape SET shelf_id = 2 WHERE name = 'Alien'")

        assert touched_rows == {("tape", "Alien"), ("shelf", 1), ("shelf", 2)}

    def test_a_deleted_row_touches_what_it_referred_to_and_what_referred_to_it(self, rooms: Database) -> None:
        touched_rows = filled(rooms, "DELETE FROM shelf WHERE id = 1")

        assert touched_rows == {("room", 10), ("tape", "Alien"), ("tape", "Tron")}

    def test_a_row_that_changed_and_that_another_changed_one_refers_to_is_touched_once(self, rooms: Database) -> None:
        touched_rows = filled(
            rooms, "UPDATE shelf SET colour = 'grey' WHERE id = 2", "UPDATE tape SET shelf_id = 2 WHERE name = 'Dune'"
        )

        assert touched_rows == {("shelf", 2), ("tape", "Dune")}

    def test_what_was_touched_before_is_forgotten(self, rooms: Database) -> None:
        filled(rooms, "INSERT INTO room VALUES (40, 'loft')")

        assert filled(rooms, "INSERT INTO room VALUES (50, 'yard')") == {("room", 50)}
        assert filled(rooms) == set()

    def test_only_within_the_block_the_rules_look_at_these_rows_only(self, rooms: Database) -> None:
        assert rooms.scope is None

        with checks.narrowed(rooms, changed(rooms, "INSERT INTO room VALUES (40, 'loft')")) as narrowing:
            assert rooms.scope is narrowing
            assert list(narrowing.subjects) == ["room"]

        assert rooms.scope is None


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

        assert checks.above(rooms, changeset, "shelf") == shelves
        assert checks.above(rooms, changeset, "room") == in_rooms

    def test_nothing_of_a_table_is_above_what_is_not_below_it(self, rooms: Database) -> None:
        changeset = changed(rooms, "UPDATE shelf SET colour = 'grey'")

        assert checks.above(rooms, changeset, "tape") == set()
