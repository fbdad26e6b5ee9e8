"""What the operator decided about files and titles: it is kept as it was said, and found for whom it is meant."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest
from harness import draft, episode, movie

from retrovue_uow import AssetDraft, Catalog, Collection
from retrovue_uow.model import TitleKind
from retrovue_uow.store import decisions
from retrovue_uow.store.decisions import Decisions, Identity, TitleIdentity
from retrovue_uow.store.known import EVERYWHERE
from retrovue_uow.testing import FakeImporter, snapshot

DARK = Identity("episode", "Dark", 2017, 1, (3, 4), "Past and Present")
NOW = "2026-01-31T09:05:07.123456Z"


@pytest.fixture
def other(catalog: Catalog, collection: Collection, media: Path) -> Collection:
    """Another collection, whose files have the same paths."""
    return catalog.add_collection("station", "More", path_mappings={"/media": str(media)})


class TestSettling:
    def test_an_assigned_draft_is_what_was_said_and_keeps_the_rest(self) -> None:
        found = movie("Tron", 1982, duration_ms=60_000)
        decided = Decisions({"a": DARK}, spellings={("movie", "Tron", 1982): ("TRON", None)})

        settled = decided.settle("a", found)

        assert settled == attrs.evolve(
            found,
            kind="episode",
            title="Dark",
            year=2017,
            season_number=1,
            episode_numbers=(3, 4),
            episode_title="Past and Present",
        )

    @pytest.mark.parametrize(
        ("found", "kind"), [(movie("Tron", 1982), "movie"), (episode("Tron", 1, 2, year=1982), "show")], ids=["movie", "show"]
    )
    def test_a_title_is_spelled_as_the_station_does(self, found: AssetDraft, kind: TitleKind) -> None:
        decided = Decisions({"another": DARK}, spellings={(kind, "Tron", 1982): ("TRON", 1983)})

        settled = decided.settle("a", found)

        assert settled == attrs.evolve(found, title="TRON", year=1983)

    def test_a_title_is_spelled_so_whatever_its_case(self) -> None:
        decided = Decisions(spellings={("movie", "Tron", 1982): ("TRON", 1983)})

        assert decided.settle("a", movie("tron", 1982)).year == 1983

    @pytest.mark.parametrize(
        "found",
        [
            movie("Tron"),
            movie("Alien", 1982),
            episode("Tron", 1, 2, year=1982),
            draft("tape.mkv", title="Tron", year=1982),
            draft("tape.mkv", kind="movie", year=1982),
            draft("tape.mkv", kind="bumper", title="Tron", year=1982),
        ],
        ids=["no year", "other name", "show", "no kind", "no title", "bumper"],
    )
    def test_what_nothing_was_said_of_is_left_alone(self, found: AssetDraft) -> None:
        decided = Decisions({"another": DARK}, spellings={("movie", "Tron", 1982): ("TRON", 1983)})

        assert decided.settle("a", found) == found


class TestKeeping:
    def test_what_was_said_of_a_file_is_told_as_it_was_said(self, catalog: Catalog, collection: Collection) -> None:
        bumper = Identity("bumper")
        with catalog.session() as db:
            decisions.set_assignment(db, collection.id, "/media/a", DARK, now=NOW)
            decisions.set_assignment(db, collection.id, "/media/b", bumper, now=NOW)

        told = decisions.decisions(catalog.database, collection.id)

        assert told == Decisions({"/media/a": DARK, "/media/b": bumper}, set(), {})

    def test_each_file_of_each_collection_has_its_own(
        self, catalog: Catalog, collection: Collection, other: Collection, importer: FakeImporter
    ) -> None:
        importer.drafts = [draft("a.mkv"), draft("b.mkv")]
        for each in (collection, other):
            catalog.ingest_collection(each.id)
        with catalog.session() as db:
            for each in (collection, other):
                decisions.set_assignment(db, each.id, "/media/c.mkv", Identity("movie", each.name), now=NOW)
                decisions.set_assignment(db, each.id, "/media/d.mkv", DARK, now=NOW)
            catalog.retire([asset.id for asset in catalog.assets("Shows")])
            decisions.add_alias(db, "show", ("dark", None), ("Dark", 2017))

        def told(collection_id: str, key: str | None = None) -> Decisions:
            spans = EVERYWHERE if key is None else ((key, key),)
            return decisions.decisions(catalog.database, collection_id, spans)

        spellings: Mapping[TitleIdentity, tuple[str, int | None]] = {("show", "dark", None): ("Dark", 2017)}
        of_shows = {"/media/c.mkv": Identity("movie", "Shows"), "/media/d.mkv": DARK}
        of_more = {"/media/c.mkv": Identity("movie", "More"), "/media/d.mkv": DARK}
        assert told(collection.id) == Decisions(of_shows, {"/media/a.mkv", "/media/b.mkv"}, spellings)
        assert told(other.id) == Decisions(of_more, set(), spellings)
        assert told(collection.id, "/media/b.mkv") == Decisions({}, {"/media/b.mkv"}, spellings)
        assert told(other.id, "/media/c.mkv") == Decisions({"/media/c.mkv": Identity("movie", "More")}, set(), spellings)

    def test_what_was_assigned_to_a_title_follows_its_name(self, catalog: Catalog, collection: Collection) -> None:
        """A title of the other kind, or of another year, is another one."""
        said = {
            "/media/a": DARK,
            "/media/b": DARK._replace(year=None),
            "/media/c": Identity("movie", "Dark", 2017),
            "/media/d": DARK._replace(title="dark"),
        }
        with catalog.session() as db:
            for key, identity in said.items():
                decisions.set_assignment(db, collection.id, key, identity, now=NOW)

            decisions.add_alias(db, "show", ("Dark", 2017), ("Darkness", None))

        told = decisions.decisions(catalog.database, collection.id).assignments
        assert told == {**said, "/media/a": DARK._replace(title="Darkness", year=None)}
        assert [row[1:] for row in snapshot(catalog)["title_spelling"]] == [("show", "Dark", 2017, "Darkness", None)]
