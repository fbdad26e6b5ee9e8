"""Processing one file: what it must be, what becomes of it, and what it may not disturb."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from retrovue_uow import (
    AssetDraft,
    AssetProcessingError,
    Catalog,
    Collection,
    ContractError,
    Marker,
    ResourceError,
    ValidationError,
)
from retrovue_uow.testing import FakeEnricher, snapshot


@pytest.fixture
def film(collection: Collection, media: Path) -> AssetDraft:
    """A movie's file in the collection `Shows`."""
    path = media / "Tron (1982).mkv"
    path.write_bytes(b"\0" * 42)
    return AssetDraft(str(path), "/media/Tron (1982).mkv", kind="movie", title="Tron", year=1982)


@pytest.fixture
def processed(catalog: Catalog, film: AssetDraft) -> Catalog:
    """The catalogue in which it is an approved asset."""
    catalog.process_asset(film, "Shows")
    with catalog.session() as db:
        db.execute("UPDATE asset SET approved = 1")
    return catalog


@pytest.fixture
def outside(media: Path) -> Iterator[Path]:
    path = media.parent / "outside.mkv"
    path.touch()
    yield path
    assert path.exists()


def refused(catalog: Catalog, found: Any, collection: str = "Shows", **options: Any) -> AssetProcessingError:
    """The error that processing the draft gives, which changes nothing."""
    before = snapshot(catalog)
    with pytest.raises(AssetProcessingError) as caught:
        catalog.process_asset(found, collection, **options)
    assert snapshot(catalog) == before
    return caught.value


def test_a_new_file_becomes_a_ready_asset(catalog: Catalog, film: AssetDraft) -> None:
    result = catalog.process_asset(film, "Shows")

    assert (result.outcome, result.created_entities) == ("created", {"title": 1})
    assert (result.asset.state, result.asset.approved, result.asset.duration_ms) == ("ready", False, 60_000)
    assert (result.asset.title, result.asset.year, result.asset.size) == ("Tron", 1982, 42)
    assert result.asset.mtime_ns == os.stat(film.file_path).st_mtime_ns
    assert catalog.asset(result.asset.id) == result.asset


def test_a_file_of_unknown_duration_is_new(catalog: Catalog, film: AssetDraft, enricher: FakeEnricher) -> None:
    enricher.returns = lambda found: found

    assert catalog.process_asset(film, "Shows").asset.state == "new"


def test_an_episode_gets_all_that_is_above_it(catalog: Catalog, film: AssetDraft) -> None:
    double = attrs.evolve(film, kind="episode", title="Dark", season_number=0, episode_numbers=(1, 2), episode_title="Both")

    result = catalog.process_asset(double, "Shows")

    assert result.created_entities == {"title": 1, "season": 1, "episode": 2}
    assert (result.asset.season_number, result.asset.episode_numbers) == (0, (1, 2))
    assert catalog.check().is_sound


def test_a_file_that_nothing_classifies_is_other(catalog: Catalog, film: AssetDraft) -> None:
    assert catalog.process_asset(attrs.evolve(film, kind=None, title=None), "Shows").asset.kind == "other"


def test_an_existing_asset_is_left_as_it_is(processed: Catalog, film: AssetDraft, enricher: FakeEnricher) -> None:
    before = snapshot(processed, journal=False)
    enricher.seen.clear()

    result = processed.process_asset(film, "Shows")

    assert result.outcome == "unchanged"
    assert enricher.seen == []
    assert snapshot(processed, journal=False) == before


def test_a_changed_file_is_reported_and_left_where_that_is_asked(processed: Catalog, film: AssetDraft) -> None:
    before = snapshot(processed, journal=False)

    assert processed.process_asset(attrs.evolve(film, size=7), "Shows", refresh=None).outcome == "changed"
    assert snapshot(processed, journal=False) == before


