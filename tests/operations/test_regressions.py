"""What a review found: races, silent sources, blinded gates, odd values. Each is refused in our words, or done right."""

from __future__ import annotations

import gc
import json
import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import MappingProxyType
from typing import Any

import apsw
import attrs
import pytest
from harness import draft, movie

from retrovue_uow import (
    AfterCommitError,
    AssetDraft,
    AssetProcessingError,
    Catalog,
    Collection,
    ConfigurationError,
    ContractError,
    IngestError,
    IngestFilters,
    OperationError,
    ResourceError,
    Sidecar,
    ValidationError,
    WipeOptions,
)
from retrovue_uow.rules.integrity import validate_database_consistency
from retrovue_uow.testing import FakeEnricher, FakeImporter, snapshot

BREAK_A_RULE = "DELETE FROM movie_asset"


@pytest.fixture
def film(collection: Collection, media: Path) -> AssetDraft:
    """A movie's file in the collection `Shows`."""
    path = media / "Tron (1982).mkv"
    path.write_bytes(b"\0" * 42)
    return AssetDraft(str(path), "/media/Tron (1982).mkv", kind="movie", title="Tron", year=1982)


@pytest.fixture
def ingested(catalog: Catalog, collection: Collection) -> Catalog:
    catalog.ingest_collection("Shows")
    return catalog


