"""A real folder of real media files, from nothing to a catalogue and through a change of season."""

from __future__ import annotations

import importlib.util
import shutil
from collections import Counter
from pathlib import Path

import pytest

from retrovue_uow import Catalog, IngestError, ResourceError
from retrovue_uow.testing import snapshot

EXAMPLE = Path(__file__).parent.parent / "examples" / "make_media.py"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's media files, made once with ffmpeg."""
    spec = importlib.util.spec_from_file_location("make_media", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    make_media = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_media)
    folder = tmp_path_factory.mktemp("made") / "Videos"
    make_media.make(folder)
    return folder


@pytest.fixture
def videos(made: Path, tmp_path: Path) -> Path:
    """A copy of them for one test to change; times kept."""
    return Path(shutil.copytree(made, tmp_path / "Videos"))


@pytest.fixture
def station(videos: Path, tmp_path: Path) -> Catalog:
    catalog = Catalog(tmp_path / "catalog.db")
    catalog.add_source("disk")
    catalog.add_collection("disk", "Videos", path_mappings={str(videos): str(videos)})
    for priority, enricher in enumerate(("filename", "nfo")):
        catalog.attach_enricher("Videos", enricher, priority=priority)
    return catalog


def test_a_real_folder_becomes_a_whole_catalogue(station: Catalog) -> None:
    station.attach_enricher("Videos", "ffprobe")

    result = station.ingest_collection("Videos")

    assert (result.discovered, result.created, result.unclassified) == (62, 62, 1)
    assert [(title.name, title.year, title.seasons, title.episodes, title.assets) for title in station.titles()] == [
        ("10 Ways to Leave Earth", 1961, 0, 0, 1),
        ("2010 Odyssey", 1984, 0, 0, 1),
        ("Captain Comet", 1958, 3, 25, 25),
        ("Night of the Robots", 1955, 0, 0, 1),
        ("Space Patrol 2000", None, 2, 15, 14),
    ]
    kinds = Counter(asset.kind for asset in station.assets())
    assert kinds == {"episode": 39, "movie": 3, "bumper": 12, "commercial": 6, "trailer": 1, "other": 1}
    assert {asset.state for asset in station.assets()} == {"ready"}
    assert not any(asset.approved for asset in station.assets())
    assert station.check().is_sound
    (pilot,) = [a for a in station.assets(title="captain comet") if (a.season_number, a.episode_numbers) == (1, (1,))]
    assert pilot.episode_title == "The Moon Men & Friends"
    assert set(station.metadata(pilot.id)) == {"filename", "probed", "sidecar"}


def test_a_second_ingest_touches_no_row(station: Catalog) -> None:
    station.ingest_collection("Videos")
    before = snapshot(station, journal=False)

    result = station.ingest_collection("Videos")

    assert (result.unchanged, result.created, result.changed, result.missing) == (62, 0, 0, 0)
    assert snapshot(station, journal=False) == before


def test_replaced_removed_and_changed_files_are_told_apart(station: Catalog, videos: Path) -> None:
    station.ingest_collection("Videos")
    bumpers = videos / "Bumpers"
    shutil.copyfile(videos / "Commercials" / "1951 Soap.mp4", bumpers / "a new bumper.mp4")
    (bumpers / "bumper 1.mp4").unlink()
    (bumpers / "bumper 2.mp4").unlink()
    with (bumpers / "bumper 3.mp4").open("ab") as file:
        file.write(b"a little longer")

    result = station.ingest_collection("Videos")

    assert [Path(path).name for path in result.paths["created"]] == ["a new bumper.mp4"]
    assert [Path(path).name for path in result.paths["missing"]] == ["bumper 1.mp4", "bumper 2.mp4"]
    assert [Path(path).name for path in result.paths["refreshed"]] == ["bumper 3.mp4"]
    assert result.unchanged == 59
    assert len(station.assets(missing=True)) == 2


@pytest.mark.parametrize("unmount", [lambda folder: folder.rename(f"{folder}.away"), lambda folder: _empty(folder)])
def test_an_unmounted_disk_is_refused_and_empties_nothing(station: Catalog, videos: Path, unmount: object) -> None:
    assert callable(unmount)
    station.ingest_collection("Videos")
    before = snapshot(station)
    unmount(videos)

    with pytest.raises(IngestError, match="is its disk mounted") as caught:
        station.ingest_collection("Videos")

    assert isinstance(caught.value.cause, ResourceError)
    assert snapshot(station) == before


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        shutil.rmtree(entry)