@pytest.mark.parametrize(("size", "refresh"), [(7, "files"), (7, "changed"), (7, "all"), (42, "all")])
def test_a_refresh_enriches_again_and_withdraws_approval_only_where_facts_changed(
    processed: Catalog, film: AssetDraft, size: int, refresh: Any
) -> None:
    result = processed.process_asset(attrs.evolve(film, size=size), "Shows", refresh=refresh)

    assert result.outcome == "refreshed"
    assert result.asset.approved is (size == 42)
    assert result.approvals_withdrawn == (size != 42)
    assert [each.reason for each in result.withdrawals] == ["its size (bytes) changed: 42 → 7"] * (size != 42)


def test_what_only_an_older_enricher_saw_is_outdated_and_left(
    processed: Catalog, film: AssetDraft, enricher: FakeEnricher
) -> None:
    enricher.version = "2"
    enricher.seen.clear()

    assert processed.process_asset(film, "Shows").outcome == "outdated"
    assert enricher.seen == []
    assert processed.process_asset(film, "Shows", refresh="changed").outcome == "refreshed"


def test_a_refresh_that_was_not_needed_changes_nothing(processed: Catalog, film: AssetDraft) -> None:
    assert processed.process_asset(film, "Shows", refresh="changed").outcome == "unchanged"


def test_a_missing_asset_is_back_when_its_file_is_processed(processed: Catalog, film: AssetDraft) -> None:
    with processed.session() as db:
        db.execute("UPDATE asset SET missing_since = '2026-01-01T00:00:00Z'")

    assert processed.process_asset(film, "Shows").asset.missing_since is None


def test_a_refresh_as_another_kind_moves_the_asset_and_removes_the_empty_title(processed: Catalog, film: AssetDraft) -> None:
    processed.process_asset(attrs.evolve(film, kind="promo", title=None, year=None), "Shows", refresh="all")

    assert processed.titles() == []
    assert [asset.kind for asset in processed.assets()] == ["promo"]
    assert processed.check().is_sound


def test_it_works_while_somebody_else_holds_the_claim(catalog: Catalog, film: AssetDraft) -> None:
    with Catalog(catalog.database.path, importers=catalog.importers, enrichers=catalog.enrichers) as other:
        prepared = other.prepare_ingest("Shows")

        assert catalog.process_asset(film, "Shows").outcome == "created"
        prepared.close()


def test_it_is_misuse_inside_a_session(catalog: Catalog, film: AssetDraft) -> None:
    with pytest.raises(ContractError, match="prepare"), catalog.session():
        catalog.process_asset(film, "Shows")

    assert catalog.assets() == []


@pytest.mark.parametrize("found", [None, "/media/a.mkv", {"file_path": "/media/a.mkv"}], ids=repr)
def test_what_is_no_draft_is_refused(catalog: Catalog, collection: Collection, found: object) -> None:
    assert isinstance(refused(catalog, found).cause, ValidationError)


@pytest.mark.parametrize(
    "facts",
    [
        {"file_path": ""},
        {"file_path": "media/a.mkv"},
        {"source_path": "media/a.mkv"},
        {"source_path": "/media/../etc/a.mkv"},
        {"source_path": "/elsewhere/a.mkv"},
        {"file_path": "/etc/hostname"},
        {"source_path": "/media/a\0.mkv"},
        {"source_path": "/media/a\udcff.mkv"},
        {"size": -1},
        {"duration_ms": 0},
        {"title": "T" * 10_000},
        {"title": None},
        {"markers": (Marker("avail", 3, 2),)},
    ],
    ids=lambda facts: str(facts)[:60].encode("ascii", "backslashreplace").decode(),
)
def test_a_draft_that_cannot_be_is_refused(catalog: Catalog, film: AssetDraft, facts: dict[str, Any]) -> None:
    error = refused(catalog, attrs.evolve(film, **facts))

    assert isinstance(error.cause, ValidationError)
    assert error.phase == "preflight"


