"""Ingesting real folders, and whatever importers and enrichers may do to it."""

from __future__ import annotations

import gc
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import attrs
import pytest
from harness import draft, episode, movie

from retrovue_uow import (
    AssetDraft,
    BusinessRuleError,
    Catalog,
    Collection,
    ConfigurationError,
    ContractError,
    IngestError,
    IngestFilters,
    IngestResult,
    Marker,
    OperationError,
    ResourceError,
    RetroVueError,
    Sidecar,
    ValidationError,
    Withdrawal,
    as_json,
)
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

S01E01 = "Shows/Space Family (1965)/Season 01/Space Family S01E01.mkv"
S01E02 = "Shows/Space Family (1965)/Season 01/Space Family S01E02.mkv"
S01E03 = "Shows/Space Family (1965)/Season 01/Space Family S01E03.mkv"
SPECIAL = "Shows/Space Family (1965)/Specials/Space Family S00E01.mkv"
DOUBLE = "Shows/Dark (2017)/Season 02/Dark S02E01-E02.mkv"
FILM = "Movies/Tron (1982)/Tron (1982).mkv"
EVERYTHING = IngestFilters()
BUMPER = "Bumpers/Back soon.mp4"
FILES = (S01E01, S01E02, S01E03, SPECIAL, DOUBLE, FILM, BUMPER)


@attrs.frozen
class Library:
    """A folder of media files, and the catalogue whose collection `Library` it is."""

    root: Path
    catalog: Catalog

    def key(self, name: str) -> str:
        return str(self.root / name)

    def add(self, name: str, size: int = 10) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0" * size)
        return path

    def remove(self, name: str) -> None:
        (self.root / name).unlink()

    def ingest(self, filters: IngestFilters = EVERYTHING, **options: Any) -> IngestResult:
        return self.catalog.ingest_collection("Library", filters, **options)


@pytest.fixture
def library(tmp_path: Path, enricher: FakeEnricher) -> Iterator[Library]:
    """Seven files in a collection with the file-name enricher, not yet ingested."""
    with Catalog(tmp_path / "library.db", enrichers={"fake": enricher}) as catalog:
        made = Library(tmp_path / "library", catalog)
        for name in FILES:
            made.add(name)
        catalog.add_source("disk")
        catalog.add_collection("disk", "Library", path_mappings={str(made.root): str(made.root)})
        catalog.attach_enricher("Library", "filename", priority=1)
        yield made


@pytest.fixture
def ingested(library: Library) -> Library:
    library.ingest()
    return library


@pytest.fixture
def stocked(catalog: Catalog, collection: Collection) -> Catalog:
    """The catalogue with what its fake importer finds."""
    catalog.ingest_collection("Shows")
    return catalog


def counts(result: IngestResult) -> dict[str, int]:
    """The counts that are not zero."""
    told = as_json(result)
    assert isinstance(told, dict)
    return {name: value for name, value in told.items() if type(value) is int and value}


def approve_all(catalog: Catalog) -> None:
    with catalog.session() as db:
        db.execute("UPDATE asset SET state = 'ready', duration_ms = ifnull(duration_ms, 60000), approved = 1")


def cause_of(caught: pytest.ExceptionInfo[Exception]) -> BaseException:
    assert isinstance(caught.value, OperationError)
    return caught.value.cause


