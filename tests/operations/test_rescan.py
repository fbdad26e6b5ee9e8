"""A rescan of files that did not change: nothing of the catalogue is written, and who writes meanwhile is not overlooked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

from retrovue_uow import AssetDraft, Catalog, IngestError, IngestFilters, IngestResult
from retrovue_uow.media.walk import FilesystemImporter, Run, Skip
from retrovue_uow.model import Collection, FoundCollection, Json, PathMapping, Refresh
from retrovue_uow.store.claims import Claim, Claims

FILES = ("Tron (1982).mkv", "Dark - S01E01.mkv", "Dark - S01E02.mkv", "Caf\u00e9 - S01E01.mkv")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def station(tmp_path: Path, disk: Path) -> Iterator[Catalog]:
    with Catalog(tmp_path / "station.db") as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "Shows", path_mappings={str(disk): str(disk)})
        catalog.attach_enricher("Shows", "filename")
        catalog.ingest_collection("Shows")
        yield catalog


def counts(result: IngestResult) -> dict[str, int]:
    names = ("created", "unchanged", "changed", "refreshed", "missing", "returned", "moved", "duplicates", "twins")
    return {"discovered": result.discovered} | {name: n for name in names if (n := getattr(result, name))}


def elsewhere(catalog: Catalog, sql: str) -> None:
    """Write as another program would."""
    connection = apsw.Connection(catalog.database.path)
    connection.execute(sql)
    connection.close()


class Meanwhile:
    """Progress that does something once, while the files are looked at."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act: Callable[[], object] | None = act

    def __call__(self, done: int, total: int | None, path: str) -> None:
        act, self._act = self._act, None
        if act is not None:
            act()


