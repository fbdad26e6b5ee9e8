"""Titles, seasons and episodes: each is there once, as the first file that knows it tells, and goes when nothing shows it."""

from __future__ import annotations

from typing import Any

import apsw
import attrs
import pytest
from harness import episode, movie

from retrovue_uow import AssetDraft, AssetSelector, Catalog, Collection
from retrovue_uow.store.titles import Hierarchy
from retrovue_uow.testing import FakeImporter, snapshot


class TakenBackError(Exception):
    """Ends a unit of which nothing is to stay."""


def file(name: str, show: str, season: int, *numbers: int, **facts: Any) -> AssetDraft:
    """A file of that name that shows episodes. Those of one ingest come in order of their names."""
    path = f"/media/{name}.mkv"
    return attrs.evolve(episode(show, season, numbers[0], **facts), file_path=path, source_path=path, episode_numbers=numbers)


def shown(catalog: Catalog) -> dict[str, list[tuple[Any, ...]]]:
    """File name → title, year, season, number and name of each episode that it shows, as another program sees it."""
    other = apsw.Connection(catalog.database.path, flags=apsw.SQLITE_OPEN_READONLY)
    rows = other.execute(
        """
        SELECT asset.canonical_key, title.name, title.year, season.number, episode.number, episode.name
          FROM asset
          JOIN episode_asset ON episode_asset.asset_id = asset.id
          JOIN episode ON episode.id = episode_asset.episode_id
          JOIN season ON season.id = episode.season_id
          JOIN title ON title.id = season.title_id
         ORDER BY episode.number
        """
    ).fetchall()
    other.close()
    found: dict[str, list[tuple[Any, ...]]] = {}
    for key, *facts in rows:
        found.setdefault(str(key).removeprefix("/media/").removesuffix(".mkv"), []).append(tuple(facts))
    return found


class TestAdding:
    def test_each_is_added_once_and_named_by_the_first_file_that_names_it(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        importer.drafts = [
            file("a", "Dark", 1, 1),
            file("b", "Dark", 1, 1),
            file("c", "Dark", 1, 1, episode_title="Secrets"),
            file("d", "Dark", 1, 1, episode_title="Lies"),
            file("e", "Dark", 1, 2, episode_title="Double Lives"),
            file("f", "Dark", 2, 1),
            file("g", "Dark", 1, 1, year=2017),
            file("h", "Dark", 1, 2, episode_title="Lies"),
        ]

        result = catalog.ingest_collection("Shows")

        assert result.created_entities == {"title": 2, "season": 3, "episode": 4}
        assert {table: len(snapshot(catalog)[table]) for table in result.created_entities} == result.created_entities
        assert shown(catalog) == {
            **{name: [("Dark", None, 1, 1, "Secrets")] for name in "abcd"},
            **{name: [("Dark", None, 1, 2, "Double Lives")] for name in "eh"},
            "f": [("Dark", None, 2, 1, None)],
            "g": [("Dark", 2017, 1, 1, None)],
        }

    def test_what_an_earlier_ingest_added_is_found_again(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        earlier = [file("a", "Dark", 1, 1), file("b", "Dark", 1, 2, episode_title="Lies"), movie("Tron"), movie("Tron", 1982)]
        importer.drafts = earlier
        catalog.ingest_collection("Shows")
        importer.drafts = [
            *earlier,
            file("c", "Dark", 1, 1, 2, 3, episode_title="Secrets"),
            attrs.evolve(movie("Tron", 1982), file_path="/media/d.mkv", source_path="/media/d.mkv"),
        ]

        result = catalog.ingest_collection("Shows")

        assert result.created_entities == {"episode": 1}
        assert shown(catalog) == {
            "a": [("Dark", None, 1, 1, "Secrets")],
            "b": [("Dark", None, 1, 2, "Lies")],
            "c": [("Dark", None, 1, 1, "Secrets"), ("Dark", None, 1, 2, "Lies"), ("Dark", None, 1, 3, "Secrets")],
        }
        assert [(title.year, title.assets) for title in catalog.titles("movie")] == [(None, 1), (1982, 2)]

    @pytest.mark.parametrize(
        ("removed", "added"),
        [
            ("title", {"title": 2, "season": 2, "episode": 4}),
            ("season", {"title": 1, "season": 2, "episode": 4}),
            ("episode", {"title": 1, "season": 1, "episode": 4}),
        ],
    )
    def test_what_was_seen_is_believed_until_it_is_forgotten(
        self, catalog: Catalog, removed: str, added: dict[str, int]
    ) -> None:
        with pytest.raises(TakenBackError), catalog.session() as db:
            hierarchy = Hierarchy(db)

            def look_up() -> list[object]:
                title = hierarchy.title("show", "Dark", 2017)
                season = hierarchy.season(title, 1)
                episodes = [hierarchy.episode(season, number, None) for number in (1, 2)]
                hierarchy.write()
                return [title, season, *episodes]

            before = look_up()
            db.execute(f"DELETE FROM {removed}")  # noqa: S608  the names are those above
            assert look_up() == before
            hierarchy.forget()
            assert look_up() != before
            assert hierarchy.added == added
            raise TakenBackError

        assert not snapshot(catalog)["title"]


class TestMerging:
    def test_equal_seasons_and_episodes_become_one_and_the_others_stay(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        importer.drafts = [
            file("a", "Dark", 1, 1),
            file("b", "Dark", 1, 2, episode_title="Lies"),
            file("c", "Dark", 3, 1),
            file("d", "The Dark", 1, 1, episode_title="Secrets"),
            file("e", "The Dark", 1, 2, episode_title="Double Lives"),
            file("f", "The Dark", 1, 3, episode_title="Past and Present"),
            file("g", "The Dark", 2, 1, episode_title="Beginnings and Endings"),
            file("h", "Darkness", 1, 1),
        ]
        catalog.ingest_collection("Shows")
        assets = {asset.id for asset in catalog.assets()}

        catalog.merge_titles("The Dark", into="Dark")

        first, second = ("Dark", None, 1, 1, "Secrets"), ("Dark", None, 1, 2, "Lies")
        assert shown(catalog) == {
            "a": [first],
            "b": [second],
            "c": [("Dark", None, 3, 1, None)],
            "d": [first],
            "e": [second],
            "f": [("Dark", None, 1, 3, "Past and Present")],
            "g": [("Dark", None, 2, 1, "Beginnings and Endings")],
            "h": [("Darkness", None, 1, 1, None)],
        }
        rows = snapshot(catalog)
        assert [len(rows[table]) for table in ("title", "season", "episode", "episode_asset")] == [2, 4, 6, 8]
        assert {asset.id for asset in catalog.assets()} == assets


class TestRemoving:
    def test_what_nothing_shows_any_more_goes_and_what_else_there_is_stays(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        importer.drafts = [
            file("a", "Dark", 1, 1),
            file("b", "Dark", 1, 2),
            file("c", "Dark", 2, 1),
            file("d", "Dark", 2, 1),
            file("e", "Travelers", 1, 1),
            attrs.evolve(movie("Tron", 1982), file_path="/media/f.mkv", source_path="/media/f.mkv"),
            movie("Tron", 1982),
        ]
        catalog.ingest_collection("Shows")

        result = catalog.assign(AssetSelector(path="[acef].mkv"), kind="filler")

        assert result.changed == 4
        assert shown(catalog) == {"b": [("Dark", None, 1, 2, None)], "d": [("Dark", None, 2, 1, None)]}
        rows = snapshot(catalog)
        assert [len(rows[table]) for table in ("title", "season", "episode", "episode_asset", "movie_asset")] == [2, 2, 2, 2, 1]
