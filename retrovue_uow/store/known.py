"""What the catalogue knows of files: facts, for an ingest to compare with what it finds, and what was found out about them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from retrovue_uow.model import FileFacts, Finding
from retrovue_uow.store.titles import ASSET, NewRows
from retrovue_uow.uow.database import Database, Row

Span = tuple[str, str]
"""The first and the last of the canonical keys that are asked for."""
EVERYWHERE: Sequence[Span] = (("", "\U0010ffff"),)
IS_BROKEN = """EXISTS (SELECT 1
                            FROM finding
                           WHERE finding.asset_id = asset.id
                             AND finding.severity = 'broken')"""
"""A condition on `asset`."""
TWIN = "twin"
"""What an ingest says of a second file with an asset's name in another Unicode form, in place of an enricher's type."""
_REMOVE = ASSET, "DELETE FROM finding WHERE asset_id = ? AND enricher <> ?"
_ADD = ASSET + 1, "INSERT INTO finding (asset_id, enricher, severity, message) VALUES (?, ?, ?, ?)"


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


def findings(db: Database, asset_id: str) -> list[Finding]:
    """What was found out about the file of an asset, as it was found."""
    rows = db.execute("SELECT enricher, severity, message FROM finding WHERE asset_id = ? ORDER BY id", (asset_id,))
    return [Finding(*row) for row in rows]


def is_broken(db: Database, asset_id: str) -> bool:
    """Whether the file of an asset was broken when it was read."""
    return bool(broken_among(db, [asset_id]))


def broken_among(db: Database, asset_ids: Iterable[str]) -> set[str]:
    """Those of the assets whose file was broken when it was read."""
    broken = "SELECT asset_id FROM finding WHERE severity = 'broken' AND asset_id IN (SELECT value FROM json_each(?))"
    return {str(id_) for (id_,) in db.execute(broken, (json.dumps(list(asset_ids)),))}


def set_findings(rows: NewRows, asset_id: str, before: Sequence[Finding], found: Iterable[Finding]) -> None:
    """Write what was found out about the file of an asset, in place of what was before; what is said of twins stays."""
    if [each for each in before if each.enricher != TWIN] != list(dict.fromkeys(found)):
        rows[_REMOVE].append((asset_id, TWIN))
        add_findings(rows, asset_id, found)


def twinned_keys(db: Database, collection_id: str) -> list[str]:
    """The canonical keys of a collection's assets that are warned of twins."""
    rows = db.execute(
        """
        SELECT asset.canonical_key
          FROM finding
         CROSS JOIN asset ON asset.id = finding.asset_id            -- in this order: few findings are of twins
         WHERE finding.enricher = 'twin'
           AND asset.collection_id = ?
        """,
        (collection_id,),
    )
    return [str(key) for (key,) in rows]


def set_twins(db: Database, collection_id: str, twinned: Mapping[str, Iterable[Finding]]) -> None:
    """Write what is to be said of the twins of assets, by canonical key, in place of what was before."""
    asked = [(collection_id, key, json.dumps([each.message for each in found])) for key, found in twinned.items()]
    db.executemany(
        """
        DELETE FROM finding
         WHERE enricher = 'twin'
           AND asset_id = (SELECT id FROM asset WHERE collection_id = ? AND canonical_key = ?)
           AND message NOT IN (SELECT value FROM json_each(?))
        """,
        asked,
    )
    db.executemany(
        """
        INSERT INTO finding (asset_id, enricher, severity, message)
        SELECT asset.id, 'twin', 'warning', message.value
          FROM asset
          JOIN json_each(?3) AS message
         WHERE asset.collection_id = ?1
           AND asset.canonical_key = ?2
            ON CONFLICT (asset_id, enricher, message) DO NOTHING
        """,
        asked,
    )


def add_findings(rows: NewRows, asset_id: str, found: Iterable[Finding]) -> None:
    """Add what was found out about the file of an asset; a thing that was said twice is one."""
    rows[_ADD].extend((asset_id, each.enricher, each.severity, each.message) for each in dict.fromkeys(found))