class TestRealFiles:
    def test_a_first_ingest_knows_every_file_for_what_it_is(self, library: Library) -> None:
        result = library.ingest()

        assert counts(result) == {"discovered": 7, "created": 7}
        assert result.created_entities == {"title": 3, "season": 3, "episode": 6}
        titles = [(title.kind, title.name, title.year, title.episodes) for title in library.catalog.titles()]
        assert titles == [("show", "Dark", 2017, 2), ("show", "Space Family", 1965, 4), ("movie", "Tron", 1982, 0)]
        assert {asset.kind for asset in library.catalog.assets()} == {"episode", "movie", "bumper"}
        assert library.catalog.check().is_sound

    def test_a_second_ingest_touches_no_row(self, ingested: Library) -> None:
        before = snapshot(ingested.catalog, journal=False)

        result = ingested.ingest()

        assert counts(result) == {"discovered": 7, "unchanged": 7}
        assert snapshot(ingested.catalog, journal=False) == before

    def test_a_replaced_a_removed_and_a_changed_file_are_told_apart(self, ingested: Library) -> None:
        ingested.remove(S01E01)
        new = "Shows/Space Family (1965)/Season 01/Space Family S01E04.mkv"
        ingested.add(new, size=20)
        ingested.remove(FILM)
        ingested.add(BUMPER, size=30)

        result = ingested.ingest()

        assert counts(result) == {"discovered": 6, "created": 1, "unchanged": 4, "refreshed": 1, "missing": 2}
        told = {name: found for name, found in result.paths.items() if found}
        assert told == {
            "created": (ingested.key(new),),
            "refreshed": (ingested.key(BUMPER),),
            "missing": (ingested.key(FILM), ingested.key(S01E01)),
        }

    def test_what_is_missing_is_marked_once_and_kept(self, ingested: Library) -> None:
        ingested.remove(FILM)
        ingested.ingest()
        (since,) = [asset.missing_since for asset in ingested.catalog.assets(missing=True)]

        again = ingested.ingest()

        assert again.missing == 0
        assert [asset.missing_since for asset in ingested.catalog.assets(missing=True)] == [since]
        assert len(ingested.catalog.assets()) == 7

    def test_a_file_that_comes_back_is_no_longer_missing(self, ingested: Library) -> None:
        kept = shutil.copy2(ingested.root / FILM, ingested.root.parent / "kept.mkv")
        ingested.remove(FILM)
        ingested.ingest()
        shutil.copy2(kept, ingested.root / FILM)

        result = ingested.ingest()

        assert counts(result) == {"discovered": 7, "unchanged": 7, "returned": 1}
        assert result.paths["returned"] == (ingested.key(FILM),)
        assert ingested.catalog.assets(missing=True) == []

    @pytest.mark.parametrize("filled", [False, True], ids=["empty", "hidden files only"])
    def test_an_emptied_folder_is_refused(self, ingested: Library, filled: bool) -> None:
        before = snapshot(ingested.catalog)
        shutil.rmtree(ingested.root)
        ingested.root.mkdir()
        if filled:
            ingested.add(".hidden.mkv")

        with pytest.raises(IngestError, match="allow_empty") as caught:
            ingested.ingest()

        assert isinstance(cause_of(caught), ResourceError)
        assert snapshot(ingested.catalog) == before

    def test_an_emptied_folder_is_believed_on_demand(self, ingested: Library) -> None:
        shutil.rmtree(ingested.root)
        ingested.root.mkdir()

        result = ingested.ingest(allow_empty=True)

        assert counts(result) == {"missing": 7}
        assert len(ingested.catalog.assets(missing=True)) == 7

    @pytest.mark.parametrize("allow_empty", [False, True])
    def test_a_folder_that_went_is_refused_whatever_is_allowed(self, ingested: Library, allow_empty: bool) -> None:
        before = snapshot(ingested.catalog)
        ingested.root.rename(ingested.root.with_name("elsewhere"))

        with pytest.raises(IngestError, match="missing: is its disk mounted") as caught:
            ingested.ingest(allow_empty=allow_empty)

        assert isinstance(cause_of(caught), ResourceError)
        assert snapshot(ingested.catalog) == before

    def test_a_folder_that_is_a_file_is_refused(self, ingested: Library) -> None:
        shutil.rmtree(ingested.root)
        ingested.root.touch()

        with pytest.raises(IngestError, match="is not a folder"):
            ingested.ingest()

    def test_an_empty_folder_under_a_collection_without_assets_is_fine(self, library: Library) -> None:
        shutil.rmtree(library.root)
        library.root.mkdir()

        assert counts(library.ingest()) == {}

    def test_a_link_out_of_the_mapped_folder_is_refused(self, library: Library, tmp_path: Path) -> None:
        (tmp_path / "outside.mkv").touch()
        (library.root / "inside.mkv").symlink_to(tmp_path / "outside.mkv")

        with pytest.raises(IngestError, match=r"inside\.mkv") as caught:
            library.ingest()

        assert isinstance(cause_of(caught), ValidationError)
        assert library.catalog.assets() == []

    def test_an_asset_is_read_again_when_its_sidecar_changes(self, library: Library) -> None:
        nfo = library.add(FILM.replace(".mkv", ".nfo"))
        library.ingest()
        nfo.write_text("<movie><title>Tron</title></movie>")

        result = library.ingest()

        assert result.paths["refreshed"] == (library.key(FILM),)
        assert library.ingest().refreshed == 0

    def test_media_files_are_never_touched(self, library: Library) -> None:
        def facts() -> list[tuple[str, int, int]]:
            stats = [(name, (library.root / name).stat()) for name in FILES]
            return [(name, found.st_size, found.st_mtime_ns) for name, found in stats]

        before = facts()
        library.ingest(refresh="all")
        library.catalog.wipe_collection("Library")

        assert facts() == before

    def test_a_subfolder_that_is_mapped_elsewhere_is_looked_for_only_there(self, catalog: Catalog, tmp_path: Path) -> None:
        disk, elsewhere = tmp_path / "disk", tmp_path / "elsewhere"
        (disk / "Sub").mkdir(parents=True)
        elsewhere.mkdir()
        for path in (disk / "a.mkv", disk / "Sub" / "shadowed.mkv", elsewhere / "b.mkv"):
            path.write_bytes(b"\0")
        catalog.add_source("disk")
        catalog.add_collection("disk", "Disk", path_mappings={str(disk): str(disk)})
        catalog.map_path("Disk", str(disk / "Sub"), str(elsewhere))

        result = catalog.ingest_collection("Disk")

        assert {asset.file_path for asset in catalog.assets()} == {str(disk / "a.mkv"), str(elsewhere / "b.mkv")}
        assert {asset.canonical_key for asset in catalog.assets()} == {str(disk / "a.mkv"), str(disk / "Sub" / "b.mkv")}
        assert (result.created, result.duplicates) == (2, 0)