def test_a_file_path_that_escapes_by_parent_folders_is_refused(catalog: Catalog, film: AssetDraft, outside: Path) -> None:
    escaping = str(Path(film.file_path).parent / ".." / outside.name)

    assert isinstance(refused(catalog, attrs.evolve(film, file_path=escaping)).cause, ValidationError)


def test_a_link_that_escapes_is_refused(catalog: Catalog, film: AssetDraft, media: Path, outside: Path) -> None:
    link = media / "link.mkv"
    link.symlink_to(outside)

    error = refused(catalog, attrs.evolve(film, file_path=str(link), source_path="/media/link.mkv"))

    assert isinstance(error.cause, ValidationError)


def test_a_file_that_is_not_there_is_refused(catalog: Catalog, film: AssetDraft) -> None:
    os.unlink(film.file_path)

    assert isinstance(refused(catalog, film).cause, ValidationError)


def test_a_folder_is_no_media_file(catalog: Catalog, film: AssetDraft, media: Path) -> None:
    (media / "folder.mkv").mkdir()
    folder = attrs.evolve(film, file_path=str(media / "folder.mkv"), source_path="/media/folder.mkv")

    assert isinstance(refused(catalog, folder).cause, ResourceError)


@pytest.mark.parametrize(("selector", "message"), [("Nothing", "no collection"), ("Sh%", "no collection")])
def test_an_unknown_collection_is_refused(catalog: Catalog, film: AssetDraft, selector: str, message: str) -> None:
    assert message in str(refused(catalog, film, selector))


def test_a_disabled_collection_is_refused(catalog: Catalog, film: AssetDraft) -> None:
    catalog.disable_collection("Shows")

    assert "enable it first" in str(refused(catalog, film))


def test_an_unmounted_folder_is_refused(catalog: Catalog, film: AssetDraft, media: Path) -> None:
    media.rename(media.with_name("elsewhere"))

    assert isinstance(refused(catalog, film).cause, ResourceError)


def test_an_unavailable_enricher_is_refused(catalog: Catalog, film: AssetDraft, enricher: FakeEnricher) -> None:
    enricher.unavailable = ResourceError("not installed")

    assert isinstance(refused(catalog, film).cause, ResourceError)


@pytest.mark.parametrize("returned", [None, "text"])
def test_a_faulty_enricher_is_refused(catalog: Catalog, film: AssetDraft, enricher: FakeEnricher, returned: object) -> None:
    enricher.returns = lambda _: returned

    error = refused(catalog, film)

    assert isinstance(error.cause, ValidationError)
    assert film.file_path in str(error)
    assert error.phase == "preparation"


def test_a_marker_behind_the_end_is_refused_after_the_writing(catalog: Catalog, film: AssetDraft) -> None:
    error = refused(catalog, attrs.evolve(film, markers=(Marker("avail", 60_001),)))

    assert error.phase == "postvalidation"


@pytest.mark.parametrize("refresh", ["some", True, 0])
def test_refresh_must_be_one_of_three(catalog: Catalog, film: AssetDraft, refresh: Any) -> None:
    assert isinstance(refused(catalog, film, refresh=refresh).cause, ValidationError)


def another(catalog: Catalog, enricher: FakeEnricher) -> Catalog:
    """The same file, opened once more, as another process would."""
    return Catalog(catalog.database.path, enrichers={"fake": enricher})


def measuring(duration_ms: int) -> FakeEnricher:
    return FakeEnricher(returns=lambda found: attrs.evolve(found, duration_ms=duration_ms))


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


def test_a_refresh_that_was_overtaken_is_refused_and_overwrites_nothing(
    catalog: Catalog, film: AssetDraft, enricher: FakeEnricher
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


def test_a_draft_that_no_enricher_saw_never_overwrites_newer_facts(catalog: Catalog, film: AssetDraft) -> None:
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