@pytest.mark.parametrize("refresh", [None, "files", "changed"])
def test_an_unchanged_rescan_writes_no_row_and_makes_no_draft(
    station: Catalog, refresh: Refresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(AssetDraft, "__init__")

    result = station.ingest_collection("Shows", refresh=refresh)

    assert counts(result) == {"discovered": 4, "unchanged": 4}
    assert result.changes is not None
    assert not result.changes.counts


@pytest.mark.parametrize("refresh", [None, "files", "changed"])
def test_progress_tells_of_every_unchanged_file(station: Catalog, disk: Path, refresh: Refresh) -> None:
    calls: list[tuple[int, int | None, str]] = []

    station.ingest_collection("Shows", refresh=refresh, progress=lambda *call: calls.append(call))

    assert calls == [(n, None, str(disk / name)) for n, name in enumerate(sorted(FILES), 1)]


def test_the_file_that_changed_is_told_from_those_that_did_not(station: Catalog, disk: Path) -> None:
    (disk / FILES[0]).write_bytes(b"another cut")
    (disk / "Dark - S01E01.nfo").write_text("<episodedetails><title>Secrets</title></episodedetails>")

    result = station.ingest_collection("Shows")

    assert counts(result) == {"discovered": 4, "unchanged": 2, "refreshed": 2}
    assert result.paths["refreshed"] == (str(disk / FILES[1]), str(disk / FILES[0]))


def test_a_filtered_rescan_counts_what_matches(station: Catalog) -> None:
    assert counts(station.ingest_collection("Shows", IngestFilters(title="dark"))) == {"discovered": 2, "unchanged": 2}
    with pytest.raises(IngestError, match="no file matches"):
        station.ingest_collection("Shows", IngestFilters(title="Nobody"))


def test_the_known_one_of_two_spellings_is_the_asset_and_the_other_a_twin(station: Catalog, disk: Path) -> None:
    (disk / "Cafe\u0301 - S01E01.mkv").write_bytes(b"decomposed")

    result = station.ingest_collection("Shows")

    assert counts(result) == {"discovered": 5, "unchanged": 4, "twins": 1}


def test_what_somebody_else_changed_meanwhile_counts_as_changed(station: Catalog) -> None:
    meanwhile = Meanwhile(lambda: elsewhere(station, "UPDATE asset SET enrichers = '' WHERE kind = 'movie'"))

    assert counts(station.ingest_collection("Shows", progress=meanwhile)) == {"discovered": 4, "unchanged": 3, "changed": 1}


def test_what_this_very_connection_changed_meanwhile_counts_as_changed(station: Catalog) -> None:
    def change() -> None:
        with station.session() as db:
            db.execute("UPDATE asset SET enrichers = '' WHERE kind = 'movie'")

    assert counts(station.ingest_collection("Shows", progress=Meanwhile(change))) == {
        "discovered": 4,
        "unchanged": 3,
        "changed": 1,
    }


def test_what_somebody_else_marked_missing_meanwhile_returns(station: Catalog) -> None:
    meanwhile = Meanwhile(lambda: elsewhere(station, "UPDATE asset SET missing_since = '2020-01-01T00:00:00.000000Z'"))

    assert counts(station.ingest_collection("Shows", progress=meanwhile)) == {
        "discovered": 4,
        "unchanged": 4,
        "returned": 4,
    }
    assert station.assets(missing=True) == []


def test_what_somebody_else_removed_meanwhile_fails_the_ingest_by_name(station: Catalog) -> None:
    sql = "DELETE FROM movie_asset; DELETE FROM asset WHERE kind = 'movie'; DELETE FROM title WHERE kind = 'movie'"
    meanwhile = Meanwhile(lambda: elsewhere(station, sql))

    with pytest.raises(IngestError, match=r"Tron.*went from the catalogue while its file was looked at"):
        station.ingest_collection("Shows", progress=meanwhile)


def test_a_prepared_rescan_sees_what_was_written_in_front_of_it(station: Catalog) -> None:
    with station.prepare_ingest("Shows") as prepared, station.session() as db:
        db.execute("UPDATE asset SET size = size + 1 WHERE kind = 'movie'")
        result = station.ingest_collection(prepared)

    assert counts(result) == {"discovered": 4, "unchanged": 3, "changed": 1}


def test_an_importer_derived_from_the_library_s_own_is_asked_itself(tmp_path: Path, disk: Path) -> None:
    class OneByOne(FilesystemImporter):
        def discover(self, collection: Collection, mappings: object, filters: IngestFilters) -> Iterator[AssetDraft]:
            (mapping,) = collection.path_mappings
            assert isinstance(mapping, PathMapping)
            yield AssetDraft(os.path.join(mapping.local_path, FILES[0]), os.path.join(mapping.source_path, FILES[0]))

    with Catalog(tmp_path / "derived.db", importers={"own": OneByOne}) as catalog:
        catalog.add_source("disk", "own")
        catalog.add_collection("disk", "Shows", path_mappings={str(disk): str(disk)})

        assert counts(catalog.ingest_collection("Shows")) == {"discovered": 1, "created": 1}
        assert counts(catalog.ingest_collection("Shows")) == {"discovered": 1, "unchanged": 1}


def test_an_importer_of_ones_own_may_offer_files_in_place_of_drafts(tmp_path: Path, disk: Path) -> None:
    class OnDisk:
        def __init__(self, config: Json) -> None:
            self._disk = FilesystemImporter(config)

        def check(self) -> None:
            return

        def collections(self) -> list[FoundCollection]:
            return []

        def discover(self, collection: Collection, mappings: object, filters: IngestFilters) -> Iterator[AssetDraft]:
            raise AssertionError("asked for drafts")

        def file_runs(self, mappings: Sequence[PathMapping], filters: IngestFilters, skip: Skip) -> Iterator[Run]:
            return self._disk.file_runs(mappings, filters, skip)

    with Catalog(tmp_path / "own.db", importers={"own": OnDisk}) as catalog:
        catalog.add_source("disk", "own")
        catalog.add_collection("disk", "Shows", path_mappings={str(disk): str(disk)})

        assert counts(catalog.ingest_collection("Shows")) == {"discovered": 4, "created": 4}
        assert counts(catalog.ingest_collection("Shows")) == {"discovered": 4, "unchanged": 4}


def test_moments_are_equal_until_somebody_writes(station: Catalog) -> None:
    def now() -> tuple[object, ...]:
        with station.database.read_only() as db:
            return db.data_version()

    before = now()
    assert now() == before
    elsewhere(station, "UPDATE asset SET size = size + 1")
    after = now()
    assert after != before
    station.disable_collection("Shows")
    assert now() not in (before, after)
    with Catalog(station.database.path) as other, other.database.read_only() as db:
        assert db.data_version() != now()


def test_a_refresh_prepares_no_statement_again_for_each_asset(tmp_path: Path) -> None:
    disk = tmp_path / "many"
    disk.mkdir()
    for number in range(1, 301):
        (disk / f"Dark - S01E{number:03}.mkv").touch()
    with Catalog(tmp_path / "many.db") as catalog:
        catalog.add_source("disk")
        catalog.add_collection("disk", "Shows", path_mappings={str(disk): str(disk)})
        catalog.attach_enricher("Shows", "filename")
        catalog.ingest_collection("Shows")
        authorizer = catalog.database.connection.authorizer
        assert authorizer is not None
        asked: list[int] = []

        def count(*question: Any) -> int:
            asked.append(question[0])
            return authorizer(*question)

        catalog.database.connection.authorizer = count
        calls = []
        for title in ("S01E00", "S01E0", "S01E"):  # 9, 99 and 300 of the files
            for path in disk.glob(f"*{title}*"):
                os.utime(path)
            asked.clear()
            catalog.ingest_collection("Shows", refresh="changed")
            calls.append(len(asked))

    assert calls[2] - calls[1] <= 300 - 99


@pytest.mark.parametrize("prepares_first", [False, True])
def test_what_was_wiped_just_before_the_claim_is_seen_as_wiped(
    station: Catalog, prepares_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Claims.take

    def take_after_a_wipe(claims: Claims, key: str, operation: str) -> Claim:
        monkeypatch.setattr(Claims, "take", take)
        with Catalog(station.database.path) as other:  # it had the claim until now
            other.wipe_collection("Shows")
        return take(claims, key, operation)

    monkeypatch.setattr(Claims, "take", take_after_a_wipe)
    if prepares_first:
        with station.prepare_ingest("Shows") as prepared:
            result = station.ingest_collection(prepared)
    else:
        result = station.ingest_collection("Shows")

    assert counts(result) == {"discovered": 4, "created": 4}
