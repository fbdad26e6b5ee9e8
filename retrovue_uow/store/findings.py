"""What was found out about the files of assets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from retrovue_uow.model import Finding
from retrovue_uow.store.titles import ASSET, NewRows
from retrovue_uow.uow.database import Database

IS_BROKEN = """EXISTS (SELECT 1
                            FROM finding
                           WHERE finding.asset_id = asset.id
                             AND finding.severity = 'broken')"""
"""A condition on `asset`."""
TWIN = "twin"
"""What an ingest says of a second file with an asset's name in another Unicode form, in place of an enricher's type."""
_REMOVE = ASSET, "DELETE FROM finding WHERE asset_id = ? AND enricher <> ?"
_ADD = ASSET + 1, "INSERT INTO finding (asset_id, enricher, severity, message) VALUES (?, ?, ?, ?)"


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
