"""The shape of a file's tables, as the schema itself tells it."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path
from typing import Any

import apsw

from retrovue_uow import Database
from retrovue_uow.uow.guard import Guard
from retrovue_uow.uow.tables import Reference, Shape, holding


def shape_of(path: Path, schema: str, kept: Set[str] = frozenset()) -> Shape:
    connection = apsw.Connection(str(path))
    connection.execute(schema).fetchall()
    connection.close()
    with Database(path) as db:
        db.transaction.set_guard(Guard(kept=kept))
        return db.shape


def test_it_has_columns_keys_and_references_of_every_table_but_the_keeper_s(tmp_path: Path) -> None:
    shape = shape_of(
        tmp_path / "some.db",
        """
        CREATE TABLE author (name TEXT, id INTEGER PRIMARY KEY AUTOINCREMENT);
        CREATE TABLE book (operation TEXT, author_id INTEGER REFERENCES author (id), isbn TEXT PRIMARY KEY);
        CREATE TABLE operation (id INTEGER PRIMARY KEY);
        CREATE TABLE Unit_of_work (id INTEGER PRIMARY KEY);
        CREATE VIEW listing AS SELECT isbn FROM book;
        CREATE VIRTUAL TABLE words USING fts5(text);
        """,
        kept=frozenset({"operation", "unit_of_work"}),
    )

    assert shape == Shape(
        columns={"book": ["operation", "author_id", "isbn"], "author": ["name", "id"]},
        keys={"book": "isbn", "author": "id"},
        references=[Reference("book", ("author_id",), "author", ("id",), is_to_key=True)],
        unkeyed=[],
        unrecorded=[],
        nullable={"book": "isbn"},
        nulls=[],
    )


def test_tables_without_a_key_of_one_column_are_named(tmp_path: Path) -> None:
    shape = shape_of(
        tmp_path / "some.db",
        """
        CREATE TABLE note (text TEXT);
        CREATE TABLE pair (one INTEGER, other INTEGER, PRIMARY KEY (one, other));
        CREATE TABLE sound (id INTEGER PRIMARY KEY);
        """,
    )

    assert (list(shape.keys), shape.unkeyed) == (["sound"], ["note", "pair"])


def test_references_are_those_that_sqlite_follows(tmp_path: Path) -> None:
    shape = shape_of(
        tmp_path / "some.db",
        """
        CREATE TABLE Author (Id INTEGER PRIMARY KEY, name TEXT UNIQUE);
        CREATE TABLE pair (one INTEGER, other INTEGER, PRIMARY KEY (one, other));
        CREATE TABLE "a ""b"" c" (id INTEGER PRIMARY KEY, "d ""e"" f" INTEGER REFERENCES author);
        CREATE TABLE book (id INTEGER PRIMARY KEY, one INTEGER, other INTEGER,
                           author_id INTEGER REFERENCES AUTHOR,
                           editor_id INTEGER REFERENCES author (ID) ON DELETE SET NULL,
                           pen_name TEXT REFERENCES author (name),
                           nobody INTEGER REFERENCES nowhere (id),
                           FOREIGN KEY (one, other) REFERENCES pair);
        CREATE TABLE note (text TEXT, book_id INTEGER REFERENCES book (id));
        """,
    )

    assert sorted(shape.references) == [
        Reference('a "b" c', ('d "e" f',), "Author", ("Id",), is_to_key=True),
        Reference("book", ("author_id",), "Author", ("Id",), is_to_key=True),
        Reference("book", ("editor_id",), "Author", ("ID",), is_to_key=True, on_delete="SET NULL"),
        Reference("book", ("one", "other"), "pair", ("one", "other"), is_to_key=False),
        Reference("book", ("pen_name",), "Author", ("name",), is_to_key=False),
    ]
    assert shape.unrecorded == [Reference("note", ("book_id",), "book", ("id",), is_to_key=False)]
    with Database(tmp_path / "some.db") as db, db.session():
        db.execute("INSERT INTO author VALUES (1, 'A')")
        db.execute('INSERT INTO "a ""b"" c" VALUES (2, 1)')
        by = shape.of_child('a "b" c')
        assert holding(db.execute, shape, by, {"Author": [1]}) == {by[0]: [(2, 1)]}


def test_children_come_before_their_parents(tmp_path: Path) -> None:
    shape = shape_of(
        tmp_path / "some.db",
        """
        CREATE TABLE city (id INTEGER PRIMARY KEY);
        CREATE TABLE house (id INTEGER PRIMARY KEY, street_id INTEGER REFERENCES street (id));
        CREATE TABLE person (id INTEGER PRIMARY KEY, boss_id INTEGER REFERENCES person (id),
                             house_id INTEGER REFERENCES house (id));
        CREATE TABLE street (id INTEGER PRIMARY KEY, city_id INTEGER REFERENCES city (id));
        """,
    )

    assert list(shape.keys) == list(shape.columns) == ["person", "house", "street", "city"]
    assert shape.ancestors("house") == {"house", "street", "city"}
    assert shape.ancestors("person") == {"person", "house", "street", "city"}
    assert shape.ancestors("city") == {"city"}


def test_where_tables_refer_in_a_circle_one_comes_first_and_the_others_follow_it(tmp_path: Path) -> None:
    shape = shape_of(
        tmp_path / "some.db",
        """
        CREATE TABLE a (id INTEGER PRIMARY KEY, c_id INTEGER REFERENCES c (id));
        CREATE TABLE b (id INTEGER PRIMARY KEY, a_id INTEGER REFERENCES a (id));
        CREATE TABLE c (id INTEGER PRIMARY KEY, b_id INTEGER REFERENCES b (id));
        """,
    )

    assert list(shape.keys) == ["a", "c", "b"]
    assert shape.ancestors("b") == {"a", "b", "c"}


def test_it_is_read_once_for_each_version_of_the_schema(tmp_path: Path) -> None:
    with Database(tmp_path / "some.db") as db:
        first = db.shape
        with db.session():
            db.execute("CREATE TABLE city (id INTEGER PRIMARY KEY)")
        second = db.shape
        with db.session():
            db.execute("INSERT INTO city DEFAULT VALUES")

        assert (list(first.keys), list(second.keys)) == ([], ["city"])
        assert db.shape is second


def test_a_schema_that_was_rolled_back_is_not_remembered(tmp_path: Path) -> None:
    with Database(tmp_path / "some.db") as db:
        with db.session():
            db.set_rollback_only("to see what remains")
            db.execute("CREATE TABLE city (id INTEGER PRIMARY KEY)")
            assert list(db.shape.keys) == ["city"]
        with db.session():
            db.execute("CREATE TABLE town (id INTEGER PRIMARY KEY)")

        assert list(db.shape.keys) == ["town"]


def test_a_table_has_no_key_while_one_is_null(tmp_path: Path) -> None:
    with Database(tmp_path / "some.db") as db:
        with db.session():
            db.execute("CREATE TABLE city (name TEXT PRIMARY KEY)")
            db.execute("INSERT INTO city VALUES ('Ulm'), (NULL)")
        assert (list(db.shape.keys), db.shape.unkeyed) == ([], ["city"])
        with db.session():
            db.execute("DELETE FROM city WHERE name IS NULL")

        assert (list(db.shape.keys), db.shape.unkeyed) == (["city"], [])


LIBRARY = """
CREATE TABLE reel (id TEXT PRIMARY KEY NOT NULL);
CREATE TABLE loan (id INTEGER PRIMARY KEY, reel_id TEXT REFERENCES reel (id));
CREATE TABLE seal (id INTEGER PRIMARY KEY, reel_id TEXT REFERENCES reel ON DELETE RESTRICT);
CREATE TABLE note (text TEXT, reel_id TEXT REFERENCES reel (id));
CREATE TABLE label (id INTEGER PRIMARY KEY, reel_id TEXT REFERENCES reel (id) ON DELETE SET NULL);
CREATE TABLE part (id INTEGER PRIMARY KEY, reel_id TEXT REFERENCES reel (id) ON DELETE CASCADE);
CREATE TABLE frame (id INTEGER PRIMARY KEY, part_id INTEGER REFERENCES part (id) ON DELETE CASCADE);
CREATE TABLE repair (id INTEGER PRIMARY KEY, frame_id INTEGER REFERENCES frame (id));
CREATE TABLE cover (id INTEGER PRIMARY KEY, reel_id TEXT REFERENCES reel (id),
                    part_id INTEGER REFERENCES part (id) ON DELETE CASCADE);
