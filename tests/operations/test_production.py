"""What has been on the air can be taken away in no way, in production; all else goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import attrs
import pytest
from harness import draft, episode, mounted, movie, operations_of_catalog

from retrovue_uow import (
    Asset,
    AssetDraft,
    AssetSelector,
    BusinessRuleError,
    Catalog,
    Collection,
    ContractError,
    JournalUnit,
    OperationError,
    ResourceError,
    RetroVueError,
    WipeError,
)
from retrovue_uow.media import plugins
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

TRON = movie("Tron", 1982)
OTHERS = [episode("Space: 1999", 1, 1), episode("Space: 1999", 1, 2), draft("bump.mkv", kind="bumper"), draft("tape 7.mkv")]
MOVED = attrs.evolve(TRON, file_path="/media/films/Tron.mkv", source_path="/media/films/Tron.mkv")
GROWN = attrs.evolve(TRON, size=2000)
MOVIES = AssetSelector(kind="movie")
DELETE = "DELETE FROM title WHERE kind = 'movie'; DELETE FROM asset WHERE kind = 'movie'"
DISGUISE = """
UPDATE asset SET kind = 'bumper' WHERE kind = 'movie';
DELETE FROM title WHERE kind = 'movie';
DELETE FROM asset WHERE canonical_key LIKE '%Tron%'
"""
RETIRE = """
UPDATE asset SET state = 'retired' WHERE kind = 'movie';
INSERT INTO retirement (collection_id, canonical_key, retired_at)
SELECT collection_id, canonical_key, '' FROM asset WHERE kind = 'movie'
"""
RENUMBER = """
PRAGMA defer_foreign_keys = on;
UPDATE asset SET id = 'f' || substr(id, 2) WHERE kind = 'movie';
UPDATE movie_asset SET asset_id = (SELECT id FROM asset WHERE kind = 'movie')
"""
AND_BACK = """
PRAGMA defer_foreign_keys = on;
CREATE TEMP TABLE kept AS SELECT * FROM movie_asset;
UPDATE asset SET id = 'f' || substr(id, 2) WHERE kind = 'movie';
UPDATE asset SET id = (SELECT asset_id FROM kept) WHERE kind = 'movie'
"""


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection, importer: FakeImporter) -> Catalog:
    """A catalogue with a show, a bumper, a tape that nothing could classify, and a movie."""
    importer.drafts = [*OTHERS, TRON]
    catalog.ingest_collection(collection.name)
    return catalog


@attrs.define(eq=False)
class Asked:
    """Protects nothing, and remembers of what it was asked."""

    assets: list[Asset] = attrs.field(factory=list)

    def __call__(self, asset: Asset) -> bool:
        self.assets.append(asset)
        return False


def the_movie(catalog: Catalog) -> Asset:
    (found,) = catalog.select(AssetSelector(path="Tron (1982).mkv"))
    return found


def ingest(catalog: Catalog, *drafts: AssetDraft, refresh: Any = None) -> None:
    """An ingest that finds just these."""
    importer = catalog.importers["fake"]
    assert isinstance(importer, FakeImporter)
    importer.drafts = drafts
    catalog.ingest_collection("Shows", refresh=refresh)


def sql(catalog: Catalog, statements: str) -> None:
    with catalog.session() as db:
        db.execute(statements)


def own_operation(catalog: Catalog, statements: str) -> None:
    with catalog.operation("own") as op:
        with op.preflight():
            pass
        with op.execution() as db:
            db.execute(statements)
        with op.postvalidation():
            pass
        op.finish(None)


def lost_length(catalog: Catalog) -> None:
    enricher = catalog.enrichers["fake"]
    assert isinstance(enricher, FakeEnricher)
    enricher.returns = lambda draft: draft
    ingest(catalog, *OTHERS, GROWN, refresh="all")


def processed(catalog: Catalog) -> None:
    grown = mounted(GROWN, catalog.collection("Shows").path_mappings[0].local_path)
    Path(grown.file_path).touch()
    catalog.process_asset(grown, "Shows", refresh="all")


def forgotten(catalog: Catalog) -> None:
    ingest(catalog, *OTHERS)
    catalog.forget_missing("Shows", max_fraction=1)


def folders_of(catalog: Catalog) -> tuple[str, str]:
    """Where the files are, and another folder, where none of them is."""
    (mapping,) = catalog.collection("Shows").path_mappings
    Path(f"{mapping.local_path}.new", "mounted").mkdir(parents=True)
    return mapping.local_path, f"{mapping.local_path}.new"


def undone(catalog: Catalog, act: Callable[[], object]) -> None:
    act()
    catalog.undo(catalog.history(1)[0].id)


REFUSED: Mapping[tuple[str, str], Callable[[Catalog], object]] = {
    ("wipe_collection", ""): lambda it: it.wipe_collection("Shows"),
    ("forget_missing", ""): forgotten,
    ("retire", ""): lambda it: it.retire(AssetSelector()),
    ("undo", "of its ingest"): lambda it: it.undo([each for each in it.history() if "asset" in (each.counts or {})][-1].id),
    ("undo", "of its reinstatement"): lambda it: it.undo(next(each for each in it.history() if is_reinstatement(each)).id),
    ("session", "deletes"): lambda it: sql(it, DELETE),
    ("session", "deletes what it has disguised"): lambda it: sql(it, DISGUISE),
    ("session", "retires"): lambda it: sql(it, RETIRE),
    ("session", "gives another id"): lambda it: sql(it, RENUMBER),
    ("operation", ""): lambda it: own_operation(it, DELETE),
}
DONE: Mapping[tuple[str, str], Callable[[Catalog], object]] = {
    ("undo", "of its approval"): lambda it: undone(it, lambda: it.approve(MOVIES)),
    ("session", "gives another id and back"): lambda it: sql(it, AND_BACK),
    ("ingest_collection", "it is not found"): lambda it: ingest(it, *OTHERS),
    ("ingest_collection", "it has moved"): lambda it: ingest(it, *OTHERS, MOVED),
    ("ingest_collection", "its file is another"): lambda it: ingest(it, *OTHERS, GROWN, refresh="changed"),
    ("ingest_collection", "its file has no length any more"): lost_length,
    ("process_asset", ""): processed,
    ("relocate_collection", ""): lambda it: it.relocate_collection("Shows", *folders_of(it), min_found=0),
    ("approve", ""): lambda it: it.approve(MOVIES),
    ("withdraw_approval", ""): lambda it: (it.approve(MOVIES), it.withdraw_approval(MOVIES)),
    ("assign", "to another kind"): lambda it: it.assign(MOVIES, kind="filler"),
    ("assign_by_name", "to another kind"): lambda it: it.assign_by_name(MOVIES, "{*}", kind="filler"),
    ("unassign", ""): lambda it: (it.assign(MOVIES, title="TRON"), it.unassign(MOVIES)),
    ("rename_title", ""): lambda it: it.rename_title("Tron", name="Tron Legacy"),
    ("merge_titles", ""): lambda it: (
        it.assign(AssetSelector(path="tape 7.mkv"), kind="movie", title="Tronn"),
        it.merge_titles("Tron", into="Tronn"),
    ),
}


def is_reinstatement(unit: JournalUnit) -> bool:
    return [each.name for each in unit.operations] == ["asset_reinstate"]


def cases(acts: Mapping[tuple[str, str], Callable[[Catalog], object]]) -> list[Any]:
    return [pytest.param(act, id=f"{verb} {what}".strip()) for (verb, what), act in acts.items()]


class TestGuard:
    @pytest.fixture
    def on_air(self, stocked: Catalog) -> Iterator[Catalog]:
        """The catalogue in production, where the movie has been on the air."""
        stocked.retire(MOVIES)
        stocked.reinstate(MOVIES)
        with Catalog(
            stocked.database.path,
            importers=stocked.importers,
            enrichers=stocked.enrichers,
            production=True,
            protects=lambda asset: asset.kind == "movie",
        ) as opened:
            yield opened

    @pytest.mark.parametrize("act", cases(REFUSED))
    def test_what_has_aired_cannot_be_deleted_retired_or_renumbered_in_any_way(
        self, on_air: Catalog, act: Callable[[Catalog], object]
    ) -> None:
        movie_id = the_movie(on_air).id
        before = {row[0] for row in snapshot(on_air)["asset"]}

        with pytest.raises(RetroVueError) as caught:
            act(on_air)

        cause = caught.value.cause if isinstance(caught.value, OperationError) else caught.value
        assert isinstance(cause, BusinessRuleError)
        assert "protected" in str(cause)
        assert "Tron (1982).mkv" in str(cause)
        assert on_air.asset(movie_id).state != "retired"
        assert {row[0] for row in snapshot(on_air)["asset"]} == before

    @pytest.mark.parametrize("act", cases(DONE))
    def test_all_that_leaves_it_where_it_is_goes_on(self, on_air: Catalog, act: Callable[[Catalog], object]) -> None:
        movie_id = the_movie(on_air).id

        act(on_air)

        assert on_air.asset(movie_id).state != "retired"
        assert on_air.check().is_sound

    def test_the_docs_have_every_verb(self) -> None:
        text = (Path(__file__).parents[2] / "docs" / "how-to.md").read_text(encoding="utf-8")
        table = text.split("### Protect what has aired")[1].split("\n### ")[0].split("\n## ")[0]
        lines = [line.split("|")[1:3] for line in table.splitlines() if line.startswith("| `")]
        told = {verb: becomes.strip() for verbs, becomes in lines for verb in re.findall("`([a-z_]+)`", verbs)}

        assert told.keys() == operations_of_catalog().keys() | {"session", "operation"}
        for verb, _ in REFUSED:
            assert told[verb].startswith("refused")
        for verb, _ in DONE:
            assert "done" in told[verb]

    def test_a_protection_gets_the_asset_as_it_was_before_the_unit(self, stocked: Catalog) -> None:
        movies = stocked.select(MOVIES)
        asked = Asked()
        with (
            Catalog(stocked.database.path, production=True, protects=asked) as opened,
            opened.session() as db,
        ):
            db.execute("UPDATE title SET name = 'Another' WHERE kind = 'movie'")
            db.execute("UPDATE asset SET duration_ms = 1 WHERE kind IN ('movie', 'bumper')")
            db.execute(DELETE)

        assert asked.assets == movies

    def test_nothing_is_asked_of_what_stays(self, stocked: Catalog) -> None:
        asked = Asked()
        with Catalog(
            stocked.database.path,
            importers=stocked.importers,
            enrichers=stocked.enrichers,
            production=True,
            protects=asked,
        ) as opened:
            ingest(opened, *OTHERS, MOVED)
            opened.approve(AssetSelector())
            opened.assign(MOVIES, kind="filler")

        assert asked.assets == []

    def test_each_asset_is_asked_about_once_in_a_unit_and_again_in_the_next(self, stocked: Catalog) -> None:
        asked = Asked()
        with Catalog(stocked.database.path, production=True, protects=asked) as opened:
            first = opened.retire(AssetSelector(kind="episode"))
            assert len(asked.assets) == len(set(asked.assets)) == first.changed == 2
            opened.undo(first.unit_id or "")
            opened.retire(AssetSelector(kind="episode"))

        assert len(asked.assets) == 4

    def test_a_protection_cannot_write(self, stocked: Catalog) -> None:
        def writing(asset: Asset) -> bool:
            opened.database.execute("UPDATE asset SET approved = 1")
            return False

        with Catalog(stocked.database.path, production=True, protects=writing) as opened:
            with pytest.raises(ResourceError, match="cannot write"):
                sql(opened, DELETE)

            assert len(opened.assets()) == 5

    def test_a_catalogue_in_memory_is_guarded_too(self, media: Path, importer: FakeImporter) -> None:
        importer.drafts = [TRON]
        with Catalog(
            ":memory:", importers={"fake": importer}, production=True, protects=lambda asset: asset.title == "Tron"
        ) as opened:
            opened.add_source("station", "fake")
            opened.add_collection("station", "Shows", path_mappings={"/media": str(media)})
            opened.ingest_collection("Shows")

            with pytest.raises(BusinessRuleError, match="protected"):
                sql(opened, DELETE)

            assert [each.title for each in opened.assets()] == ["Tron"]
            assert opened.check().is_sound

    def test_production_needs_to_be_told_what_a_unit_deletes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("retrovue_uow.catalog.HAS_SESSIONS", False)

        with pytest.raises(ResourceError, match="no session extension"):
            Catalog(tmp_path / "new.db", production=True, protects=lambda _: True)

    @pytest.mark.parametrize("protects", [None, "what has aired"])
    def test_production_that_protects_nothing_is_refused(self, tmp_path: Path, protects: Any) -> None:
        with pytest.raises(ContractError, match="`protects`"):
            Catalog(tmp_path / "new.db", production=True, protects=protects)

        assert not (tmp_path / "new.db").exists()

    def test_outside_production_nothing_is_protected(self, stocked: Catalog) -> None:
        with Catalog(stocked.database.path, protects=lambda _: True) as developing:
            assert developing.wipe_collection("Shows").deleted["asset"] == 5

    def test_what_a_protection_cannot_tell_is_protected(self, stocked: Catalog) -> None:
        def broken(asset: Asset) -> bool:
            raise OSError("the log of the transmitter cannot be read")

        opened = Catalog(stocked.database.path, production=True, protects=broken)
        with opened, pytest.raises(WipeError, match="cannot be told"):
            opened.wipe_collection("Shows")

    def test_protections_are_found_by_entry_point(self, stocked: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
        found = EntryPoint("aired", f"{__name__}:everything_has_aired", plugins.PROTECTION_GROUP)
        monkeypatch.setattr(plugins, "entry_points", lambda group: [found] if group == found.group else [])

        with Catalog(stocked.database.path, production=True) as opened, pytest.raises(WipeError, match="protected"):
            opened.wipe_collection("Shows")

    def test_a_protection_that_cannot_be_imported_keeps_production_closed(
        self, stocked: Catalog, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = EntryPoint("aired", "nowhere:nothing", plugins.PROTECTION_GROUP)
        monkeypatch.setattr(plugins, "entry_points", lambda group: [found] if group == found.group else [])

        with pytest.raises(ResourceError, match="cannot be imported"):
            Catalog(stocked.database.path, production=True)


def everything_has_aired(asset: Asset) -> bool:
    return True
