"""Tables of a station's own in the catalogue's file: whatever their shape, units that do not touch them go on."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
from harness import draft, episode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrovue_uow import Catalog, Collection, ContractError, RetroVueError, UndoError, ValidationError
from retrovue_uow.store import checks
from retrovue_uow.testing import FakeImporter, snapshot
from retrovue_uow.uow.changes import Recording
from retrovue_uow.uow.database import Value
from retrovue_uow.uow.tables import quoted


def elsewhere(catalog: Catalog, *statements: str) -> None:
    """Let another program write, with references off as a shell has them."""
    connection = apsw.Connection(catalog.database.path)
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()


@pytest.fixture
def station(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    importer.drafts = [draft("a.mpg", kind="commercial"), episode("Dark", 1, 1)]
    catalog.ingest_collection(collection.name)
    return catalog


SOUND = {
    "a parent in capitals": ("air (id INTEGER PRIMARY KEY, x TEXT REFERENCES ASSET (ID) ON DELETE CASCADE)", "asset"),
    "the journal": ("note (id INTEGER PRIMARY KEY, x TEXT REFERENCES unit_of_work (id))", "unit_of_work"),
    "a blob key": ("pictures (h BLOB PRIMARY KEY NOT NULL, x TEXT REFERENCES asset (id) ON DELETE CASCADE)", "asset"),
    "a real key": ("moments (h REAL PRIMARY KEY NOT NULL, x TEXT REFERENCES asset (id) ON DELETE SET NULL)", "asset"),
    "a keyword": ('"order" (id INTEGER PRIMARY KEY, "group" TEXT REFERENCES asset (id) ON DELETE CASCADE)', "asset"),
    "a space": ('"play log" ("a ""key" TEXT PRIMARY KEY NOT NULL, x TEXT REFERENCES asset (id) ON DELETE CASCADE)', "asset"),
    "a unique column": ("note (id INTEGER PRIMARY KEY, x TEXT REFERENCES source (name))", "source.name"),
    "no rowid": ("air (k TEXT PRIMARY KEY NOT NULL, x REFERENCES asset (id) ON DELETE CASCADE) WITHOUT ROWID", "asset"),
    "an implied key": ("air (id INTEGER PRIMARY KEY, x REFERENCES asset ON DELETE CASCADE)", "asset"),
}


@pytest.mark.parametrize("case", SOUND)
def test_a_sound_table_is_written_recorded_and_undone(station: Catalog, collection: Collection, case: str) -> None:
    ddl, parent = SOUND[case]
    elsewhere(station, f"CREATE TABLE {ddl}")
    table = station.database.shape
    (name,) = table.keys.keys() - tables_of_ours()
    referred = parent.partition(".")[2] or "id"
    before = snapshot(station, journal=False)

    with station.session() as db:
        ((value,),) = db.execute(f"SELECT {referred} FROM {parent.partition('.')[0]} LIMIT 1")  # noqa: S608  the names are those above
        key: Value = b"\x00\xff" if name == "pictures" else 1.5 if name == "moments" else 7
        db.execute(f"INSERT INTO {quoted(name)} VALUES (?, ?)", (key, value))  # noqa: S608  the names are those above
    unit = station.history(1)[0]
    written = snapshot(station, journal=False)
    wiped = station.wipe_collection(collection.name)
    station.undo(str(wiped.unit_id))
    assert snapshot(station, journal=False) == written
    station.undo(unit.id)

    assert snapshot(station, journal=False) == before
    assert station.check().violations == ()
    with pytest.raises(RetroVueError, match=r"not there|FOREIGN KEY"), station.session() as db:
        db.execute("PRAGMA defer_foreign_keys = 1")
        db.execute(f"INSERT INTO {quoted(name)} VALUES (?, 'nowhere')", (b"\x01" if name == "pictures" else 8,))  # noqa: S608  the names are those above


def tables_of_ours() -> set[str]:
    with Catalog(":memory:") as fresh:
        return set(fresh.database.shape.keys)


def test_a_composite_reference_is_judged_whole(station: Catalog) -> None:
    elsewhere(
        station,
        "CREATE TABLE p (id INTEGER PRIMARY KEY, x, y, UNIQUE (x, y))",
        "CREATE TABLE q (id INTEGER PRIMARY KEY, x, y, FOREIGN KEY (x, y) REFERENCES p (x, y))",
    )
    with station.session() as db:
        db.execute("INSERT INTO p VALUES (1, 'a', 'b')")
        db.execute("INSERT INTO q VALUES (1, 'a', 'b'), (2, 'a', NULL)")

    with pytest.raises(RetroVueError), station.session() as db:
        db.execute("PRAGMA defer_foreign_keys = 1")
        db.execute("UPDATE p SET y = 'c'")

    elsewhere(station, "INSERT INTO q VALUES (3, 'b', 'a')")
    assert [(each.subject, each.id) for each in station.check().violations] == [("q", "3")]


UNRECORDED = {
    "no key": "note (text, x TEXT REFERENCES asset (id))",
    "a key of two columns": "note (text, x TEXT REFERENCES asset (id), PRIMARY KEY (text, x))",
}


@pytest.mark.parametrize("ddl", UNRECORDED.values(), ids=UNRECORDED)
def test_a_table_that_cannot_be_recorded_is_not_written_and_stops_nothing_else(
    station: Catalog, collection: Collection, ddl: str
) -> None:
    elsewhere(station, f"CREATE TABLE {ddl}")
    station.wipe_collection(collection.name)
    station.ingest_collection(collection.name)
    before = snapshot(station)

    for sql in ("INSERT INTO note VALUES (1, NULL)", "UPDATE NOTE SET text = 2", 'DELETE FROM main."note"'):
        with pytest.raises(ContractError, match=r"changes in table .* cannot be recorded"), station.session() as db:
            db.execute(sql)

    assert snapshot(station) == before
    with Catalog(station.database.path) as again:
        again.add_source("goes on")


def test_a_cascade_writes_no_table_that_cannot_be_recorded(station: Catalog, collection: Collection) -> None:
    elsewhere(station, "CREATE TABLE note (text, x TEXT REFERENCES asset (id) ON DELETE CASCADE)")
    before = snapshot(station)

    with pytest.raises(RetroVueError, match="changes in table 'note' cannot be recorded"):
        station.wipe_collection(collection.name)

    assert snapshot(station) == before


def test_a_row_without_a_key_is_refused_and_one_that_is_there_stops_nothing_else(station: Catalog) -> None:
    elsewhere(station, "CREATE TABLE f (h TEXT PRIMARY KEY, v)")
    before = snapshot(station)
    with pytest.raises(ValidationError, match="row of table 'f' has no key"), station.session() as db:
        db.execute("INSERT INTO f VALUES (NULL, 1)")
    assert snapshot(station) == before

    elsewhere(station, "INSERT INTO f VALUES (NULL, 1)")

    station.add_source("goes on")
    with pytest.raises(ContractError, match="changes in table 'f' cannot be recorded"), station.session() as db:
        db.execute("UPDATE f SET v = 2")


def test_a_row_whose_key_is_spelled_anew_is_not_lost_by_an_undo(station: Catalog) -> None:
    elsewhere(
        station, "CREATE TABLE tag (name TEXT PRIMARY KEY COLLATE NOCASE NOT NULL, note)", "INSERT INTO tag VALUES ('a', 1)"
    )
    with station.session() as db:
        db.execute("UPDATE tag SET name = 'A'")
    before, tables = snapshot(station), snapshot(station, journal=False)

    with pytest.raises(UndoError, match="cannot be undone: it added rows to table 'tag', whose key is compared by another"):
        station.undo(station.history(1)[0].id)

    assert snapshot(station) == before
    with station.session() as db:
        db.execute("DELETE FROM tag WHERE name = 'a'")
    station.undo(station.history(1)[0].id)
    assert snapshot(station, journal=False) == tables


def test_check_names_a_broken_reference_of_a_table_without_rowids(station: Catalog) -> None:
    elsewhere(
        station,
        "CREATE TABLE air (k TEXT PRIMARY KEY NOT NULL, asset_id REFERENCES asset (id)) WITHOUT ROWID",
        "INSERT INTO air VALUES ('noon', 'nowhere')",
    )

    assert [(each.rule, each.subject, each.id) for each in station.check().violations] == [("foreign_key", "air", "noon")]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP INDEX asset_path_mapping",
        "DROP TRIGGER path_mapping_in_use",
        "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (size >= 0)', '') WHERE name = 'asset'",
    ],
    ids=["index", "trigger", "CHECK"],
)
def test_a_schema_that_somebody_loosened_is_read_and_not_written(station: Catalog, sql: str) -> None:
    connection = apsw.Connection(station.database.path)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    for statement in (*sql.split("; "), "CREATE TABLE IF NOT EXISTS own (id INTEGER PRIMARY KEY)"):
        connection.execute(statement).fetchall()
    connection.close()

    with pytest.raises(RetroVueError, match="another program has changed the schema"):
        station.add_source("lost")

    assert [source.name for source in station.sources()] == ["station"]
    assert not station.check().is_sound


NAMES = st.sampled_from(["order", "play log", "Über", 'a"b', "x.y", "group", "select", "t", "[x]", "it's"])
KEYS = st.sampled_from(
    ["INTEGER PRIMARY KEY", "TEXT PRIMARY KEY NOT NULL", "BLOB PRIMARY KEY NOT NULL", "REAL PRIMARY KEY NOT NULL"]
)
REFERENCES = st.sampled_from(
    ["", " REFERENCES asset", " REFERENCES ASSET (ID) ON DELETE CASCADE", " REFERENCES asset (id) ON DELETE SET NULL",
     " REFERENCES source (name)", " REFERENCES Operation", " REFERENCES collection (id) DEFERRABLE INITIALLY DEFERRED"]
)  # fmt: skip
VALUES = st.one_of(st.none(), st.integers(-3, 3), st.sampled_from(["a", "disk", "A"]), st.binary(max_size=3), st.just(1.5))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shelf")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_units_on_drawn_tables_are_undone_bit_for_bit_or_refused_in_our_words(shelf: Path, data: st.DataObject) -> None:
    path = shelf / f"{len(list(shelf.iterdir()))}.db"
    (shelf / "media").mkdir(exist_ok=True)
    (shelf / "media" / "mounted.txt").touch()
    tables = data.draw(st.lists(NAMES, min_size=1, max_size=3, unique_by=str.lower), label="tables")
    importer = FakeImporter([draft("a.mpg", kind="commercial", duration_ms=1000), episode("Dark", 1, 1)])
    with Catalog(path, importers={"fake": importer}) as catalog:
        catalog.add_source("disk", "fake")
        catalog.add_collection("disk", "Shows", path_mappings={"/media": str(shelf / "media")})
        catalog.ingest_collection("Shows")
        for table in tables:
            tail = data.draw(st.sampled_from(["", " WITHOUT ROWID"]))
            key, column, refers = data.draw(KEYS), quoted(data.draw(NAMES) + "2"), data.draw(REFERENCES)
            elsewhere(catalog, f"CREATE TABLE {quoted(table)} ({quoted(table + '1')} {key}, {column}{refers}){tail}")
        start = snapshot(catalog, journal=False)
        pool = [*(asset.id for asset in catalog.assets()), catalog.collection("Shows").id]
        values = st.one_of(VALUES, st.sampled_from(pool))
        for table in data.draw(st.lists(st.sampled_from(tables), min_size=1, max_size=4), label="written"):
            before = snapshot(catalog, journal=False)
            try:
                with catalog.session() as db:
                    recording = Recording(db, db.shape)
                    db.execute(f"INSERT OR REPLACE INTO {quoted(table)} VALUES (?, ?)", (data.draw(values), data.draw(values)))  # noqa: S608  the names are those above
                    changeset = recording.changeset()
                    recording.close()
                    with checks.narrowed(db, changeset):
                        near = checks.broken_references(db)
                    assert set(near) == set(checks.all_broken_references(db))
            except RetroVueError:
                assert snapshot(catalog, journal=False) == before
        filled = snapshot(catalog, journal=False)
        try:
            wiped = catalog.wipe_collection("Shows")
        except RetroVueError:
            assert snapshot(catalog, journal=False) == filled
        else:
            catalog.undo(str(wiped.unit_id))
            assert snapshot(catalog, journal=False) == filled
        for unit in [each for each in catalog.history() if [one.name for one in each.operations] == ["session"]]:
            catalog.undo(unit.id)
        assert snapshot(catalog, journal=False) == start
        assert catalog.check().violations == ()


def test_a_full_text_table_of_ones_own_is_filled_in_a_session_and_a_trigger_on_ours_refused(station: Catalog) -> None:
    elsewhere(station, "CREATE VIRTUAL TABLE search USING fts5(path)")
    with station.session() as db:
        db.execute("INSERT INTO search SELECT file_path FROM asset")
    with station.session() as db:
        db.execute("DELETE FROM search")
        db.execute("INSERT INTO search SELECT file_path FROM asset")

    assert len(station.database.execute("SELECT path FROM search WHERE search MATCH 'dark'")) == 1
    assert station.check().violations == ()

    elsewhere(station, "CREATE TRIGGER asset_search AFTER INSERT ON asset BEGIN INSERT INTO search VALUES (new.file_path); END")
    with pytest.raises(RetroVueError, match="asset_search"):
        station.add_source("refused")


def test_a_reference_that_was_added_at_the_end_since_is_in_no_older_record(station: Catalog) -> None:
    elsewhere(station, "CREATE TABLE air (id INTEGER PRIMARY KEY, note TEXT)")
    with station.session() as db:
        db.execute("INSERT INTO air VALUES (1, 'noon')")
    unit = station.history(1)[0]
    elsewhere(station, "ALTER TABLE air ADD COLUMN asset_id TEXT REFERENCES asset (id)")

    station.undo(unit.id)

    assert station.database.execute("SELECT count(*) FROM air") == [(0,)]
