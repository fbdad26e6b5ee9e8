"""The operator's decisions outlive rows: what comes back is as was decided, and nothing else can be committed."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import apsw
import attrs
import pytest
from harness import draft, episode, movie

from retrovue_uow import Catalog, Collection, UndoError, ValidationError
from retrovue_uow.model import JournalUnit
from retrovue_uow.testing import FakeImporter, snapshot

OLDER = Path(__file__).parents[1] / "data" / "catalogue_of_schema_3.db.gz"


@pytest.fixture
def station(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    importer.drafts = [draft("a.mpg", kind="commercial"), episode("Cheers", 1, 1, year=1982), movie("Blob", 1958)]
    catalog.ingest_collection(collection.name)
    catalog.approve(catalog.assets())
    return catalog


def kept(catalog: Catalog, key: str = "a.mpg") -> dict[str, object]:
    (asset,) = [each for each in catalog.assets() if each.canonical_key.endswith(key)]
    return {
        "kind": asset.kind,
        "state": asset.state,
        "approved": asset.approved,
        "title": asset.title,
        "numbers": asset.episode_numbers,
    }


def asset_id(catalog: Catalog, key: str) -> str:
    return next(each.id for each in catalog.assets() if each.canonical_key.endswith(key))


class TestUndoAgainstALaterWord:
    def test_what_was_retired_since_comes_back_retired(self, station: Catalog, collection: Collection) -> None:
        wiped = station.wipe_collection(collection.name)
        station.ingest_collection(collection.name)
        station.retire([asset_id(station, "a.mpg")])
        station.wipe_collection(collection.name)

        undone = station.undo(str(wiped.unit_id))

        assert kept(station) == {"kind": "commercial", "state": "retired", "approved": False, "title": None, "numbers": ()}
        assert kept(station, "S01E01.mkv")["approved"]
        assert undone.settled == ("'/media/a.mpg' is retired",)
        assert [(each.path, each.reason) for each in undone.withdrawals] == [("/media/a.mpg", "it is retired")]
        assert station.check().violations == ()

    def test_what_was_forgotten_and_retired_since_comes_back_retired(
        self, station: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        found = list(importer.drafts)
        importer.drafts = found[1:]
        station.ingest_collection(collection.name)
        forgotten = station.forget_missing(collection.name, max_fraction=1)
        importer.drafts = found
        station.ingest_collection(collection.name)
        station.retire([asset_id(station, "a.mpg")])
        station.wipe_collection(collection.name)

        undone = station.undo(str(forgotten.unit_id))

        assert kept(station)["state"] == "retired"
        assert undone.settled == ("'/media/a.mpg' is retired",)

    def test_what_was_assigned_since_comes_back_as_assigned(self, station: Catalog, collection: Collection) -> None:
        wiped = station.wipe_collection(collection.name)
        station.ingest_collection(collection.name)
        station.assign([asset_id(station, "a.mpg")], kind="episode", title="Cheers", season_number=1, episode_numbers=[2, 3])
        station.assign([asset_id(station, "S01E01.mkv")], kind="movie", title="Pilot", year=1981)
        station.wipe_collection(collection.name)

        undone = station.undo(str(wiped.unit_id))

        assert (kept(station)["title"], kept(station)["numbers"]) == ("Cheers", (2, 3))
        assert (kept(station, "S01E01.mkv")["kind"], kept(station, "S01E01.mkv")["title"]) == ("movie", "Pilot")
        assert sorted(undone.settled) == [
            "'/media/Cheers/S01E01.mkv' is what it was assigned to be",
            "'/media/a.mpg' is what it was assigned to be",
        ]
        assert station.check().violations == ()

    @pytest.mark.parametrize("is_there", [False, True], ids=["gone", "there"])
    def test_what_was_renamed_since_comes_back_under_its_new_name(
        self, station: Catalog, collection: Collection, importer: FakeImporter, is_there: bool
    ) -> None:
        wiped = station.wipe_collection(collection.name)
        importer.drafts = [movie("Blob", 1958)]
        station.ingest_collection(collection.name)
        station.rename_title("Blob", name="The Blob")
        if is_there:
            station.assign([asset_id(station, "(1958).mkv")], kind="movie", title="The Blob", year=1958)
            with station.session() as db:
                db.execute("UPDATE asset SET canonical_key = '/media/elsewhere.mkv', file_path = file_path || '2'")
                db.execute("DELETE FROM assignment")
        else:
            station.wipe_collection(collection.name)

        undone = station.undo(str(wiped.unit_id))

        assert [(title.name, title.assets) for title in station.titles("movie")] == [("The Blob", 2 if is_there else 1)]
        assert undone.settled == ("movie 'Blob (1958)' is 'The Blob (1958)', as it was renamed or merged",)
        station.ingest_collection(collection.name, refresh="all")
        assert [title.name for title in station.titles("movie")] == ["The Blob"]

    def test_an_undo_that_settled_something_is_undone_as_one(self, station: Catalog, collection: Collection) -> None:
        wiped = station.wipe_collection(collection.name)
        station.ingest_collection(collection.name)
        station.retire([asset_id(station, "a.mpg")])
        station.wipe_collection(collection.name)
        before = snapshot(station, journal=False)
        undone = station.undo(str(wiped.unit_id))

        station.undo(str(undone.unit_id))

        assert snapshot(station, journal=False) == before


class TestUndoOfWhatALaterWordNames:
    @pytest.mark.parametrize(
        "decide",
        [
            lambda catalog: catalog.merge_titles("Chers", into="Bar"),
            lambda catalog: catalog.assign([asset_id(catalog, "a.mpg")], kind="episode", title="Bar", year=1982,
                                           season_number=1, episode_numbers=[9]),
        ],
        ids=["merged", "assigned"],
    )  # fmt: skip
    def test_a_rename_is_not_undone_under_a_later_decision(
        self, station: Catalog, collection: Collection, importer: FakeImporter, decide: Callable[[Catalog], object]
    ) -> None:
        importer.drafts = [*importer.drafts, episode("Chers", 1, 2)]
        station.ingest_collection(collection.name)
        renamed = station.rename_title("Cheers", name="Bar")
        decide(station)
        before = snapshot(station)

        with pytest.raises(UndoError, match="decided since in the name of show 'Bar'") as caught:
            station.undo(str(renamed.unit_id))

        assert isinstance(caught.value.cause, ValidationError)
        assert snapshot(station) == before

    def test_a_rename_without_a_later_decision_is_undone(self, station: Catalog) -> None:
        before = snapshot(station, journal=False)
        station.rename_title("Blob", name="The Thing")
        renamed = station.rename_title("Cheers", name="Bar", year=1983)
        station.undo(str(renamed.unit_id))

        assert [title.name for title in station.titles("show")] == ["Cheers"]
        assert snapshot(station, journal=False)["title_spelling"] != before["title_spelling"]


class TestTheRules:
    @pytest.mark.parametrize(
        "sql",
        [
            "UPDATE asset SET state = 'ready' WHERE canonical_key = '/media/a.mpg'",
            "UPDATE asset SET kind = 'bumper' WHERE canonical_key LIKE '%S01E01.mkv'",
            "UPDATE title SET name = 'Other' WHERE name = 'Pilot'",
            "UPDATE title SET year = 1990 WHERE name = 'Pilot'",
            "UPDATE season SET number = 4 WHERE number = 3",
            "UPDATE episode SET number = 8 WHERE number = 7",
            "UPDATE assignment SET episode_numbers = '[7, 8]' WHERE kind = 'episode'",
            "UPDATE title SET name = 'Blob' WHERE name = 'The Blob'",
            "INSERT INTO title_spelling (kind, spelled, spelled_year, name) VALUES ('show', 'Pilot', 1981, 'Bar')",
        ],
    )
    def test_no_sql_of_ones_own_contradicts_a_decision(self, station: Catalog, sql: str) -> None:
        station.rename_title("Blob", name="The Blob")
        station.retire([asset_id(station, "a.mpg")])
        show = [asset_id(station, "S01E01.mkv")]
        station.assign(show, kind="episode", title="Pilot", year=1981, season_number=3, episode_numbers=[7])
        before = snapshot(station)

        with pytest.raises(ValidationError, match="operator"), station.session() as db:
            db.execute(sql)

        assert snapshot(station) == before

    def test_a_title_may_take_a_name_that_was_given_up(self, station: Catalog) -> None:
        station.rename_title("Blob", name="The Blob")
        station.assign([asset_id(station, "a.mpg")], kind="movie", title="Other", year=1958)

        station.rename_title("Other", name="Blob")

        assert [title.name for title in station.titles("movie")] == ["Blob", "The Blob"]
        assert station.check().violations == ()

    def test_what_is_assigned_to_a_name_that_was_given_up_belongs_to_the_new_one(self, station: Catalog) -> None:
        station.rename_title("Blob", name="The Blob")

        station.assign([asset_id(station, "a.mpg")], kind="movie", title="Blob", year=1958)

        assert [(title.name, title.assets) for title in station.titles("movie")] == [("The Blob", 2)]


def test_a_catalogue_of_the_version_before_is_settled_as_it_is_migrated_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(gzip.decompress(OLDER.read_bytes()))
    before = {each.canonical_key: each for each in _assets_of_older(path)}

    with Catalog(path) as catalog:
        after = {each.canonical_key: each for each in catalog.assets()}
        told: list[JournalUnit] = catalog.history(1)
        violations = catalog.check().violations

    changed = {
        key: (each.kind, each.state, each.title)
        for key, each in after.items()
        if each.title != before[key][0] or each.state != before[key][1]
    }
    assert changed == {
        "/media/Ads/Blob (1958).mkv": ("movie", "ready", "The Blob"),
        "/media/Ads/ad0.mpg": ("commercial", "retired", None),
        "/media/Ads/strange.mpg": ("movie", "ready", "Strange Days"),
    }
    assert [operation.name for operation in told[0].operations] == ["schema_migration"]
    assert isinstance(told[0].operations[0].result, dict)
    assert len(told[0].operations[0].result["settled"]) == 3
    assert violations == ()


@attrs.frozen
class _Older:
    canonical_key: str
    facts: tuple[object, object]

    def __getitem__(self, index: int) -> object:
        return self.facts[index]


def _assets_of_older(path: Path) -> list[_Older]:
    connection = apsw.Connection(str(path))
    rows = connection.execute(
        "SELECT canonical_key, coalesce(movie.name, show.name), state FROM asset "
        "LEFT JOIN movie_asset ON movie_asset.asset_id = asset.id LEFT JOIN title AS movie ON movie.id = movie_asset.title_id "
        "LEFT JOIN episode_asset ON episode_asset.asset_id = asset.id LEFT JOIN episode ON episode.id = episode_id "
        "LEFT JOIN season ON season.id = season_id LEFT JOIN title AS show ON show.id = season.title_id"
    ).fetchall()
    connection.close()
    return [_Older(str(key), (title, state)) for key, title, state in rows]
