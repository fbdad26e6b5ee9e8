"""What was found out about the files of assets."""

from __future__ import annotations

import json
from collections.abc import Iterable

from retrovue_uow.model import Finding
from retrovue_uow.store.titles import ASSET, NewRows
from retrovue_uow.uow.database import Database, Value

IS_BROKEN = """EXISTS (SELECT 1
                            FROM finding
                           WHERE finding.asset_id = asset.id
                             AND finding.severity = 'broken')"""
"""A condition on `asset`."""
_ADD = ASSET + 1, "INSERT INTO finding (asset_id, enricher, severity, message) VALUES (?, ?, ?, ?)"


def findings(db: Database, asset_id: str) -> list[Finding]:
    """What was found out about the file of an asset, as it was found."""
    rows = db.execute("SELECT enricher, severity, message FROM finding WHERE asset_id = ? ORDER BY id", (asset_id,))
    return [Finding(*row) for row in rows]


def is_broken(db: Database, asset_id: str) -> bool:
    """Whether the file of an asset was broken when it was read."""
    return any(each.severity == "broken" for each in findings(db, asset_id))


def broken_among(db: Database, asset_ids: Iterable[str]) -> set[str]:
    """Those of the assets whose file was broken when it was read."""
    broken = "SELECT asset_id FROM finding WHERE severity = 'broken' AND asset_id IN (SELECT value FROM json_each(?))"
    return {str(id_) for (id_,) in db.execute(broken, (json.dumps(list(asset_ids)),))}


def set_findings(db: Database, asset_id: str, found: Iterable[Finding]) -> None:
    """Write what was found out about the file of an asset, in place of what was before."""
    if findings(db, asset_id) != list(dict.fromkeys(found)):
        db.execute("DELETE FROM finding WHERE asset_id = ?", (asset_id,))
        db.executemany(_ADD[1], _rows(asset_id, found))


def add_findings(rows: NewRows, asset_id: str, found: Iterable[Finding]) -> None:
    """Add what was found out about the file of a new asset."""
    rows[_ADD].extend(_rows(asset_id, found))


def _rows(asset_id: str, found: Iterable[Finding]) -> list[tuple[Value, ...]]:
    """A row for each; a thing that was said twice is one."""
    return [(asset_id, each.enricher, each.severity, each.message) for each in dict.fromkeys(found)]