class TestRefresh:
    def test_changed_assets_are_left_as_they_are_where_that_is_asked(self, ingested: Library) -> None:
        before = snapshot(ingested.catalog, journal=False)
        ingested.add(FILM, size=99)

        result = ingested.ingest(refresh=None)

        assert result.changed == 1
        assert snapshot(ingested.catalog, journal=False) == before

    @pytest.mark.parametrize("asked", [{}, {"refresh": "files"}, {"refresh": "changed"}], ids=str)
    def test_a_file_that_changed_is_read_again_and_no_other(self, ingested: Library, asked: dict[str, Any]) -> None:
        before = {row[0]: row for row in snapshot(ingested.catalog)["asset"]}
        ingested.add(FILM, size=99)

        result = ingested.ingest(**asked)

        assert counts(result) == {"discovered": 7, "unchanged": 6, "refreshed": 1}
        changed = [row[3] for row in snapshot(ingested.catalog)["asset"] if row != before[row[0]]]
        assert changed == [ingested.key(FILM)]
        assert ingested.ingest().changed == 0

    def test_refresh_all_refreshes_every_one(self, ingested: Library) -> None:
        assert counts(ingested.ingest(refresh="all")) == {"discovered": 7, "refreshed": 7}

    def test_a_refresh_reads_what_it_refreshes_at_once_and_never_again(self, ingested: Library) -> None:
        reads: list[str] = []

        def trace(cursor: object, statement: str, bindings: object) -> bool:
            reads.extend([statement] if "LEFT JOIN episode_asset" in statement else [])
            return True

        ingested.catalog.database.connection.exec_trace = trace
        ingested.ingest(refresh="all")
        ingested.catalog.database.connection.exec_trace = None

        assert len(reads) == 1

    def test_refresh_must_be_one_of_four(self, ingested: Library) -> None:
        with pytest.raises(IngestError, match="refresh must be"):
            ingested.ingest(refresh="some")

    @pytest.mark.parametrize("refresh", [None, "files"])
    def test_another_enricher_makes_every_asset_outdated_and_reads_none(
        self, ingested: Library, refresh: Any, enricher: FakeEnricher
    ) -> None:
        ingested.catalog.attach_enricher("Library", "fake")
        before = snapshot(ingested.catalog, journal=False)

        assert counts(ingested.ingest(refresh=refresh)) == {"discovered": 7, "outdated": 7}
        assert snapshot(ingested.catalog, journal=False) == before
        assert counts(ingested.ingest(refresh="changed")) == {"discovered": 7, "refreshed": 7}
        assert counts(ingested.ingest(refresh="changed")) == {"discovered": 7, "unchanged": 7}

    def test_of_outdated_assets_the_one_whose_file_changed_is_read_again(self, ingested: Library) -> None:
        ingested.catalog.attach_enricher("Library", "fake")
        ingested.add(FILM, size=99)

        result = ingested.ingest()

        assert counts(result) == {"discovered": 7, "outdated": 6, "refreshed": 1}
        assert result.paths["refreshed"] == (ingested.key(FILM),)
        assert ingested.key(FILM) not in result.paths["outdated"]

    def test_another_configuration_makes_every_asset_outdated(self, ingested: Library) -> None:
        ingested.catalog.detach_enricher("Library", "filename")
        ingested.catalog.attach_enricher("Library", "filename", config={"guessit": False})

        assert ingested.ingest().outdated == 7

    def test_another_version_makes_every_asset_outdated(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher
    ) -> None:
        catalog.ingest_collection("Shows")
        enricher.version = "2"

        assert catalog.ingest_collection("Shows").outdated == 4

    @pytest.mark.parametrize("refresh", [None, "files", "changed", "all"])
    def test_approval_stays_where_no_fact_changed(self, catalog: Catalog, collection: Collection, refresh: Any) -> None:
        catalog.ingest_collection("Shows")
        approve_all(catalog)

        catalog.ingest_collection("Shows", refresh=refresh)

        assert [asset.approved for asset in catalog.assets()] == [True] * 4

    @pytest.mark.parametrize(
        ("facts", "reason"),
        [
            ({"duration_ms": 1}, "its length (ms) changed: 60000 → 1"),
            ({"width": 5}, "its width changed: 4 → 5"),
            ({"size": 7, "video_codec": "av1"}, "its size (bytes) changed: 1000 → 7; its video codec changed: h264 → av1"),
            ({"episode_title": "New"}, "it shows another episode, or one of another name"),
            ({"episode_numbers": (3,)}, "it shows another episode, or one of another name"),
            ({"kind": "promo", "title": None}, "its kind changed: episode → promo"),
            ({"markers": (Marker("avail", 5),)}, "its markers changed"),
        ],
        ids=str,
    )
    def test_approval_is_withdrawn_where_facts_changed_and_the_result_says_why(
        self,
        catalog: Catalog,
        collection: Collection,
        importer: FakeImporter,
        enricher: FakeEnricher,
        facts: dict[str, Any],
        reason: str,
    ) -> None:
        enricher.returns = lambda draft: attrs.evolve(draft, duration_ms=draft.duration_ms or 60_000)
        old = episode("Dark", 1, 2, episode_title="Old", width=4, video_codec="h264")
        importer.drafts = [episode("Dark", 1, 1), old]
        catalog.ingest_collection("Shows")
        approve_all(catalog)
        importer.drafts = [episode("Dark", 1, 1), attrs.evolve(importer.drafts[1], **facts)]

        result = catalog.ingest_collection("Shows", refresh="all")

        kept, lost = catalog.assets()
        assert (kept.approved, lost.approved) == (True, False)
        assert result.withdrawals == (Withdrawal(lost.id, lost.canonical_key, reason),)
        assert result.approvals_withdrawn == 1
        journalled = catalog.history(1)[0].operations[0].result
        assert isinstance(journalled, dict)
        assert journalled["approvals_withdrawn"] == 1
        assert "withdrawals" not in journalled

    def test_a_replaced_file_is_no_longer_scheduled_with_its_old_length(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher
    ) -> None:
        enricher.returns = lambda draft: attrs.evolve(draft, duration_ms=60_000 * (draft.size or 1))
        importer.drafts = [episode("Dark", 1, 1, size=1), episode("Dark", 1, 2, size=1)]
        catalog.ingest_collection("Shows")
        approve_all(catalog)
        importer.drafts = [episode("Dark", 1, 1, size=1), episode("Dark", 1, 2, size=2)]

        result = catalog.ingest_collection("Shows")

        assert (result.unchanged, result.refreshed, result.approvals_withdrawn) == (1, 1, 1)
        assert [(asset.duration_ms, asset.approved) for asset in catalog.assets()] == [(60_000, True), (120_000, False)]

    @pytest.mark.parametrize(
        ("facts", "stays"),
        [({"title": "DARK"}, True), ({"title": "DARK", "episode_title": "New"}, False), ({"title": "Light"}, False)],
        ids=str,
    )
    def test_the_same_title_in_another_case_is_no_other_fact(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, facts: dict[str, Any], stays: bool
    ) -> None:
        importer.drafts = [episode("Dark", 1, 1, duration_ms=1), episode("Dark", 1, 2, duration_ms=1)]
        catalog.ingest_collection("Shows")
        approve_all(catalog)
        importer.drafts = [episode("Dark", 1, 1, duration_ms=1), attrs.evolve(episode("Dark", 1, 2, duration_ms=1), **facts)]

        catalog.ingest_collection("Shows", refresh="all")

        assert [asset.approved for asset in catalog.assets()] == [True, stays]

    def test_a_file_that_names_an_episode_which_the_operator_has_named_keeps_its_approval(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        copy = attrs.evolve(episode("Dark", 1, 1, duration_ms=1, episode_title="File"), source_path="/media/Dark/copy.mkv")
        importer.drafts = [episode("Dark", 1, 1, duration_ms=1), attrs.evolve(copy, file_path="/media/Dark/copy.mkv")]
        catalog.ingest_collection("Shows")
        assigned, _ = catalog.assets()
        catalog.assign(assigned, episode_title="Mine")
        approve_all(catalog)

        catalog.ingest_collection("Shows", refresh="all")

        assert [(asset.episode_title, asset.approved) for asset in catalog.assets()] == [("Mine", True)] * 2

    def test_a_file_whose_first_episode_keeps_its_name_keeps_its_approval(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        second = episode("Dark", 1, 2, duration_ms=1, episode_title="Two")
        both = draft(
            "Dark/both.mkv",
            kind="episode",
            title="Dark",
            season_number=1,
            episode_numbers=(1, 2),
            episode_title="One",
            duration_ms=1,
        )
        importer.drafts = [second, both]
        catalog.ingest_collection("Shows")
        approve_all(catalog)
        importer.drafts = [both]

        catalog.ingest_collection("Shows", refresh="all")

        assert [asset.approved for asset in catalog.assets() if asset.episode_numbers == (1, 2)] == [True]

    def test_a_refresh_removes_the_title_that_nothing_holds_any_more(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        catalog.ingest_collection("Shows")
        importer.drafts = [attrs.evolve(found, title="Moonbase") for found in importer.drafts]

        catalog.ingest_collection("Shows", refresh="all")

        assert [title.name for title in catalog.titles()] == ["Moonbase", "Moonbase"]

    def test_a_refresh_leaves_a_retired_asset_retired(self, catalog: Catalog, collection: Collection) -> None:
        catalog.ingest_collection("Shows")
        with catalog.session() as db:
            db.execute("UPDATE asset SET state = 'retired'")

        catalog.ingest_collection("Shows", refresh="all")

        assert {asset.state for asset in catalog.assets()} == {"retired"}


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            (IngestFilters("SPACE family"), [S01E01, S01E02, S01E03, SPECIAL]),
            (IngestFilters("Space Family", 0), [SPECIAL]),
            (IngestFilters("Space Family", 1, 2), [S01E02]),
            (IngestFilters("Dark", 2, 2), [DOUBLE]),
            (IngestFilters("tron"), [FILM]),
        ],
        ids=str,
    )
    def test_only_what_matches_is_ingested(self, library: Library, filters: IngestFilters, found: list[str]) -> None:
        result = library.ingest(filters)

        assert sorted(result.paths["created"]) == sorted(map(library.key, found))

    @pytest.mark.parametrize(
        "filters",
        [IngestFilters("Space"), IngestFilters("Space%"), IngestFilters("Dark", 1), IngestFilters("Dark", 2, 3)],
        ids=str,
    )
    @pytest.mark.parametrize("known", [False, True], ids=["new files", "known files"])
    def test_what_matches_nothing_is_refused(self, library: Library, filters: IngestFilters, known: bool) -> None:
        if known:
            library.ingest()
        before = snapshot(library.catalog)

        with pytest.raises(IngestError, match="no file matches"):
            library.ingest(filters)

        assert snapshot(library.catalog) == before

    @pytest.mark.parametrize(
        "filters",
        [
            IngestFilters(season=1),
            IngestFilters("Dark", episode=1),
            IngestFilters("Dark", -1),
            IngestFilters("Dark", 1, -1),
            IngestFilters(" "),
            IngestFilters(exclude=("",)),
            IngestFilters(exclude="*.mkv"),  # type: ignore[arg-type]  # what users do
        ],
        ids=str,
    )
    def test_filters_that_make_no_sense_are_refused(self, library: Library, filters: IngestFilters) -> None:
        with pytest.raises(IngestError) as caught:
            library.ingest(filters)

        assert isinstance(cause_of(caught), ValidationError)

    def test_a_filtered_ingest_marks_nothing_missing(self, ingested: Library) -> None:
        ingested.remove(S01E01)
        ingested.remove(FILM)

        result = ingested.ingest(IngestFilters("Space Family"))

        assert counts(result) == {"discovered": 3, "unchanged": 3}
        assert ingested.catalog.assets(missing=True) == []

    def test_excluded_files_are_neither_ingested_nor_marked_missing(self, ingested: Library) -> None:
        ingested.add("Movies/Alien (1979).mkv")
        ingested.remove(S01E01)

        result = ingested.ingest(IngestFilters(exclude=("Movies", "*E02.mkv")))

        assert counts(result) == {"discovered": 3, "unchanged": 3, "missing": 1}
        assert [asset.canonical_key for asset in ingested.catalog.assets(missing=True)] == [ingested.key(S01E01)]

    def test_an_excluded_file_does_not_fail_the_ingest(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher
    ) -> None:
        enricher.returns = failing_on("S01E02")

        result = catalog.ingest_collection("Shows", IngestFilters(exclude=("*E02.mkv",)))

        assert result.created == 3

    def test_unclassified_files_are_ingested_counted_and_listed(self, library: Library) -> None:
        library.add("Odds/holiday.mkv")

        result = library.ingest()

        assert result.unclassified == 1
        assert result.paths["unclassified"] == (library.key("Odds/holiday.mkv"),)
        assert [asset.kind for asset in library.catalog.assets(kind="other")] == ["other"]

    def test_strict_names_refuses_all_unclassified_files_at_once(self, library: Library) -> None:
        library.add("Odds/holiday.mkv")
        library.add("Odds/birthday.mkv")

        with pytest.raises(IngestError, match=r"(?s)2 file.*birthday\.mkv.*holiday\.mkv"):
            library.ingest(strict_names=True)

        assert library.catalog.assets() == []

    @pytest.mark.parametrize(
        "filters",
        [None, "Tron", IngestFilters(title="Tron", season="1"), IngestFilters(title=5)],  # type: ignore[arg-type]  # the point
        ids=repr,
    )
    def test_what_is_no_filters_is_refused(self, catalog: Catalog, collection: Collection, filters: Any) -> None:
        with pytest.raises(IngestError, match="make no sense") as caught:
            catalog.ingest_collection("Shows", filters)

        assert isinstance(caught.value.cause, ValidationError)


class TestDryRun:
    @pytest.mark.parametrize("known", [False, True], ids=["first ingest", "with changes"])
    def test_a_dry_run_reports_what_the_real_one_does_and_leaves_no_trace(self, library: Library, known: bool) -> None:
        if known:
            library.ingest()
            library.remove(FILM)
            library.add(BUMPER, size=50)
            library.add("Movies/Alien (1979).mkv")
        before = snapshot(library.catalog)

        dry = library.ingest(dry_run=True, refresh="changed")
        assert snapshot(library.catalog) == before
        real = library.ingest(refresh="changed")

        assert dry.dry_run
        assert dry.changes is not None
        assert real.changes is not None
        assert dry.changes.counts == real.changes.counts
        plain = partial(attrs.evolve, unit_id=None, duration_s=0, dry_run=False, changes=None)
        assert plain(dry) == plain(real)


def failing_on(*parts: str, error: Exception | None = None) -> Callable[[AssetDraft], AssetDraft]:
    def enriching(found: AssetDraft) -> AssetDraft:
        if any(part in found.file_path for part in parts):
            raise error or OSError("unreadable")
        return found

    return enriching


def half_way() -> Iterator[AssetDraft]:
    yield episode("Dark", 1, 1)
    raise OSError("the source went away")


class TestImporters:
    @pytest.mark.parametrize(
        ("drafts", "cause"),
        [
            (["not a draft"], ValidationError),
            ([episode("Dark", 1, 1), None], ValidationError),
            ([{"file_path": "/media/a.mkv"}], ValidationError),
            ([AssetDraft("/elsewhere/a.mkv", "/elsewhere/a.mkv")], ValidationError),
            ([AssetDraft("/media/../etc/a.mkv", "/media/../etc/a.mkv")], ValidationError),
        ],
        ids=["text", "None", "dict", "outside the mappings", "escaping by .."],
    )
    def test_garbage_fails_the_whole_ingest(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, drafts: list[Any], cause: type[Exception]
    ) -> None:
        importer.drafts = drafts

        with pytest.raises(IngestError) as caught:
            catalog.ingest_collection("Shows")

        assert isinstance(cause_of(caught), cause)
        assert caught.value.phase == "preparation"
        assert catalog.assets() == []

    def test_an_importer_that_raises_half_way_leaves_nothing(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        importer.drafts = half_way()

        with pytest.raises(IngestError, match="failed after 1 files") as caught:
            catalog.ingest_collection("Shows")

        assert isinstance(cause_of(caught), ResourceError)
        assert catalog.assets() == []

    @pytest.mark.parametrize("error", [ResourceError("no route to the server"), OSError("no route to the server")], ids=repr)
    def test_an_unreachable_source_is_refused(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, error: Exception
    ) -> None:
        importer.unreachable = error

        with pytest.raises(IngestError, match="no route to the server") as caught:
            catalog.ingest_collection("Shows")

        assert isinstance(cause_of(caught), ResourceError)
        assert caught.value.phase == "preflight"

    def test_a_path_reported_twice_is_one_asset(self, catalog: Catalog, collection: Collection, importer: FakeImporter) -> None:
        importer.drafts = [episode("Dark", 1, 1), episode("Dark", 1, 2), episode("Dark", 1, 1)]

        result = catalog.ingest_collection("Shows")

        assert counts(result) == {"discovered": 3, "created": 2, "duplicates": 1}
        assert result.paths["duplicates"] == ("/media/Dark/S01E01.mkv",)
        assert len(catalog.assets()) == 2

    def test_a_disabled_collection_is_refused(self, catalog: Catalog, collection: Collection) -> None:
        catalog.disable_collection("Shows")

        with pytest.raises(IngestError, match="enable it first"):
            catalog.ingest_collection("Shows")

    def test_a_collection_without_mapping_is_refused(self, catalog: Catalog, collection: Collection) -> None:
        catalog.add_collection("station", "Bare")

        with pytest.raises(IngestError, match="no path mapping"):
            catalog.ingest_collection("Bare")

    def test_a_session_that_one_leaves_open_ends_with_the_thread_that_asks_it_and_commits_nothing(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        def write() -> Iterator[None]:
            with catalog.session() as db:
                db.execute("DELETE FROM collection_enricher")
                yield

        def opening(drafts: Iterable[AssetDraft]) -> Iterator[AssetDraft]:
            next(writing)
            yield from drafts

        drafts, writing = importer.drafts, write()
        importer.drafts = opening(drafts)

        assert catalog.ingest_collection("Shows").created == 4
        writing.close()  # type: ignore[attr-defined]  # a generator has it
        assert [each.type for each in catalog.collections()[0].enrichers] == ["fake"]
        importer.drafts = drafts
        assert catalog.ingest_collection("Shows").unchanged == 4

    def test_one_that_is_silent_is_not_believed(self, stocked: Catalog, importer: FakeImporter) -> None:
        importer.drafts = []
        before = snapshot(stocked)

        with pytest.raises(IngestError, match="nothing was found below") as caught:
            stocked.ingest_collection("Shows")

        assert isinstance(caught.value.cause, ResourceError)
        assert snapshot(stocked) == before

    def test_one_that_is_silent_is_believed_on_demand(self, stocked: Catalog, importer: FakeImporter) -> None:
        importer.drafts = []

        assert stocked.ingest_collection("Shows", allow_empty=True).missing == 4

    def test_filters_that_hide_everything_are_no_silence(self, stocked: Catalog) -> None:
        before = snapshot(stocked, journal=False)

        hidden = stocked.ingest_collection("Shows", IngestFilters(exclude=("*.mkv",)))
        filtered = stocked.ingest_collection("Shows", IngestFilters(title="Tron"))

        assert (hidden.discovered, hidden.missing, filtered.unchanged, filtered.missing) == (0, 0, 1, 0)
        assert snapshot(stocked, journal=False) == before

    def test_one_silent_mapping_of_two_is_named(self, catalog: Catalog, importer: FakeImporter, tmp_path: Path) -> None:
        folders = [tmp_path / "one", tmp_path / "two"]
        for folder in folders:
            folder.mkdir()
            (folder / "stray.txt").touch()
        found = [draft("a.mkv"), AssetDraft(str(folders[1] / "b.mkv"), "/more/b.mkv", size=1, mtime_ns=1, sidecars=())]
        catalog.add_source("station", "fake")
        mappings = {"/media": str(folders[0]), "/more": str(folders[1])}
        catalog.add_collection("station", "Shows", path_mappings=mappings)
        importer.drafts = found
        catalog.ingest_collection("Shows")
        before = snapshot(catalog)

        importer.drafts = found[:1]
        with pytest.raises(IngestError, match="two") as caught:
            catalog.ingest_collection("Shows")

        assert isinstance(caught.value.cause, ResourceError)
        assert str(folders[1]) in str(caught.value)
        assert str(folders[0]) not in str(caught.value)
        assert snapshot(catalog) == before


NUMBERS = ("size", "year", "season_number", "duration_ms", "width", "height")
BAD_DRAFTS = {
    "NUL in the path": draft("a\0b.mkv"),
    "surrogate in the path": draft("a\udcffb.mkv"),
    "no path": AssetDraft("", ""),
    "path of another type": AssetDraft(None, None),  # type: ignore[arg-type]  # what importers do
    "relative path": AssetDraft("media/a.mkv", "media/a.mkv"),
    "title of 10,000 characters": movie("T" * 10_000),
    "blank title": movie(" "),
    "NUL in the title": movie("a\0b"),
    "surrogate in the title": draft("a.mkv", kind="movie", title="a\udcff"),
    "episode without number": draft("a.mkv", kind="episode", title="Dark", season_number=1),
    "movie without title": draft("a.mkv", kind="movie"),
    "unknown kind": draft("a.mkv", kind="opera"),
    "negative episode": episode("Dark", 1, -1),
    "episode named twice": draft("a.mkv", kind="episode", title="Dark", season_number=1, episode_numbers=(1, 1)),
    "marker before the start": movie("Tron", markers=(Marker("avail", -1),)),
    "marker that ends before it starts": movie("Tron", markers=(Marker("avail", 5, 5),)),
    "marker behind the end": movie("Tron", markers=(Marker("avail", 60_001),)),
    "metadata that is no JSON": movie("Tron", metadata={"editorial": {"when": object()}}),
    "number beyond SQLite's": movie("Tron", size=2**63),
    "text for a number": movie("Tron", size="big"),
    **{f"negative {name}": draft("a.mkv", kind="bumper", **{name: -1}) for name in NUMBERS},
}


class TestDrafts:
    @pytest.mark.parametrize("bad", BAD_DRAFTS.values(), ids=list(BAD_DRAFTS))
    def test_a_draft_that_cannot_be_fails_the_whole_ingest(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher, bad: AssetDraft
    ) -> None:
        enricher.returns = lambda found: attrs.evolve(found, duration_ms=found.duration_ms or 60_000)
        importer.drafts = [episode("Dark", 1, 1), bad]
        before = snapshot(catalog)

        with pytest.raises(IngestError) as caught:
            catalog.ingest_collection("Shows")

        assert isinstance(cause_of(caught), ValidationError)
        assert snapshot(catalog) == before

    @pytest.mark.parametrize("text", ["x'); DROP TABLE asset;--", '100% "quoted" _ \'', "{braces} {0}", "日本語 🎬"])
    def test_text_is_stored_literally(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, text: str
    ) -> None:
        importer.drafts = [movie(text, 1982, metadata={"editorial": {"plot": text}}, markers=(Marker("avail", 1, name=text),))]

        catalog.ingest_collection("Shows")

        (asset,) = catalog.assets()
        assert (asset.title, asset.canonical_key) == (text, f"/media/{text} (1982).mkv")
        assert catalog.metadata(asset.id) == {"editorial": {"plot": text}}
        assert [marker.name for marker in catalog.markers(asset.id)] == [text]

    def test_an_asset_is_ready_once_its_duration_is_known_and_never_approved(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher
    ) -> None:
        enricher.returns = lambda found: attrs.evolve(found, duration_ms=1 if "E01" in found.file_path else None)

        catalog.ingest_collection("Shows")

        assert [asset.state for asset in catalog.assets()] == ["ready", "new", "new", "new"]
        assert not any(asset.approved for asset in catalog.assets())

    def test_a_file_may_hold_several_episodes(self, library: Library) -> None:
        library.ingest()

        (double,) = library.catalog.assets(title="dark")
        assert (double.season_number, double.episode_numbers) == (2, (1, 2))

    def test_an_episode_s_name_is_kept_when_another_file_calls_it_differently(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        first = episode("Dark", 1, 1, episode_title="Secrets")
        second = attrs.evolve(draft("Dark/copy.mkv"), kind="episode", title="Dark", season_number=1, episode_numbers=(1,))
        importer.drafts = [first]
        catalog.ingest_collection("Shows")
        importer.drafts = [first, attrs.evolve(second, episode_title="Other name")]

        catalog.ingest_collection("Shows")

        assert [asset.episode_title for asset in catalog.assets()] == ["Secrets", "Secrets"]

    def test_a_show_and_a_movie_of_one_name_are_two_titles(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        importer.drafts = [episode("Fargo", 1, 1), movie("Fargo"), movie("Fargo", 1996)]

        assert catalog.ingest_collection("Shows").created_entities["title"] == 3


class TestEnrichers:
    @pytest.mark.parametrize(
        ("enriching", "cause"),
        [
            (lambda _: None, ValidationError),
            (lambda _: {"title": "Dark"}, ValidationError),
            (lambda found: attrs.evolve(found, file_path="/media/x.mkv"), ValidationError),
            (lambda found: attrs.evolve(found, source_path="/media/x.mkv"), ValidationError),
            (lambda found: attrs.evolve(found, duration_ms=-5), ValidationError),
            (failing_on("S01E02"), ResourceError),
            (failing_on("S01E02", error=BusinessRuleError("not on this station")), BusinessRuleError),
        ],
        ids=["None", "dict", "other file path", "other source path", "bad fact", "raises", "raises ours"],
    )
    def test_an_enricher_that_fails_rolls_back_the_whole_ingest(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher, enriching: Any, cause: type[RetroVueError]
    ) -> None:
        enricher.returns = enriching
        before = snapshot(catalog)

        with pytest.raises(IngestError, match="mkv") as caught:
            catalog.ingest_collection("Shows")

        assert isinstance(cause_of(caught), cause)
        assert caught.value.phase == "preparation"
        assert snapshot(catalog) == before

    def test_an_enricher_that_hangs_is_given_up_by_name(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher
    ) -> None:
        released = threading.Event()
        enricher.timeout_s = 0.1
        enricher.returns = lambda found: found if released.wait(20) else None

        with pytest.raises(IngestError, match="gave no answer") as caught:
            catalog.ingest_collection("Shows")

        released.set()
        assert isinstance(cause_of(caught), ResourceError)
        assert catalog.assets() == []

    def test_every_file_that_fails_is_named(self, catalog: Catalog, collection: Collection, enricher: FakeEnricher) -> None:
        enricher.returns = failing_on("S01E01", "S01E03")

        with pytest.raises(IngestError, match=r"(?s)2 files failed.*S01E01.*S01E03"):
            catalog.ingest_collection("Shows")

    def test_an_unavailable_enricher_is_refused_before_anything_is_done(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher
    ) -> None:
        enricher.unavailable = ResourceError("ffprobe is not installed")

        with pytest.raises(IngestError, match="ffprobe is not installed") as caught:
            catalog.ingest_collection("Shows")

        assert caught.value.phase == "preflight"
        assert enricher.seen == []

    def test_known_files_are_not_enriched_again(self, catalog: Catalog, collection: Collection, enricher: FakeEnricher) -> None:
        catalog.ingest_collection("Shows")
        enricher.seen.clear()

        catalog.ingest_collection("Shows")

        assert enricher.seen == []

    def test_enrichers_run_by_priority(self, library: Library, enricher: FakeEnricher) -> None:
        titles: list[str | None] = []
        enricher.returns = lambda found: titles.append(found.title) or found  # type: ignore[func-returns-value]
        library.catalog.attach_enricher("Library", "fake", priority=200)

        library.ingest()

        assert set(titles) == {"Tron", "Dark", "Space Family", None}

    def test_what_a_detached_one_knew_is_gone_after_a_refresh(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher
    ) -> None:
        enricher.returns = lambda found: attrs.evolve(found, metadata={"fake": {"knows": 1}})
        catalog.ingest_collection("Shows")
        asset = catalog.assets()[0]
        assert catalog.metadata(asset.id) == {"fake": {"knows": 1}}

        catalog.detach_enricher("Shows", "fake")
        catalog.ingest_collection("Shows", refresh="all")

        assert catalog.metadata(asset.id) == {}

    @pytest.mark.parametrize(
        "facts", [{"size": 7}, {"mtime_ns": 7}, {"sidecars": (Sidecar("/x.nfo", 1, 1),)}], ids=lambda facts: next(iter(facts))
    )
    def test_one_that_changes_what_the_importer_saw_is_refused(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher, facts: dict[str, Any]
    ) -> None:
        enricher.returns = lambda found: attrs.evolve(found, **facts)
        before = snapshot(catalog)

        with pytest.raises(IngestError, match="leave what the importer saw") as caught:
            catalog.ingest_collection("Shows")

        assert isinstance(caught.value.cause, ValidationError)
        assert snapshot(catalog) == before

    def test_metadata_in_read_only_mappings_is_stored(
        self, catalog: Catalog, collection: Collection, enricher: FakeEnricher
    ) -> None:
        inner = MappingProxyType({"deep": MappingProxyType({"er": [1, 2]})})
        enricher.returns = lambda found: attrs.evolve(found, metadata=MappingProxyType({"fake": inner}))

        catalog.ingest_collection("Shows")

        assert catalog.metadata(catalog.assets()[0].id) == {"fake": {"deep": {"er": [1, 2]}}}

    @pytest.mark.parametrize("count", [2, 25])
    def test_up_to_twenty_unsound_drafts_are_named_at_once(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter, enricher: FakeEnricher, count: int
    ) -> None:
        importer.drafts = [movie(f"Film {number:02}", 1982) for number in range(count)]
        enricher.returns = lambda found: attrs.evolve(found, year=-1)

        with pytest.raises(IngestError) as caught:
            catalog.ingest_collection("Shows")

        named = min(count, 20)
        assert isinstance(caught.value.cause, ValidationError)
        assert f"{named} files" in str(caught.value)
        assert str(caught.value).count("year must be") == named
        assert catalog.assets() == []


class TestProgress:
    def test_progress_tells_files_found_and_files_done(self, catalog: Catalog, collection: Collection) -> None:
        calls: list[tuple[int, int | None, str]] = []

        catalog.ingest_collection("Shows", progress=lambda *call: calls.append(call))

        assert [call[:2] for call in calls] == [(n, None) for n in (1, 2, 3, 4)] + [(n, 4) for n in (1, 2, 3, 4)]
        assert all(path.endswith(".mkv") for *_, path in calls)

    @pytest.mark.parametrize("total", [None, 4], ids=["while files are found", "while files are enriched"])
    @pytest.mark.parametrize("error", [RuntimeError("enough"), KeyboardInterrupt("enough")], ids=repr)
    def test_raising_in_progress_cancels(
        self, catalog: Catalog, collection: Collection, total: int | None, error: BaseException
    ) -> None:
        def cancel(done: int, of: int | None, path: str) -> None:
            if (done, of) == (2, total):
                raise error

        with pytest.raises((IngestError, KeyboardInterrupt)) as caught:
            catalog.ingest_collection("Shows", progress=cancel)

        assert getattr(caught.value, "cause", caught.value) is error
        assert catalog.assets() == []
        assert catalog.ingest_collection("Shows").created == 4

    @pytest.mark.parametrize("error", [ValueError("enough"), KeyboardInterrupt()], ids=repr)
    def test_raising_in_progress_cancels_the_rest_of_a_source(
        self, catalog: Catalog, collection: Collection, media: Path, error: BaseException
    ) -> None:
        catalog.add_collection("station", "Zoo", path_mappings={"/media": str(media)})
        before = snapshot(catalog, journal=False)
        seen: list[str] = []

        def cancel(done: int, total: int | None, path: str) -> None:
            seen.append(path)
            raise error

        with pytest.raises((IngestError, KeyboardInterrupt)) as caught:
            catalog.ingest_source("station", progress=cancel)

        assert getattr(caught.value, "cause", caught.value) is error
        assert len(seen) == 1
        assert snapshot(catalog, journal=False) == before


class TestPrepared:
    def test_a_prepared_ingest_writes_what_an_ingest_writes(self, catalog: Catalog, collection: Collection) -> None:
        with catalog.prepare_ingest("Shows") as prepared:
            assert catalog.assets() == []
            result = catalog.ingest_collection(prepared)

        assert counts(result) == {"discovered": 4, "created": 4}

    def test_it_is_used_once(self, catalog: Catalog, collection: Collection) -> None:
        prepared = catalog.prepare_ingest("Shows")
        catalog.ingest_collection(prepared)
        before = snapshot(catalog)

        with pytest.raises(ContractError, match="used once"):
            catalog.ingest_collection(prepared)

        assert snapshot(catalog) == before

    @pytest.mark.parametrize("end", ["use", "dry run", "close"])
    def test_it_holds_the_claim_until_it_is_used_or_closed(self, catalog: Catalog, collection: Collection, end: str) -> None:
        prepared = catalog.prepare_ingest("Shows")
        with Catalog(catalog.database.path) as other:
            with pytest.raises(OperationError, match="in use"):
                other.disable_collection("Shows")
            if end == "close":
                prepared.close()
            else:
                catalog.ingest_collection(prepared, dry_run=end == "dry run")

            assert not other.disable_collection("Shows").enabled

    def test_an_unprepared_ingest_in_a_session_is_misuse(self, catalog: Catalog, collection: Collection) -> None:
        with pytest.raises(ContractError, match="prepare"), catalog.session():
            catalog.ingest_collection("Shows")

        assert catalog.assets() == []

    def test_preparing_in_a_session_is_misuse(self, catalog: Catalog, collection: Collection) -> None:
        with pytest.raises(ContractError, match="prepare"), catalog.session():
            catalog.prepare_ingest("Shows")

    def test_wipe_and_ingest_in_one_session_are_one_unit(self, catalog: Catalog, collection: Collection) -> None:
        catalog.ingest_collection("Shows")
        units = len(snapshot(catalog)["unit_of_work"])

        with catalog.prepare_ingest("Shows", as_if_empty=True) as prepared, catalog.session():
            wiped = catalog.wipe_collection("Shows")
            ingested = catalog.ingest_collection(prepared)

        assert (wiped.deleted["asset"], ingested.created) == (4, 4)
        assert wiped.unit_id == ingested.unit_id
        assert len(snapshot(catalog)["unit_of_work"]) == units + 1

    def test_prepared_as_if_empty_it_is_refused_where_assets_are(self, catalog: Catalog, collection: Collection) -> None:
        catalog.ingest_collection("Shows")
        before = snapshot(catalog)

        with catalog.prepare_ingest("Shows", as_if_empty=True) as prepared, pytest.raises(IngestError, match="wipe it first"):
            catalog.ingest_collection(prepared)

        assert snapshot(catalog) == before

    def test_a_collection_that_changed_in_between_is_refused(self, catalog: Catalog, collection: Collection) -> None:
        with catalog.prepare_ingest("Shows") as prepared:
            catalog.map_path("Shows", "/more", "/srv/more")

            with pytest.raises(IngestError, match="was changed while"):
                catalog.ingest_collection(prepared)

        assert catalog.assets() == []

    def test_an_asset_that_went_in_between_fails_the_ingest(self, catalog: Catalog, collection: Collection) -> None:
        catalog.ingest_collection("Shows")
        with catalog.prepare_ingest("Shows", refresh="all") as prepared:
            catalog.wipe_collection("Shows")

            with pytest.raises(IngestError, match="run it again"):
                catalog.ingest_collection(prepared)

        assert catalog.assets() == []

    @pytest.mark.parametrize(
        "options",
        [{"filters": IngestFilters(title="Tron")}, {"refresh": "all"}, {"allow_empty": True}, {"progress": print}],
        ids=lambda options: next(iter(options)),
    )
    def test_it_takes_no_further_options(self, catalog: Catalog, collection: Collection, options: dict[str, Any]) -> None:
        with catalog.prepare_ingest("Shows") as prepared:
            with pytest.raises(ContractError, match="already"):
                catalog.ingest_collection(prepared, **options)

            assert catalog.ingest_collection(prepared).created == 4

    def test_a_closed_one_says_so(self, catalog: Catalog, collection: Collection) -> None:
        prepared = catalog.prepare_ingest("Shows")
        prepared.close()

        with pytest.raises(ContractError, match="closed"):
            catalog.ingest_collection(prepared)

        assert catalog.assets() == []

    def test_a_prepared_ingest_that_is_collected_gives_its_claim_back(self, catalog: Catalog, collection: Collection) -> None:
        prepared = catalog.prepare_ingest("Shows")
        with Catalog(catalog.database.path) as other:
            with pytest.raises(ConfigurationError, match="in use"):
                other.disable_collection("Shows")
            del prepared
            gc.collect()

            assert not other.disable_collection("Shows").enabled


class TestSource:
    @pytest.fixture
    def second(self, catalog: Catalog, collection: Collection, tmp_path: Path) -> Collection:
        """A collection whose folder is not there."""
        return catalog.add_collection("station", "Unmounted", path_mappings={"/media": str(tmp_path / "unmounted")})

    def test_a_failing_collection_stops_none_of_the_others(self, catalog: Catalog, second: Collection) -> None:
        outcome = catalog.ingest_source("station")

        assert [(each.collection.name, each.created) for each in outcome.results] == [("Shows", 4)]
        assert [(each.collection.name, each.cause) for each in outcome.failures] == [("Unmounted", "ResourceError")]
        assert len(catalog.assets()) == 4

    def test_each_collection_is_a_unit_of_its_own(self, catalog: Catalog, second: Collection) -> None:
        Path(second.path_mappings[0].local_path).mkdir()

        outcome = catalog.ingest_source("station")

        assert len({each.unit_id for each in outcome.results}) == 2

    def test_disabled_collections_are_left_alone(self, catalog: Catalog, second: Collection) -> None:
        catalog.disable_collection("Unmounted")

        outcome = catalog.ingest_source("station")

        assert (len(outcome.results), len(outcome.failures)) == (1, 0)

    def test_it_is_refused_in_a_session(self, catalog: Catalog, second: Collection) -> None:
        with pytest.raises(ContractError), catalog.session():
            catalog.ingest_source("station")

    def test_a_title_that_two_collections_show_is_one(self, catalog: Catalog, collection: Collection, media: Path) -> None:
        catalog.add_collection("station", "More", path_mappings={"/media": str(media)})

        catalog.ingest_source("station")

        assert [(title.name, title.assets) for title in catalog.titles()] == [("Space: 1999", 6), ("Tron", 2)]


class TestGate:
    BREAKING = "DELETE FROM movie_asset"

    def test_a_session_that_breaks_a_rule_is_refused_at_its_end(self, catalog: Catalog, collection: Collection) -> None:
        catalog.ingest_collection("Shows")
        before = snapshot(catalog)

        with pytest.raises(ValidationError) as caught, catalog.session() as db:
            db.execute(self.BREAKING)

        assert {each.rule for each in caught.value.violations} == {"asset_without_movie", "title_without_content"}
        assert snapshot(catalog) == before

    def test_sql_after_a_validated_operation_is_judged_too(self, catalog: Catalog, collection: Collection) -> None:
        catalog.ingest_collection("Shows")
        before = snapshot(catalog)

        with pytest.raises(ValidationError), catalog.session() as db:
            catalog.disable_collection("Shows")
            db.execute(self.BREAKING)

        assert snapshot(catalog) == before

    def test_an_ingest_that_breaks_a_rule_is_refused_and_names_the_rows(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        importer.drafts = [movie("Tron", 1982, markers=(Marker("avail", 60_001),))]
        before = snapshot(catalog)

        with pytest.raises(IngestError, match="Tron") as caught:
            catalog.ingest_collection("Shows")

        cause = cause_of(caught)
        assert caught.value.phase == "postvalidation"
        assert isinstance(cause, ValidationError)
        assert [each.rule for each in cause.violations] == ["asset_marker_outside_duration"]
        assert snapshot(catalog) == before


def test_the_mapped_folder_makes_nothing_an_interstitial(tmp_path: Path) -> None:
    folder = tmp_path / "trailers" / "Commercials"
    for name in ("Tron (1982).mkv", "Dark/Dark S01E01.mkv", "Bumpers/Back soon.mkv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()

    with Catalog(":memory:") as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "Disk", path_mappings={str(folder): str(folder)})
        catalog.attach_enricher("Disk", "filename")
        catalog.ingest_collection("Disk")

        assert {asset.kind for asset in catalog.assets()} == {"movie", "episode", "bumper"}


def test_selectors_find_by_id_external_id_and_name(catalog: Catalog, collection: Collection, media: Path) -> None:
    added = catalog.add_collection("station", "Straße", external_id="Ext-7", path_mappings={"/media": str(media)})

    for selector in (added.id, "Ext-7", "STRASSE", "straße"):
        assert catalog.ingest_collection(selector, dry_run=True).collection.id == added.id


@pytest.mark.parametrize("selector", ["Nothing", "Sh%", "Show_", "%", "", " ", "ext-7"])
def test_selectors_that_name_nothing_are_refused(catalog: Catalog, collection: Collection, selector: str) -> None:
    catalog.add_collection("station", "Other", external_id="Ext-7")

    with pytest.raises(IngestError) as caught:
        catalog.ingest_collection(selector)

    assert isinstance(cause_of(caught), ValidationError)


def test_an_ambiguous_selector_is_refused_with_its_candidates(catalog: Catalog, collection: Collection) -> None:
    catalog.add_source("second", "fake")
    other = catalog.add_collection("second", "SHOWS")

    with pytest.raises(IngestError, match="ambiguous") as caught:
        catalog.ingest_collection("shows")

    assert collection.id in str(caught.value)
    assert other.id in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_refused(ingested: Library) -> None:
    folder = ingested.root / "Movies"
    folder.chmod(0)
    try:
        with pytest.raises(IngestError, match="cannot be read"):
            ingested.ingest()
    finally:
        folder.chmod(0o755)
