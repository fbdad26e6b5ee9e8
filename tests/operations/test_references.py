"""Tables of a station's own refer to the catalogue's: what they need is not deleted, and what goes along comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw
import attrs
import pytest
from harness import episode, movie

from retrovue_uow import BusinessRuleError, Catalog, Collection, Marker, OperationError, WipeOptions
from retrovue_uow.store import checks
from retrovue_uow.testing import FakeImporter, snapshot

LOG = "log (id INTEGER PRIMARY KEY, what TEXT REFERENCES {} (id) {}) STRICT"


@pytest.fixture
def station(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    tron = movie("Tron", 1982, markers=(Marker("avail", 7),), metadata={"editorial": {"plot": "…"}})
    importer.drafts = [episode("Dark", 1, 1), episode("Dark", 1, 2), tron]
    catalog.ingest_collection(collection.name)
    return catalog


def elsewhere(catalog: Catalog, *statements: str) -> None:
    """Let another program write, with references off as a shell has them."""
    connection = apsw.Connection(catalog.database.path)
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()


def log(station: Catalog, parent: str, on_delete: str = "", *, times: int = 1) -> None:
    """A table that refers to every row of a table of the catalogue."""
    elsewhere(station, f"CREATE TABLE {LOG.format(parent, on_delete)}")
    with station.session() as db:
        for _ in range(times):
            db.execute(f"INSERT INTO log (what) SELECT id FROM {parent} ORDER BY id")  # noqa: S608  the test's own word


def wipe(station: Catalog) -> object:
    return station.wipe_collection("Shows")


def rebuild(station: Catalog) -> None:
    with station.prepare_ingest("Shows", as_if_empty=True) as prepared, station.session():
        station.wipe_collection("Shows")
        station.ingest_collection(prepared)


def forget(station: Catalog) -> object:
    elsewhere(station, "UPDATE asset SET missing_since = '2026-01-01T00:00:00Z'")
    return station.forget_missing("Shows", max_fraction=1)


def undo_ingest(station: Catalog) -> object:
    return station.undo(next(each.id for each in station.history() if each.operations[0].name == "collection_ingest"))


DELETING: dict[str, Callable[[Catalog], object]] = {
    "wipe": wipe,
    "dry run of a wipe": lambda station: station.wipe_collection("Shows", WipeOptions(dry_run=True)),
    "rebuild": rebuild,
    "forget": forget,
    "undo of the ingest": undo_ingest,
}


@pytest.mark.parametrize("delete", DELETING.values(), ids=DELETING)
def test_what_is_referred_to_is_not_deleted_and_preflight_says_so(
    station: Catalog, delete: Callable[[Catalog], object]
) -> None:
    log(station, "asset", times=2)
    ids = [row[1] for row in snapshot(station)["log"]]

    with pytest.raises(OperationError) as caught:
        delete(station)

    assert isinstance(caught.value.cause, BusinessRuleError)
    assert caught.value.phase == "preflight"
    message = str(caught.value)
    assert "3 assets cannot be deleted because of 6 rows of table 'log' (what): asset '/media/" in message
    assert "Nothing was changed: delete these rows first, or " in message
    assert all(id_ in message for id_ in ids)
    assert [row[1] for row in snapshot(station)["log"]] == ids
    assert len(station.assets()) == 3


def test_the_refusal_of_a_rebuild_says_how_files_are_read_anew(station: Catalog) -> None:
    log(station, "asset")

    with pytest.raises(OperationError, match="`collection ingest 'Shows' --refresh all`"):
        rebuild(station)


@pytest.mark.parametrize("parent", ["title", "season", "episode", "episode_asset", "movie_asset", "marker", "asset_metadata"])
def test_references_to_whatever_goes_with_an_asset_are_found(station: Catalog, importer: FakeImporter, parent: str) -> None:
    log(station, parent)
    count = len(snapshot(station)[parent])

    with pytest.raises(OperationError, match=rf"^collection_wipe failed in preflight: {count} {parent}s? cannot be deleted"):
        wipe(station)


def test_what_other_collections_hold_up_is_not_in_the_way(station: Catalog, importer: FakeImporter) -> None:
    station.add_collection(
        "station", "More", path_mappings={"/more": str(station.collections()[0].path_mappings[0].local_path)}
    )
    importer.drafts = [episode("Dark", 1, 1)]
    for of in ("episode", "season", "title"):
        elsewhere(station, f"CREATE TABLE log_{of} (id INTEGER PRIMARY KEY, x REFERENCES {of} (id))")
    with station.session() as db:
        db.execute(
            "UPDATE asset SET collection_id = (SELECT id FROM collection WHERE name = 'More'), path_mapping_id = "
            "(SELECT max(id) FROM path_mapping), canonical_key = '/more' || canonical_key WHERE canonical_key LIKE '%E01%'"
        )
        db.execute("INSERT INTO log_episode (x) SELECT id FROM episode WHERE number = 1")
        db.execute("INSERT INTO log_season (x) SELECT id FROM season")
        db.execute("INSERT INTO log_title (x) SELECT id FROM title WHERE name = 'Dark'")

    wipe(station)

    assert len(snapshot(station)["episode"]) == 1
    with pytest.raises(OperationError, match=r"1 title cannot .* title 'Dark' .*; 1 season cannot .*; 1 episode cannot "):
        station.wipe_collection("More")


def test_what_goes_along_is_counted_and_comes_back(station: Catalog) -> None:
    log(station, "asset", "ON DELETE CASCADE", times=2)
    before = snapshot(station, journal=False)

    wiped = station.wipe_collection("Shows")

    assert wiped.changes is not None
    assert wiped.changes.counts["log"] == {"delete": 6}
    assert snapshot(station)["log"] == []
    station.undo(str(wiped.unit_id))
    assert snapshot(station, journal=False) == before


def test_an_undo_does_not_take_along_what_was_added_since(station: Catalog) -> None:
    log(station, "asset", "ON DELETE CASCADE")

    with pytest.raises(OperationError, match="below what it added there is more now, log 1"):
        undo_ingest(station)


def test_what_goes_or_changes_with_an_undo_keeps_nothing(station: Catalog, importer: FakeImporter) -> None:
    log(station, "asset")
    before = snapshot(station, journal=False)
    importer.drafts = [*importer.drafts, movie("Brazil", 1985)]
    with station.prepare_ingest("Shows") as prepared, station.session() as db:
        station.ingest_collection(prepared)
        db.execute("INSERT INTO log (what) SELECT max(id) FROM asset")
        db.execute("UPDATE log SET what = (SELECT max(id) FROM asset) WHERE id = 1")

    station.undo(station.history(1)[0].id)

    assert snapshot(station, journal=False) == before


def test_what_is_set_to_null_is_not_in_the_way(station: Catalog) -> None:
    log(station, "asset", "ON DELETE SET NULL")

    wipe(station)

    assert [row[1] for row in snapshot(station)["log"]] == [None] * 3


def test_what_goes_along_may_be_needed_in_its_turn(station: Catalog) -> None:
    log(station, "marker", "ON DELETE CASCADE")
    elsewhere(
        station,
        "CREATE TABLE noted (id BLOB PRIMARY KEY NOT NULL, log_id INTEGER REFERENCES log (id) ON DELETE CASCADE, "
        "of BLOB REFERENCES noted (id) ON DELETE CASCADE) STRICT",
        "CREATE TABLE billed (id INTEGER PRIMARY KEY, noted BLOB REFERENCES noted (id))",
    )
    with station.session() as db:
        db.execute("DELETE FROM log")
        db.execute("INSERT INTO log (id, what) SELECT 5, id FROM marker")
        db.execute("INSERT INTO noted VALUES (x'01', 5, NULL), (x'02', NULL, x'01'), (x'03', NULL, NULL)")
        db.execute("INSERT INTO billed (noted) VALUES (x'02'), (x'03')")

    with pytest.raises(OperationError, match="1 row of table 'noted' cannot be deleted because of 1 row of table 'billed'"):
        wipe(station)
    with station.session() as db:
        db.execute("UPDATE billed SET noted = x'03'")
    wipe(station)

    assert [row[0] for row in snapshot(station)["noted"]] == [b"\x03"]


def test_what_goes_along_keeps_nothing(station: Catalog) -> None:
    elsewhere(
        station,
        "CREATE TABLE slot (id INTEGER PRIMARY KEY, asset REFERENCES asset (id) ON DELETE CASCADE)",
        "CREATE TABLE log (id INTEGER PRIMARY KEY, slot REFERENCES slot (id), asset REFERENCES asset ON DELETE CASCADE)",
    )
    with station.session() as db:
        db.execute("INSERT INTO slot (asset) SELECT id FROM asset")
        db.execute("INSERT INTO log (slot, asset) SELECT id, asset FROM slot")

    wipe(station)

    assert snapshot(station)["log"] == snapshot(station)["slot"] == []


def test_a_reference_to_unique_columns_counts_too(station: Catalog) -> None:
    elsewhere(
        station,
        'CREATE TABLE "the log" ("a key" INTEGER PRIMARY KEY, of TEXT, file TEXT, '
        "FOREIGN KEY (of, file) REFERENCES asset (collection_id, canonical_key))",
    )
    with station.session() as db:
        db.execute('INSERT INTO "the log" (of, file) SELECT collection_id, canonical_key FROM asset ORDER BY id LIMIT 1')

    with pytest.raises(OperationError, match=r"1 asset cannot be deleted because of 1 row of table 'the log' \(of, file\)"):
        wipe(station)


def test_what_was_decided_is_not_forgotten_while_it_is_referred_to(station: Catalog) -> None:
    station.retire(station.assets()[:1])
    log(station, "retirement")

    with pytest.raises(OperationError, match="1 retirement cannot be deleted because of 1 row of table 'log'"):
        forget(station)


@pytest.mark.parametrize("on_delete", ["", "ON DELETE CASCADE"])
def test_a_collection_and_a_source_that_are_referred_to_are_not_removed(station: Catalog, on_delete: str) -> None:
    wipe(station)
    source = station.sources()[0].name
    for noun, remove in (("collection", station.remove_collection), ("source", station.remove_source)):
        elsewhere(station, f"CREATE TABLE of_{noun} (id INTEGER PRIMARY KEY, x TEXT REFERENCES {noun} (id) {on_delete})")
        with station.session() as db:
            db.execute(f"INSERT INTO of_{noun} (x) SELECT id FROM {noun}")  # noqa: S608  the nouns above
        name = "Shows" if noun == "collection" else source
        if on_delete:
            remove(name)
            assert snapshot(station)[f"of_{noun}"] == []
            continue
        with pytest.raises(
            OperationError, match=f"1 {noun} cannot be deleted because of 1 row of table 'of_{noun}'.*{noun} '{name}'"
        ):
            remove(name)
        with station.session() as db:
            db.execute(f"DELETE FROM of_{noun}")  # noqa: S608  the nouns above
        remove(name)


def test_a_mapping_that_is_referred_to_is_not_removed(station: Catalog) -> None:
    wipe(station)
    log(station, "path_mapping")

    with pytest.raises(OperationError, match=r"1 path_mapping cannot be deleted .*: path_mapping '/media'"):
        station.unmap_path("Shows", "/media")


@pytest.mark.parametrize("on_delete", ["", "ON DELETE CASCADE"])
def test_merging_titles_keeps_what_refers_to_them(station: Catalog, importer: FakeImporter, on_delete: str) -> None:
    importer.drafts = [*importer.drafts, *(episode("Dark (DE)", *each) for each in ((1, 1), (1, 3), (2, 1)))]
    station.ingest_collection("Shows")
    tables = ("title", "season", "episode")
    for table in tables:
        elsewhere(station, f"CREATE TABLE log_{table} (id INTEGER PRIMARY KEY, x REFERENCES {table} (id) {on_delete})")
    with station.session() as db:
        for table in tables:
            db.execute(f"INSERT INTO log_{table} (x) SELECT id FROM {table}")  # noqa: S608  the names above
    before = snapshot(station, journal=False)

    merged = station.merge_titles("Dark (DE)", into="Dark")

    after = snapshot(station)
    assert station.check().is_sound
    for table in tables:
        assert len(after[f"log_{table}"]) == len(before[f"log_{table}"])
        assert {row[1] for row in after[f"log_{table}"]} == {row[0] for row in after[table]}
    station.undo(str(merged.unit_id))
    assert snapshot(station, journal=False) == before


def test_relocating_keeps_what_refers_to_assets_and_mappings(station: Catalog, collection: Collection) -> None:
    log(station, "asset")
    elsewhere(station, "CREATE TABLE of_mapping (id INTEGER PRIMARY KEY, x REFERENCES path_mapping (id))")
    with station.session() as db:
        db.execute("INSERT INTO of_mapping (x) SELECT id FROM path_mapping")
    before = snapshot(station)
    old = Path(collection.path_mappings[0].local_path)
    new = old.rename(old.with_name("new disk"))

    station.relocate_collection("Shows", str(old), str(new), min_found=0)

    assert snapshot(station)["log"] == before["log"]
    assert snapshot(station)["of_mapping"] == before["of_mapping"]
    assert station.check().is_sound


def test_nothing_is_looked_for_where_no_table_of_the_station_refers_to_the_catalogue(station: Catalog) -> None:
    elsewhere(
        station, "CREATE TABLE apart (id INTEGER PRIMARY KEY, x REFERENCES apart (id))", "INSERT INTO apart VALUES (1, 1)"
    )

    wipe(station)

    assert checks.foreign_references(station.database) == []


@pytest.mark.parametrize("key", ["", ", PRIMARY KEY (day, file)"])
def test_a_table_that_cannot_be_recorded_keeps_what_it_refers_to_as_well(station: Catalog, key: str) -> None:
    elsewhere(station, f"CREATE TABLE note (day TEXT, file TEXT REFERENCES asset (id){key})")
    elsewhere(station, "INSERT INTO note SELECT 'Monday', id FROM asset UNION ALL SELECT 'Tuesday', max(id) FROM asset")

    with pytest.raises(OperationError, match=r"3 assets cannot be deleted because of 4 rows of table 'note' \(file\)"):
        wipe(station)


def test_an_ingest_that_would_remove_a_title_names_the_tables_that_may_need_it(
    station: Catalog, importer: FakeImporter
) -> None:
    log(station, "title")
    importer.drafts = [attrs.evolve(each, title="Light", mtime_ns=1) for each in importer.drafts]
    before = snapshot(station)

    with pytest.raises(OperationError, match=r"FOREIGN KEY constraint failed\. The station's own .*: 'log' \(what\) to title$"):
        station.ingest_collection("Shows", refresh="all")

    assert snapshot(station) == before
