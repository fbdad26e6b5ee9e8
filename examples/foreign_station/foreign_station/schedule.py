"""What the station does with its tables: it plans an asset, and later it airs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from retrovue_uow import Catalog, OperationError, ValidationError
from retrovue_uow.rules.integrity import validate_database_consistency


class PlaylogError(OperationError):
    """Nothing was planned, or aired."""


def plan(catalog: Catalog, asset: str, starts_at: datetime) -> int:
    """Plan an asset, named by its id or its file, for as long as that takes. Returns the number of the slot."""
    with catalog.operation("playlog_plan", PlaylogError, asset=asset, starts_at=_utc(starts_at)) as op:
        with op.preflight():
            explained = catalog.explain(asset)
            if explained.asset is None or explained.asset.duration_ms is None or not explained.is_schedulable:
                raise ValidationError(f"{asset!r} may not go on the air: {'; '.join(explained.reasons)}")
            ends_at = starts_at + timedelta(milliseconds=explained.asset.duration_ms)
        with op.execution() as db:
            ((slot,),) = db.execute(
                "INSERT INTO playlog_slot (asset_id, starts_at, ends_at) VALUES (?, ?, ?) RETURNING id",
                (explained.asset.id, _utc(starts_at), _utc(ends_at)),
            )
        with op.postvalidation() as db:
            validate_database_consistency(db)
        return op.finish(int(slot))


def air(catalog: Catalog, slot: int) -> int:
    """Note that what was planned was on the air; the slot is free again. Returns the number of the airing."""
    with catalog.operation("playlog_air", PlaylogError, slot=slot) as op:
        with op.preflight() as db:
            planned = db.execute(
                """
                SELECT asset_id, starts_at, asset.duration_ms
                  FROM playlog_slot
                  JOIN asset ON asset.id = playlog_slot.asset_id
                 WHERE playlog_slot.id = ?
                """,
                (slot,),
            )
            if not planned:
                raise ValidationError(f"there is no slot {slot}: `foreign-station slots` lists them")
        with op.execution() as db:
            ((airing,),) = db.execute(
                "INSERT INTO playlog_airing (asset_id, aired_at, duration_ms) VALUES (?, ?, ?) RETURNING id", planned[0]
            )
            db.execute("DELETE FROM playlog_slot WHERE id = ?", (slot,))
        with op.postvalidation() as db:
            validate_database_consistency(db)
        return op.finish(int(airing))


def _utc(time: datetime) -> str:
    """A time as the tables keep it."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
