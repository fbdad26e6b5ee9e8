"""New assets are written in batches, a table at a time; a file that SQLite refuses is named as if each were written alone."""

from __future__ import annotations

from collections.abc import Callable

import apsw
import attrs
import pytest
from harness import draft, episode, movie

from retrovue_uow import (
    AssetDraft,
    AssetSelector,
    Catalog,
    Collection,
    IngestError,
    Marker,
    ResourceError,
    TransactionLostError,
    ValidationError,
)
from retrovue_uow.errors import ConstraintError
from retrovue_uow.operations.ingest import BATCH
from retrovue_uow.testing import FakeImporter, snapshot

MANY = 2 * BATCH + 100
FIRST, MIDDLE, LAST, SECOND, END = 0, BATCH // 2, BATCH - 1, BATCH, MANY - 1


def files(count: int) -> list[AssetDraft]:
    """Episodes, movies and bumpers by turns."""
    make: list[Callable[[int], AssetDraft]] = [
        lambda number: episode("Dark", 1 + number // 30, 1 + number % 30, markers=(Marker("avail", 5),)),
        lambda number: movie(f"Part {number}", 1982, metadata={"editorial": {"plot": str(number)}}),
        lambda number: draft(f"{number}.mkv", kind="bumper"),
    ]
    return [make[number % 3](number) for number in range(count)]


@pytest.fixture
def station(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    """A catalogue into which more than two batches of files are to be ingested."""
    importer.drafts = files(MANY)
    return catalog


def trap(catalog: Catalog, trigger: str) -> None:
    """A trigger of the connection's own, which the guard would refuse to everybody else."""
    connection = catalog.database.connection
    with catalog.session():
        guard, connection.authorizer = connection.authorizer, None
        connection.execute(f"CREATE TEMP TRIGGER trap {trigger}")
        connection.authorizer = guard


def refusing(*places: int) -> str:
    keys = ", ".join(f"'{files(MANY)[place].source_path}'" for place in places)
    return f"BEFORE INSERT ON main.asset WHEN new.canonical_key IN ({keys}) BEGIN SELECT raise(ABORT, 'no room'); END"


def failing(catalog: Catalog) -> IngestError:
    """The error of an ingest that leaves nothing; the next one works."""
    before = snapshot(catalog)
    with pytest.raises(IngestError) as caught:
        catalog.ingest_collection("Shows")
    assert snapshot(catalog) == before
    with catalog.session() as db:
        db.execute("DROP TRIGGER IF EXISTS temp.trap")
    return caught.value


def contents(catalog: Catalog) -> list[list[tuple[object, ...]]]:
    """All that was ingested, without identifiers and times."""
    other = apsw.Connection(catalog.database.path, flags=apsw.SQLITE_OPEN_READONLY)
    queries = (
        "SELECT canonical_key, kind, state, approved, size, duration_ms FROM asset ORDER BY 1",
        """
        SELECT asset.canonical_key, title.name, title.year, season.number, episode.number, episode.name
          FROM asset
          LEFT JOIN movie_asset ON movie_asset.asset_id = asset.id
          LEFT JOIN episode_asset ON episode_asset.asset_id = asset.id
          LEFT JOIN episode ON episode.id = episode_asset.episode_id
          LEFT JOIN season ON season.id = episode.season_id
          JOIN title ON title.id IN (movie_asset.title_id, season.title_id)
         ORDER BY 1, 5
        """,
        "SELECT canonical_key, marker.kind, start_ms FROM marker JOIN asset ON asset.id = asset_id ORDER BY 1, 3",
        "SELECT canonical_key, domain, document FROM asset_metadata JOIN asset ON asset.id = asset_id ORDER BY 1, 2",
    )
    found = [other.execute(query).fetchall() for query in queries]
    other.close()
    return found


@pytest.mark.parametrize(
    "places",
    [(FIRST,), (MIDDLE,), (LAST,), (SECOND,), (SECOND + LAST,), (END,), (MIDDLE, END), (MIDDLE, LAST)],
    ids=["first", "middle", "last", "first of the second", "last of the second", "very last", "two batches", "two of one"],
)
def test_the_first_file_that_sqlite_refuses_is_named_wherever_it_stands(station: Catalog, places: tuple[int, ...]) -> None:
    trap(station, refusing(*places))

    error = failing(station)

    assert isinstance(error.cause, ConstraintError)
    assert error.phase == "execution"
    assert f"at '{files(MANY)[places[0]].source_path}'" in str(error)
    assert "no room" in str(error)
    assert station.ingest_collection("Shows").created == MANY


@pytest.mark.parametrize("table", ["title", "season", "episode", "episode_asset", "movie_asset", "marker", "asset_metadata"])
def test_a_file_is_named_whichever_of_its_rows_is_refused(station: Catalog, table: str) -> None:
    trap(station, f"BEFORE INSERT ON main.{table} BEGIN SELECT raise(ABORT, 'no room'); END")

    error = failing(station)

    first = 1 if table in {"movie_asset", "asset_metadata"} else 0
    assert f"at '{files(MANY)[first].source_path}'" in str(error)


def test_what_is_refused_only_in_a_batch_is_written_one_by_one(
    station: Catalog, importer: FakeImporter, collection: Collection
) -> None:
    crowd = "(SELECT count(*) FROM asset WHERE kind = 'episode') > (SELECT count(DISTINCT asset_id) FROM marker) + 1"
    trap(station, f"BEFORE INSERT ON main.marker WHEN {crowd} BEGIN SELECT raise(ABORT, 'no room'); END")

    one_by_one = station.ingest_collection("Shows")
    found = contents(station)

    assert one_by_one.created == MANY
    assert one_by_one.created_entities == {table: len(snapshot(station)[table]) for table in ("title", "season", "episode")}
    with station.session() as db:
        db.execute("DROP TRIGGER temp.trap")
    station.wipe_collection("Shows")
    at_once = station.ingest_collection("Shows")
    assert at_once.created_entities == one_by_one.created_entities
    assert at_once.paths == one_by_one.paths
    assert contents(station) == found
    assert station.check().is_sound


def read_anew(catalog: Catalog, importer: FakeImporter) -> None:
    """Ingest all and approve what is ready; each file is another one then."""
    importer.drafts = [attrs.evolve(each, duration_ms=60_000) for each in files(MANY)]
    catalog.ingest_collection("Shows")
    catalog.approve(AssetSelector())
    importer.drafts = [attrs.evolve(each, size=7, markers=(Marker("avail", 6),)) for each in importer.drafts]


@pytest.mark.parametrize("places", [(FIRST,), (LAST,), (SECOND,), (MIDDLE, END)], ids=str)
def test_the_first_known_file_that_sqlite_refuses_is_named_wherever_it_stands(
    station: Catalog, importer: FakeImporter, places: tuple[int, ...]
) -> None:
    read_anew(station, importer)
    trap(station, refusing(*places).replace("INSERT", "UPDATE OF size"))

    error = failing(station)

    assert (error.phase, type(error.cause)) == ("execution", ConstraintError)
    assert f"at '{files(MANY)[places[0]].source_path}'" in str(error)
    assert station.ingest_collection("Shows").refreshed == MANY


def test_what_is_refused_only_in_a_batch_is_refreshed_one_by_one(station: Catalog, importer: FakeImporter) -> None:
    read_anew(station, importer)
    crowd = "(SELECT count(*) FROM asset) > (SELECT count(DISTINCT asset_id) FROM marker) + 1"
    importer.drafts = [each for each in importer.drafts if each.kind == "episode"]
    with station.session() as db:
        db.execute("DELETE FROM asset WHERE kind <> 'episode'")
        db.execute("DELETE FROM title WHERE kind = 'movie'")
    trap(station, f"BEFORE INSERT ON main.marker WHEN {crowd} BEGIN SELECT raise(ABORT, 'no room'); END")

    one_by_one = station.ingest_collection("Shows")
    found = contents(station)

    assert one_by_one.refreshed == one_by_one.approvals_withdrawn == len(importer.drafts)
    with station.session() as db:
        db.execute("DROP TRIGGER temp.trap")
    station.undo(str(one_by_one.unit_id))
    at_once = station.ingest_collection("Shows")
    assert (at_once.paths, at_once.withdrawals) == (one_by_one.paths, one_by_one.withdrawals)
    assert contents(station) == found


@pytest.mark.parametrize("size", [1, 2, BATCH])
def test_what_a_file_changed_of_an_episode_is_seen_by_the_next_one_of_its_batch(
    station: Catalog, importer: FakeImporter, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = episode("Dark", 1, 1, duration_ms=1, episode_title="Old")
    second = attrs.evolve(first, file_path="/media/Dark/copy.mkv", source_path="/media/Dark/copy.mkv")
    importer.drafts = [first, second, episode("Dark", 1, 2, duration_ms=1, episode_title="Other")]
    station.ingest_collection("Shows")
    station.approve(AssetSelector())
    importer.drafts = [attrs.evolve(first, episode_title="New"), *importer.drafts[1:]]
    monkeypatch.setattr("retrovue_uow.operations.ingest.BATCH", size)

    result = station.ingest_collection("Shows", refresh="all")

    assert {asset.episode_title for asset in station.assets()} == {"Old", "Other"}
    assert [each.path for each in result.withdrawals] == [first.source_path, second.source_path]


def test_one_who_survives_a_refused_ingest_goes_on_with_what_was_there(station: Catalog, importer: FakeImporter) -> None:
    trap(station, refusing(END))
    with station.prepare_ingest("Shows") as prepared, station.session():
        with pytest.raises(IngestError), station.session(contain=True):
            station.ingest_collection(prepared)
        station.disable_collection("Shows")

    rows = snapshot(station)
    assert [len(rows[table]) for table in ("asset", "title", "season", "episode")] == [0] * 4
    assert not station.collections()[0].enabled


def test_a_rule_that_refuses_a_batch_names_its_rows(station: Catalog, importer: FakeImporter) -> None:
    importer.drafts = [*files(MANY), movie("Tron", 1982, markers=(Marker("avail", 60_001),))]

    error = failing(station)

    assert (error.phase, type(error.cause)) == ("postvalidation", ValidationError)
    assert isinstance(error.cause, ValidationError)
    assert [each.rule for each in error.cause.violations] == ["asset_marker_outside_duration"]
    assert "Tron" in str(error)


def struck(catalog: Catalog, number: int, error: BaseException) -> list[str]:
    """The INSERTs of an ingest at whose so-manyth asset something strikes, which leaves nothing; the next one works."""
    before, seen = snapshot(catalog), list[str]()

    def trace(cursor: object, sql: str, bindings: object) -> bool:
        seen.extend(sql.split()[2:3] if sql.split()[:2] == ["INSERT", "INTO"] else [])
        if sql.split()[2:3] == ["asset"] and seen.count("asset") == number:
            raise error
        return True

    catalog.database.connection.exec_trace = trace
    with pytest.raises((IngestError, KeyboardInterrupt)) as caught:
        catalog.ingest_collection("Shows")
    catalog.database.connection.exec_trace = None
    assert error in (caught.value, caught.value.__cause__, getattr(caught.value.__cause__, "__cause__", None))
    assert snapshot(catalog) == before
    assert catalog.ingest_collection("Shows").created == MANY
    return seen


@pytest.mark.parametrize("number", [1, MIDDLE, SECOND + 1, MANY])
@pytest.mark.parametrize("error", [KeyboardInterrupt("a fault"), apsw.FullError("a fault")], ids=["Ctrl-C", "full disk"])
def test_what_strikes_inside_a_batch_undoes_all_and_nothing_is_tried_again(
    station: Catalog, number: int, error: BaseException
) -> None:
    assert struck(station, number, error).count("asset") == number


@pytest.mark.parametrize("place", [FIRST, MIDDLE, SECOND])
def test_a_transaction_that_is_lost_inside_a_batch_is_lost(station: Catalog, place: int) -> None:
    trap(station, refusing(place).replace("ABORT", "ROLLBACK"))

    error = failing(station)

    assert isinstance(error.cause, TransactionLostError)
    assert station.ingest_collection("Shows").created == MANY


def test_a_full_disk_inside_a_batch_is_one(station: Catalog) -> None:
    connection = station.database.connection
    ((pages,),) = station.database.execute("PRAGMA page_count")
    connection.execute(f"PRAGMA max_page_count = {pages + 40}").fetchall()

    error = failing(station)

    assert (error.phase, isinstance(error.cause, ResourceError)) == ("execution", True)
    connection.execute("PRAGMA max_page_count = 1000000").fetchall()
    assert station.ingest_collection("Shows").created == MANY


def test_known_files_between_new_ones_stay_and_new_ones_come_in_order(station: Catalog, importer: FakeImporter) -> None:
    importer.drafts = files(MANY)[::7]
    station.ingest_collection("Shows")
    importer.drafts = files(MANY)

    result = station.ingest_collection("Shows", refresh="all")

    keys = [each.source_path for each in files(MANY)]
    assert list(result.paths["refreshed"]) == keys[::7]
    assert list(result.paths["created"]) == [key for place, key in enumerate(keys) if place % 7]
    assert station.check().is_sound


def test_titles_that_differ_in_case_alone_and_names_that_come_later_meet_within_a_batch(
    station: Catalog, importer: FakeImporter
) -> None:
    importer.drafts = [
        episode("Dark", 1, 1),
        episode("DARK", 1, 1, episode_title="Secrets"),
        episode("dark", 1, 2),
        movie("Ärger", 1982),
        movie("A\u0308RGER", 1982),
    ]

    result = station.ingest_collection("Shows")

    assert result.created_entities == {"title": 2, "season": 1, "episode": 2}
    assert [(title.name, title.assets) for title in station.titles()] == [("Dark", 3), ("Ärger", 2)]
    assert [asset.episode_title for asset in station.assets(kind="episode")] == ["Secrets", "Secrets", None]


def test_keys_that_were_given_once_are_never_given_again(station: Catalog, importer: FakeImporter) -> None:
    station.ingest_collection("Shows")
    before = {table: {row[0] for row in snapshot(station)[table]} for table in ("season", "episode")}
    station.wipe_collection("Shows")

    station.ingest_collection("Shows")

    for table, keys in before.items():
        assert keys.isdisjoint({row[0] for row in snapshot(station)[table]})