CREATE TABLE disc (id BLOB PRIMARY KEY NOT NULL);
CREATE TABLE sleeve (id INTEGER PRIMARY KEY, disc_id BLOB REFERENCES disc (id));
CREATE TABLE box (id INTEGER PRIMARY KEY, outer_id INTEGER REFERENCES box (id) ON DELETE CASCADE);
CREATE TABLE sticker (id INTEGER PRIMARY KEY, box_id INTEGER REFERENCES box (id));
CREATE TABLE place (id INTEGER PRIMARY KEY, hall TEXT, shelf INTEGER, UNIQUE (hall, shelf));
CREATE TABLE stand (id INTEGER PRIMARY KEY, hall TEXT, shelf INTEGER,
                    FOREIGN KEY (hall, shelf) REFERENCES place (hall, shelf));
INSERT INTO reel VALUES ('a'), ('b'), ('c');
INSERT INTO loan VALUES (1, 'b'), (2, 'a'), (3, 'c'), (4, NULL);
INSERT INTO seal VALUES (5, 'a');
INSERT INTO note VALUES ('torn', 'b');
INSERT INTO label VALUES (6, 'a');
INSERT INTO part VALUES (7, 'a'), (8, 'c');
INSERT INTO frame VALUES (9, 7), (10, 8);
INSERT INTO repair VALUES (11, 9), (12, 10);
INSERT INTO cover VALUES (13, 'a', 7), (14, 'a', 8);
INSERT INTO disc VALUES (x'01'), (x'02'), (x'03');
INSERT INTO sleeve VALUES (15, x'02'), (16, x'01'), (17, x'03');
INSERT INTO box VALUES (18, NULL), (19, 18), (20, 19);
INSERT INTO sticker VALUES (21, 20);
INSERT INTO place VALUES (22, 'A', 1), (23, 'A', 2), (24, 'B', 1);
INSERT INTO stand VALUES (25, 'A', 2), (26, 'B', 1), (27, 'A', NULL);
"""


def test_rows_that_keep_others_are_found_through_what_would_go_along(tmp_path: Path) -> None:
    shape = shape_of(tmp_path / "some.db", LIBRARY)
    every = [*shape.references, *shape.unrecorded]
    repairs = [each for each in every if each.child == "repair"]

    with Database(tmp_path / "some.db") as db:

        def kept_by(references: list[Reference], **going: list[Any]) -> dict[str, list[Any]]:
            return {each.child: list(pairs) for each, pairs in holding(db.execute, shape, references, going).items()}

        assert kept_by(every, reel=["a", "b"]) == {
            "loan": [(2, "a"), (1, "b")],
            "seal": [(5, "a")],
            "note": [(None, "b")],
            "repair": [(11, 9)],
            "cover": [(14, "a")],
        }
        assert kept_by(every, reel=["a", "b"], loan=[1], repair=[11]).keys() == {"loan", "seal", "note", "cover"}
        assert kept_by(repairs, reel=["a", "b"]) == {"repair": [(11, 9)]}
        of_discs = kept_by(every, disc=[b"\x01", b"\x02"])
        assert (sorted(of_discs.pop("sleeve")), of_discs) == ([(15, b"\x02"), (16, b"\x01")], {})
        assert kept_by(every, disc=[b"\x03"], part=[8], reel=["a"]) == {
            "loan": [(2, "a")],
            "seal": [(5, "a")],
            "repair": [(11, 9), (12, 10)],
            "sleeve": [(17, b"\x03")],
        }
        assert kept_by(every, box=[18]) == {"sticker": [(21, 20)]}
        assert kept_by(every, place=[22, 23]) == {"stand": [(25, 23)]}
        assert kept_by(every, reel=[], label=[6]) == {}
