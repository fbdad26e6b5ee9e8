"""What somebody else has put into a catalogue: beside what is ours it may stay, on our tables nothing is written past it."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from retrovue_uow import Catalog, OperationError, ResourceError
from retrovue_uow.store import extensions, migrations
from retrovue_uow.testing import snapshot

NOSY = "CREATE TRIGGER nosy AFTER INSERT ON {0} BEGIN SELECT 1; END"


def put(path: str | Path, sql: str) -> None:
    """Let another program change the schema."""
    other = apsw.Connection(str(path))
    other.execute(sql).fetchall()
    other.close()


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (NOSY.format("source"), r"'nosy' \(on source\)"),
        (NOSY.format("SOURCE"), r"'nosy' \(on SOURCE\)"),
        (
            "DROP TRIGGER path_mapping_in_use; CREATE TRIGGER path_mapping_in_use AFTER UPDATE ON source BEGIN SELECT 1; END",
            r"'path_mapping_in_use' \(on source\)",
        ),
    ],
    ids=["on a table", "in other letters", "by a name of ours"],
)
def test_a_trigger_on_a_table_of_ours_stops_every_unit(catalog: Catalog, sql: str, told: str) -> None:
    put(catalog.database.path, sql)
    before = snapshot(catalog)

    with pytest.raises(OperationError, match=told) as caught:
        catalog.add_source("meanwhile")

    assert isinstance(caught.value.cause, ResourceError)
    assert snapshot(catalog) == before


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("DROP VIEW asset_listing", "open it again"),
        (
            "DROP VIEW violation; CREATE VIEW violation AS SELECT '' AS rule, '' AS subject, '' AS id WHERE false",
            "open it again",
        ),
        (
            f"PRAGMA user_version = {len(extensions.own().migrations) - 1}; CREATE TABLE note (id INTEGER PRIMARY KEY)",
            "open it again",
        ),
        ("PRAGMA user_version = 99; CREATE TABLE note (id INTEGER PRIMARY KEY)", "schema version 99"),
        ("PRAGMA application_id = 7; CREATE TABLE note (id INTEGER PRIMARY KEY)", "is a database of another program"),
    ],
    ids=["view dropped", "rule replaced", "older", "newer", "another program's"],
)
def test_what_is_no_longer_this_library_s_catalogue_stops_every_unit(catalog: Catalog, sql: str, told: str) -> None:
    catalog.add_source("before")
    put(catalog.database.path, sql)
    before = snapshot(catalog)

    with pytest.raises(OperationError, match=f"'{catalog.database.path}'.*{told}"):
        catalog.add_source("meanwhile")

    assert snapshot(catalog) == before


def test_a_dropped_trigger_stops_nothing_any_more(catalog: Catalog) -> None:
    put(catalog.database.path, NOSY.format("source"))
    with pytest.raises(OperationError, match="'nosy'"):
        catalog.add_source("meanwhile")
    put(catalog.database.path, "DROP TRIGGER nosy")

    catalog.add_source("after")

    assert len(snapshot(catalog)["source"]) == 1


def test_ten_triggers_are_named_and_the_others_counted(catalog: Catalog) -> None:
    put(catalog.database.path, ";".join(NOSY.format("source").replace("nosy", f"nosy_{number:02}") for number in range(12)))

    with pytest.raises(OperationError) as caught:
        catalog.add_source("meanwhile")

    listed = ", ".join(f"'nosy_{number:02}' (on source)" for number in range(10))
    assert f"not this library's: {listed}, and 2 more. They" in str(caught.value)


def test_tables_and_views_of_one_s_own_may_have_triggers(catalog: Catalog) -> None:
    put(
        catalog.database.path,
        """
        CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT);
        CREATE TRIGGER note_is_neat AFTER INSERT ON note BEGIN UPDATE note SET text = trim(text) WHERE id = new.id; END;
        CREATE VIEW ready AS SELECT id FROM asset WHERE state = 'ready';
        CREATE TRIGGER ready_stays INSTEAD OF DELETE ON ready BEGIN SELECT raise(ABORT, 'no'); END;
        """,
    )

    with catalog.session() as db:
        db.execute("INSERT INTO note (text) VALUES (' mine ')")

    assert snapshot(catalog)["note"] == [(1, "mine")]
    assert catalog.check().is_sound


@pytest.mark.parametrize("read_only", [False, True])
def test_a_view_in_the_place_of_a_table_is_refused(catalog: Catalog, *, read_only: bool) -> None:
    path = catalog.database.path
    catalog.close()
    put(path, "DROP TABLE marker; CREATE VIEW Marker AS SELECT 1 AS id; CREATE VIEW mine AS SELECT 2 AS id")

    with pytest.raises(ResourceError, match=f"in catalogue '{path}', 'Marker' is a view instead of a table"):
        Catalog(path, read_only=read_only)


@pytest.mark.parametrize("read_only", [False, True])
def test_an_older_catalogue_with_a_trigger_on_a_table_of_ours_stays_as_it_is(tmp_path: Path, *, read_only: bool) -> None:
    path = tmp_path / "catalog.db"
    put(path, extensions.own().migrations["0001_catalogue"])
    put(path, f"PRAGMA user_version = 1; PRAGMA application_id = {migrations.APPLICATION_ID}; {NOSY.format('source')}")
    before = snapshot(path)

    with pytest.raises(ResourceError, match=f"'{path}' is of an older version" if read_only else r"'nosy' \(on source\)"):
        Catalog(path, read_only=read_only)

    assert snapshot(path) == before
    assert not list(tmp_path.glob("*.bak"))
