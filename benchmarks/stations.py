"""Catalogues for benchmarks, and what their importer finds."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from benchmarks.measuring import Taken, timed
from retrovue_uow import AssetDraft, Catalog, Collection, FoundCollection, IngestFilters, PathMapping
from retrovue_uow.model import Json

SEASON = 20
SHOWS = "Shows"
"""The collection that a template has."""


@attrs.define
class Drafts:
    """An importer of episodes that are already identified and measured, and its own factory."""

    folder: str
    numbers: range = range(0)
    season: int = SEASON
    seasons: int = 2

    def __call__(self, config: Json) -> Drafts:
        return self

    def check(self) -> None:
        """It can always be reached."""

    def collections(self) -> Sequence[FoundCollection]:
        """None but those that were added."""
        return ()

    def discover(self, collection: Collection, mappings: Sequence[PathMapping], filters: IngestFilters) -> Iterator[AssetDraft]:
        """One episode for each number."""
        return drafts(self.folder, collection.name, self.numbers, season_of=self.season, seasons=self.seasons)


def drafts(folder: str, collection: str, numbers: range, *, season_of: int = SEASON, seasons: int = 2) -> Iterator[AssetDraft]:
    """One episode for each number; `season_of` of them to a season, `seasons` of these to a show."""
    for number in numbers:
        season, episode = divmod(number, season_of)
        path = f"{folder}/{collection}/{season}/{episode}.mkv"
        yield AssetDraft(
            path,
            path,
            size=1_000_000 + number,
            mtime_ns=number,
            sidecars=(),
            kind="episode",
            title=f"Show {season // seasons}",
            season_number=season % seasons + 1,
            episode_numbers=(episode + 1,),
            duration_ms=1_500_000,
            container="matroska",
            video_codec="h264",
            audio_codec="aac",
            width=640,
            height=480,
            metadata={"probed": {"bit_rate": 1_500_000, "streams": 2}},
        )


@attrs.frozen
class Station:
    """A catalogue in a folder of its own, and what its importer finds."""

    catalog: Catalog
    importer: Drafts

    def ingest(self, collection: str, numbers: range) -> Taken:
        """What the ingest of so many files takes."""
        self.importer.numbers = numbers
        return timed(lambda: self.catalog.ingest_collection(collection))

    def process(self, collection: str, number: int) -> Taken:
        """What processing one more file takes."""
        (draft,) = drafts(self.importer.folder, collection, range(number, number + 1))
        Path(draft.file_path).parent.mkdir(parents=True, exist_ok=True)
        Path(draft.file_path).touch()
        return timed(lambda: self.catalog.process_asset(draft, collection))


@contextmanager
def station(*collections: str) -> Iterator[Station]:
    """A new catalogue with these collections, without enrichers."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "mounted.txt").touch()
        importer = Drafts(folder)
        with Catalog(Path(folder, "catalog.db"), importers={"drafts": importer}) as catalog:
            catalog.add_source("drafts", "drafts")
            for name in collections:
                catalog.add_collection("drafts", name, path_mappings={folder: folder})
            yield Station(catalog, importer)


@attrs.frozen
class Template:
    """A closed catalogue to make copies of, with the collection `SHOWS`, which is empty or holds assets."""

    path: str
    collection: Collection
    importer: Drafts

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The path of a fresh copy, in a folder of its own that is gone afterwards."""
        with tempfile.TemporaryDirectory() as folder:
            yield shutil.copyfile(self.path, Path(folder, "catalog.db")).__fspath__()

    def opened(self, path: str) -> Catalog:
        """A copy, opened with the importer."""
        return Catalog(path, importers={"drafts": self.importer})


@contextmanager
def template(assets: int = 0) -> Iterator[Template]:
    """A catalogue with so many assets; afterwards its importer finds what the caller tells it to."""
    with station(SHOWS) as new:
        if assets:
            new.ingest(SHOWS, range(assets))
        collection = new.catalog.collection(SHOWS)
        path = new.catalog.database.path
        new.catalog.close()
        yield Template(path, collection, new.importer)


def make_files(folder: str, count: int, *, per_folder: int = SEASON) -> None:
    """So many empty files, named as people name episodes, so many to a season's folder."""
    for number in range(count):
        season, episode = divmod(number, per_folder)
        path = Path(folder, f"Show {season // 2}", f"Season {season % 2 + 1:02}")
        if episode == 0:
            path.mkdir(parents=True)
        (path / f"Show {season // 2} - S{season % 2 + 1:02}E{episode + 1:02} - Part {episode + 1}.mkv").touch()
