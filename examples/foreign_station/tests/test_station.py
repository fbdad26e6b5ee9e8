"""What the station's own importer and operation do, and that each is all or nothing, with the fixtures of the plugin."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from foreign_station import SignOffError, sign_off

from retrovue_uow import Catalog, IngestError, ResourceError, ValidationError
from retrovue_uow.testing import assert_atomic, assert_unchanged, snapshot

LIST = """file,kind,title,year,seconds
robots.mkv,movie,Night of the Robots,1955,61.5
odyssey.mkv,movie,2010 Odyssey,1984,90
ident.mp4,station_id,,,5
"""


@pytest.fixture
def shelf(retrovue_media_folder: Callable[..., Path]) -> Path:
    folder = retrovue_media_folder("robots.mkv", "odyssey.mkv", "ident.mp4", folder="shelf")
    (folder / "shelf.csv").write_text(LIST, encoding="utf-8")
    return folder


@pytest.fixture
def station(retrovue_catalog: Catalog, shelf: Path) -> Catalog:
    retrovue_catalog.add_source("tapes", "tape_shelf", {"shelf": str(shelf)})
    retrovue_catalog.discover_collections("tapes")
    retrovue_catalog.enable_collection("Tapes")
    return retrovue_catalog


def test_a_shelf_is_ingested(station: Catalog) -> None:
    result = station.ingest_collection("Tapes")

    assert result.created == 3
    assert [(title.name, title.year) for title in station.titles()] == [("2010 Odyssey", 1984), ("Night of the Robots", 1955)]
    assert sum(asset.duration_ms or 0 for asset in station.assets()) == 156_500


def test_a_shelf_whose_disk_is_gone_changes_nothing(station: Catalog, shelf: Path) -> None:
    station.ingest_collection("Tapes")
    (shelf / "shelf.csv").unlink()

    with assert_unchanged(station), pytest.raises(IngestError, match="mounted") as caught:
        station.ingest_collection("Tapes")

    assert isinstance(caught.value.cause, ResourceError)


def test_signing_off_retires_and_approves(station: Catalog) -> None:
    station.ingest_collection("Tapes")

    assert sign_off(station, last_year=1960) == 2
    assert [asset.state for asset in station.assets(title="2010 Odyssey")] == ["retired"]
    assert len(station.schedulable_assets()) == 2


def test_signing_off_an_empty_catalogue_is_refused(station: Catalog) -> None:
    before = snapshot(station)

    with pytest.raises(SignOffError) as caught:
        sign_off(station, last_year=1960)

    assert isinstance(caught.value.cause, ValidationError)
    assert snapshot(station) == before


def test_the_ingest_of_a_shelf_is_atomic(station: Catalog) -> None:
    report = assert_atomic(station, lambda catalog: catalog.ingest_collection("Tapes"), sample=5)

    assert report.points["call"] == 5  # check, discover, three drafts


def test_signing_off_is_atomic(station: Catalog) -> None:
    station.ingest_collection("Tapes")

    assert_atomic(station, lambda catalog: sign_off(catalog, last_year=1960), sample=5, workers="auto")
