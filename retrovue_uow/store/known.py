"""What the catalogue knows of files, for an ingest to compare with what it finds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from retrovue_uow.model import FileFacts
from retrovue_uow.uow.database import Database, Row

Span = tuple[str, str]
"""The first and the last of the canonical keys that are asked for."""
EVERYWHERE: Sequence[Span] = (("", "\U0010ffff"),)


class KnownAsset(NamedTuple):
    """What the catalogue knows of an asset, for an ingest to compare a file with."""

    id: str
    key: str
    duration_ms: int | None
    missing_since: str | None
    facts: FileFacts


_KNOWN = """
SELECT id, canonical_key, duration_ms, missing_since, file_path, size, mtime_ns, sidecars, enrichers
  FROM asset
"""


class KnownAssets(Mapping[str, KnownAsset]):
    """Assets by their canonical keys.

    They stay the rows that SQLite gave until somebody wants one: a rescan asks of every file whether it is as it was, and
    named tuples of all, which the garbage collector looks at again and again, took longer to make than to compare.
    """

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows = {row[1]: row for row in rows}

    def __getitem__(self, key: str) -> KnownAsset:
        row = self._rows[key]
        return KnownAsset(row[0], row[1], row[2], row[3], FileFacts(*row[4:]))

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def has(self, key: str, facts: FileFacts) -> bool:
        """Whether the file of that key was there when it was last looked for, and just so."""
        row = self._rows.get(key)
        return row is not None and row[3] is None and row[4:] == facts


def known_assets(db: Database, collection_id: str, spans: Sequence[Span] = EVERYWHERE) -> KnownAssets:
    """Every asset of a collection whose canonical key is in one of the spans, by that key."""
    asked = f"{_KNOWN} WHERE collection_id = ? AND canonical_key BETWEEN ? AND ?"
    return KnownAssets(row for span in spans for row in db.execute(asked, (collection_id, *span)))


def assets_alike(db: Database, collection_id: str, files: Iterable[FileFacts]) -> list[KnownAsset]:
    """The assets of a collection that have the size and mtime of one of the files, by key."""
    alike = f"""
    {_KNOWN} INDEXED BY asset_file
     WHERE collection_id = ?
       AND (size, mtime_ns) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))
     ORDER BY canonical_key
    """  # noqa: S608  likewise
    asked = json.dumps([(each.size, each.mtime_ns) for each in files])
    return list(KnownAssets(db.execute(alike, (collection_id, asked))).values())


def known_asset(db: Database, collection_id: str, key: str) -> KnownAsset | None:
    """The asset of a collection with this canonical key."""
    return KnownAssets(db.execute(f"{_KNOWN} WHERE collection_id = ? AND canonical_key = ?", (collection_id, key))).get(key)


def missing_assets(db: Database, collection_id: str) -> list[KnownAsset]:
    """The assets of a collection that are marked missing, by key."""
    missing = f"{_KNOWN} WHERE collection_id = ? AND missing_since IS NOT NULL ORDER BY canonical_key"
    return list(KnownAssets(db.execute(missing, (collection_id,))).values())
