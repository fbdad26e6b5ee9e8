"""An importer of digitised tapes: a folder in which `shelf.csv` says what each file is."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from retrovue_uow import (
    AssetDraft,
    Collection,
    FoundCollection,
    IngestFilters,
    PathMapping,
    ResourceError,
    ValidationError,
)

LIST = "shelf.csv"
"""Columns: file, kind, title, year, seconds."""


class TapeShelf:
    """Finds what the list of a shelf names. Made from a source's configuration: `{"shelf": folder}`."""

    def __init__(self, config: Mapping[str, object]) -> None:
        folder = config.get("shelf")
        if not isinstance(folder, str):
            raise ValidationError(f"a tape shelf needs the path of its folder as 'shelf', not {folder!r}")
        self._folder = folder

    def check(self) -> None:
        """Raise `ResourceError` unless the list is there."""
        path = os.path.join(self._folder, LIST)
        if not os.path.isfile(path):
            raise ResourceError(f"the tape shelf has no list {path!r}: is its disk mounted?")

    def collections(self) -> Iterable[FoundCollection]:
        """The shelf itself."""
        return [FoundCollection("Tapes", "tapes", {self._folder: self._folder})]

    def discover(self, collection: Collection, mappings: Sequence[PathMapping], filters: IngestFilters) -> Iterator[AssetDraft]:
        """A draft for each line of the list."""
        with open(os.path.join(self._folder, LIST), encoding="utf-8", newline="") as lines:
            for line in csv.DictReader(lines):
                yield self._draft(line)

    def _draft(self, line: Mapping[str, str]) -> AssetDraft:
        path = os.path.join(self._folder, line["file"])
        return (
            AssetDraft(  # size and mtime are left out: the library asks the disk, and knows what to do with a file that is gone
                file_path=path,
                source_path=path,
                sidecars=(),
                kind=line["kind"],  # type: ignore[arg-type]  # the library refuses a kind that it does not know
                title=line["title"] or None,
                year=int(line["year"]) if line["year"] else None,
                duration_ms=int(float(line["seconds"]) * 1000),
            )
        )