def schema(catalog: Catalog) -> list[Any]:
    connection = apsw.Connection(catalog.database.path, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()
    finally:
        connection.close()


def counts_of_last_unit(catalog: Catalog) -> dict[str, dict[str, int]]:
    """The rows by table and kind of change that the journal has of the newest unit."""
    ((counts,),) = catalog.database.execute("SELECT counts FROM unit_of_work ORDER BY id DESC LIMIT 1")
    found: dict[str, dict[str, int]] = json.loads(counts)
    return found


def another(catalog: Catalog, enricher: FakeEnricher) -> Catalog:
    """The same file, opened once more, as another process would."""
    return Catalog(catalog.database.path, enrichers={"fake": enricher})


def measuring(duration_ms: int) -> FakeEnricher:
    return FakeEnricher(returns=lambda found: attrs.evolve(found, duration_ms=duration_ms))


def run_own(catalog: Catalog, change: Callable[[], object]) -> None:
    """An operation of one's own that does `change`."""
    with catalog.operation("own", OperationError) as op:
        with op.preflight():
            """Nothing to look at."""
        with op.execution():
            change()
        with op.postvalidation() as db:
            validate_database_consistency(db)
        op.finish(None)


class Overtaken:
    """An enricher during whose preparation, when its version is asked for, somebody else is faster."""

    def __init__(self, overtake: Callable[[], None]) -> None:
        self.overtake = overtake

    def __call__(self, config: object) -> Overtaken:
        return self

    @property
    def version(self) -> str:
        self.overtake()
        return "1"

    def check(self) -> None:
        """It needs nothing."""

    def enrich(self, found: AssetDraft) -> AssetDraft:
        return found


class TestRaces:
    def test_a_refresh_that_was_overtaken_is_refused_and_overwrites_nothing(
        self, catalog: Catalog, film: AssetDraft, enricher: FakeEnricher
    ) -> None:
        catalog.process_asset(film, "Shows")
        Path(film.file_path).write_bytes(b"\0" * 43)
        overtaken: list[object] = []

        def slow(found: AssetDraft) -> AssetDraft:
            with another(catalog, measuring(77_000)) as other:
                other.process_asset(film, "Shows", refresh="changed")
            overtaken.append(snapshot(catalog, journal=False))
            return attrs.evolve(found, duration_ms=11_000)

        enricher.returns = slow
        with pytest.raises(AssetProcessingError, match="changed by somebody else") as caught:
            catalog.process_asset(film, "Shows", refresh="changed")

        assert isinstance(caught.value.cause, ValidationError)
        assert [snapshot(catalog, journal=False)] == overtaken
        assert [asset.duration_ms for asset in catalog.assets()] == [77_000]

    def test_a_draft_that_no_enricher_saw_never_overwrites_newer_facts(self, catalog: Catalog, film: AssetDraft) -> None:
        stale = attrs.evolve(film, size=42, mtime_ns=1, sidecars=())
        newer = attrs.evolve(film, size=43, mtime_ns=2, sidecars=())
        catalog.process_asset(stale, "Shows")

        def overtake() -> None:
            with another(catalog, measuring(77_000)) as other:
                other.process_asset(newer, "Shows", refresh="changed")

        with another(catalog, Overtaken(overtake)) as slow:  # type: ignore[arg-type]  # it makes itself, as the fakes do
            result = slow.process_asset(stale, "Shows", refresh="changed")

        assert result.outcome == "changed"
        assert [(asset.size, asset.duration_ms) for asset in catalog.assets()] == [(43, 77_000)]


class TestImporters:
    def test_one_that_leaves_a_session_open_is_misuse_and_commits_nothing(
        self, catalog: Catalog, collection: Collection, importer: FakeImporter
    ) -> None:
        def write() -> Iterator[None]:
            with catalog.session() as db:
                db.execute("DELETE FROM collection_enricher")
                yield

        def opening(drafts: Iterable[AssetDraft]) -> Iterator[AssetDraft]:
            next(writing)
            yield from drafts

        before, drafts, writing = snapshot(catalog), importer.drafts, write()
        importer.drafts = opening(drafts)
        with pytest.raises(ContractError, match="unit of work"):
            catalog.ingest_collection("Shows")
        with pytest.raises(ContractError, match="unit of work"):
            catalog.process_asset(draft("a.mkv"), "Shows")
        writing.close()  # type: ignore[attr-defined]  # a generator has it
        assert snapshot(catalog) == before

        importer.drafts = drafts
        assert catalog.ingest_collection("Shows").created == 4

    def test_one_that_is_silent_is_not_believed(self, ingested: Catalog, importer: FakeImporter) -> None:
        importer.drafts = []
        before = snapshot(ingested)

        with pytest.raises(IngestError, match="nothing was found below") as caught:
            ingested.ingest_collection("Shows")

        assert isinstance(caught.value.cause, ResourceError)
        assert snapshot(ingested) == before

    def test_one_that_is_silent_is_believed_on_demand(self, ingested: Catalog, importer: FakeImporter) -> None:
        importer.drafts = []

        assert ingested.ingest_collection("Shows", allow_empty=True).missing == 4

    def test_filters_that_hide_everything_are_no_silence(self, ingested: Catalog) -> None:
        before = snapshot(ingested, journal=False)

        hidden = ingested.ingest_collection("Shows", IngestFilters(exclude=("*.mkv",)))
        filtered = ingested.ingest_collection("Shows", IngestFilters(title="Tron"))

        assert (hidden.discovered, hidden.missing, filtered.unchanged, filtered.missing) == (0, 0, 1, 0)
        assert snapshot(ingested, journal=False) == before

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


class TestClaims:
    def test_a_prepared_ingest_that_is_collected_gives_its_claim_back(self, catalog: Catalog, collection: Collection) -> None:
        prepared = catalog.prepare_ingest("Shows")
        with another(catalog, FakeEnricher()) as other:
            with pytest.raises(ConfigurationError, match="in use"):
                other.disable_collection("Shows")
            del prepared
            gc.collect()

            assert not other.disable_collection("Shows").enabled

    def test_a_catalogue_that_is_closed_gives_its_claims_back(self, catalog: Catalog, collection: Collection) -> None:
        prepared = catalog.prepare_ingest("Shows")
        catalog.close()

        with another(catalog, FakeEnricher()) as other:
            assert not other.disable_collection("Shows").enabled
        prepared.close()


class TestGate:
    def test_a_temporary_view_cannot_blind_it(self, ingested: Catalog) -> None:
        blinding = "CREATE TEMP VIEW violation AS SELECT '' AS rule, '' AS subject, '' AS id, '' AS detail WHERE 0"
        before = snapshot(ingested)

        with pytest.raises(ValidationError, match="Tron"), ingested.session() as db:
            with pytest.raises(ContractError, match="a name of this library's"):
                db.execute(blinding)
            with db.as_keeper():
                db.execute(blinding)
            db.execute(BREAK_A_RULE)

        assert snapshot(ingested) == before

    @pytest.mark.parametrize(
        "change",
        [
            "DROP VIEW violation",
            "DROP TABLE marker",
            "CREATE TABLE mine (id INTEGER)",
            "ALTER TABLE marker ADD COLUMN mine TEXT",
        ],
    )
    def test_a_session_that_changes_the_shape_is_misuse_and_changes_nothing(self, ingested: Catalog, change: str) -> None:
        before, shape = snapshot(ingested), schema(ingested)

        with pytest.raises(ContractError, match="shape"), ingested.session() as db:
            db.execute(change)

        assert (snapshot(ingested), schema(ingested)) == (before, shape)
        with ingested.session() as db:
            db.execute("UPDATE asset SET state = 'retired'")
        assert {asset.state for asset in ingested.assets()} == {"retired"}


class TestPassingThrough:
    def test_a_failing_hook_inside_an_operation_arrives_unwrapped_and_the_data_is_there(self, ingested: Catalog) -> None:
        failure = KeyError("the hook's own")

        def fail() -> None:
            raise failure

        def change() -> None:
            ingested.database.execute("UPDATE asset SET state = 'retired'")
            ingested.database.on_commit(fail)

        with pytest.raises(AfterCommitError) as caught:
            run_own(ingested, change)

        assert caught.value.__cause__ is failure
        assert caught.value.errors == (failure,)
        assert {asset.state for asset in ingested.assets()} == {"retired"}

    def test_a_swallowed_failure_keeps_its_cause(self, ingested: Catalog) -> None:
        failure = KeyError("swallowed")

        def change() -> None:
            with pytest.raises(KeyError), ingested.session():
                raise failure

        with pytest.raises(ContractError, match="swallowed") as caught:
            run_own(ingested, change)

        assert caught.value.__cause__ is failure

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


def test_a_read_only_catalogue_refuses_before_anybody_is_asked(
    ingested: Catalog, importer: FakeImporter, enricher: FakeEnricher, film: AssetDraft, tmp_path: Path
) -> None:
    asked: list[object] = []

    def ask_importer(config: object) -> FakeImporter:
        asked.append(config)
        return importer

    def ask_enricher(config: object) -> FakeEnricher:
        asked.append(config)
        return enricher

    copy = tmp_path / "copy" / "catalog.db"
    copy.parent.mkdir()
    ingested.backup(copy)
    factories: dict[str, Any] = {"importers": {"fake": ask_importer}, "enrichers": {"fake": ask_enricher}}
    with Catalog(copy, read_only=True, **factories) as catalog:
        for refused in (
            lambda: catalog.ingest_collection("Shows"),
            lambda: catalog.prepare_ingest("Shows"),
            lambda: catalog.process_asset(film, "Shows"),
            lambda: catalog.discover_collections("station"),
            lambda: catalog.wipe_collection("Shows"),
        ):
            with pytest.raises(OperationError, match="read-only") as caught:
                refused()
            assert isinstance(caught.value.cause, ResourceError)

    assert asked == []
    assert list(copy.parent.glob("*.claims")) == []


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A folder for real files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


@pytest.fixture
def library(catalog: Catalog, disk: Path) -> Catalog:
    """The catalogue with the real folder as its collection `Disk`."""
    catalog.add_source("disk")
    catalog.add_collection("disk", "Disk", path_mappings={str(disk): str(disk)})
    return catalog


def test_a_subfolder_that_is_mapped_elsewhere_is_looked_for_only_there(library: Catalog, disk: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (disk / "Sub").mkdir()
    elsewhere.mkdir()
    for path in (disk / "a.mkv", disk / "Sub" / "shadowed.mkv", elsewhere / "b.mkv"):
        path.write_bytes(b"\0")
    library.map_path("Disk", str(disk / "Sub"), str(elsewhere))

    result = library.ingest_collection("Disk")

    assert {asset.file_path for asset in library.assets()} == {str(disk / "a.mkv"), str(elsewhere / "b.mkv")}
    assert {asset.canonical_key for asset in library.assets()} == {str(disk / "a.mkv"), str(disk / "Sub" / "b.mkv")}
    assert (result.created, result.duplicates) == (2, 0)


def test_an_asset_whose_recorded_twin_went_counts_as_changed(library: Catalog, disk: Path) -> None:
    for form in ("NFC", "NFD"):
        path = disk / unicodedata.normalize(form, "Amélie (2001).mkv")
        path.write_bytes(b"\0")
        os.utime(path, ns=(1, 1))
    if len(list(disk.iterdir())) == 1:
        pytest.skip("this file system takes both names for one")
    first = library.ingest_collection("Disk")
    (recorded,) = library.assets()
    os.unlink(recorded.file_path)

    second = library.ingest_collection("Disk")

    assert (first.created, first.twins) == (1, 1)
    assert (second.changed, second.unchanged, second.missing) == (1, 0, 0)


class TestPrepared:
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


class TestEnrichers:
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


def test_sidecars_that_are_none_are_refused(catalog: Catalog, collection: Collection, importer: FakeImporter) -> None:
    importer.drafts = [movie("Tron", 1982, sidecars=("x",))]

    with pytest.raises(IngestError, match="tuple of Sidecar") as caught:
        catalog.ingest_collection("Shows")

    assert isinstance(caught.value.cause, ValidationError)


class TestNoJson:
    @pytest.mark.parametrize(
        "config", [{"a": float("nan")}, ["a"], {"a": "\udcff"}, {"a": object()}], ids=["NaN", "list", "surrogate", "object"]
    )
    def test_a_configuration_is_refused_at_preflight(self, catalog: Catalog, collection: Collection, config: Any) -> None:
        catalog.detach_enricher("Shows", "fake")
        before = snapshot(catalog)

        for call in (
            lambda: catalog.add_source("second", "fake", config),
            lambda: catalog.attach_enricher("Shows", "fake", config=config),
        ):
            with pytest.raises(ConfigurationError, match="JSON object") as caught:
                call()
            assert (caught.value.phase, type(caught.value.cause)) == ("preflight", ValidationError)

        assert snapshot(catalog) == before

    @pytest.mark.parametrize("argument", [object(), b"x", {1, 2}, float("nan")], ids=["object", "bytes", "set", "NaN"])
    def test_arguments_are_refused_at_entry(self, catalog: Catalog, argument: object) -> None:
        with pytest.raises(ContractError, match="JSON"), catalog.operation("own", argument=argument):
            pytest.fail("entered")


class TestWrongTypes:
    @pytest.mark.parametrize(
        "filters",
        [None, "Tron", IngestFilters(title="Tron", season="1"), IngestFilters(title=5)],  # type: ignore[arg-type]  # the point
        ids=repr,
    )
    def test_of_filters(self, catalog: Catalog, collection: Collection, filters: Any) -> None:
        with pytest.raises(IngestError, match="make no sense") as caught:
            catalog.ingest_collection("Shows", filters)

        assert isinstance(caught.value.cause, ValidationError)

    @pytest.mark.parametrize("options", [None, True, {"dry_run": True}], ids=repr)
    def test_of_options(self, ingested: Catalog, options: Any) -> None:
        with pytest.raises(ContractError, match="WipeOptions"):
            ingested.wipe_collection("Shows", options)

        assert len(ingested.assets()) == 4

    @pytest.mark.parametrize("question", [{"kind": "nope"}, {"state": "nope"}, {"title": 5}, {"kind": []}], ids=repr)
    def test_of_a_question(self, ingested: Catalog, question: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            ingested.assets(**question)


def test_a_dry_run_inside_a_session_leaves_no_empty_unit(ingested: Catalog) -> None:
    before = snapshot(ingested)

    with ingested.session():
        assert ingested.wipe_collection("Shows", WipeOptions(dry_run=True)).deleted["asset"] == 4

    assert snapshot(ingested) == before


def test_an_operation_beside_a_dry_run_is_journalled_for_what_it_did(ingested: Catalog) -> None:
    with ingested.session():
        ingested.wipe_collection("Shows", WipeOptions(dry_run=True))
        ingested.disable_collection("Shows")

    assert counts_of_last_unit(ingested) == {"collection": {"update": 1}}


def test_a_session_of_two_operations_is_journalled_for_both(ingested: Catalog) -> None:
    with ingested.session():
        ingested.disable_collection("Shows")
        ingested.wipe_collection("Shows")

    counts = counts_of_last_unit(ingested)
    assert (counts["collection"], counts["asset"]) == ({"update": 1}, {"delete": 4})
